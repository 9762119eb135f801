"""Running one command over an SSH session channel: its wrapping, its streams, and what came of it."""

from __future__ import annotations

import select
import shlex
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import paramiko

from lab.errors import ConnectionLost
from lab.printable import printable

if TYPE_CHECKING:
    from lab.deadline import Deadline

# Seconds between TERM and KILL for a command that overruns its deadline on the host.
KILL_AFTER = 5
# What is left after that for the host to say so, before its silence means that it is lost.
PATIENCE = 10

CHUNK = 1 << 16

# Seconds for a command that must not be killed to come to its end after TERM: rpm holds that back until its
# transaction is done (rpm 4.14, lib/rpmts.c, rpmtxnBegin), which makes an initrd for each new kernel.
UNKILLED_PATIENCE = 600

# sudo's secure_path on Red Hat's family lacks /usr/local, where crictl and others are put by hand. A hardened
# host's umask would make root's alone what others must read, such as the files of an image that is built.
# `timeout` itself dies of the signal that its command died of; `exit $?` makes an exit code of it.
_UNDER_TIMEOUT = (
    'PATH=$PATH:/usr/local/sbin:/usr/local/bin; umask 022; timeout {kill}{seconds} sh -c "$0"; exit $?'
)


# A program that writes where nobody reads any more breaks off, such as dnf in the middle of a transaction.
_OUTLIVING = """
said=$(mktemp) || exit
trap 'rm --force -- "$said"' EXIT
( {under_timeout} ) >"$said" 2>&1 </dev/null
code=$?
cat -- "$said"
exit "$code"
"""


@dataclass(frozen=True)
class Result:
    """What a command said. Text is safe to print; `stdout_bytes` is what really came."""

    command: str
    exit_code: int
    stdout_bytes: bytes = field(repr=False)
    stderr_bytes: bytes = field(repr=False)
    seconds: float
    truncated: bool = False

    @property
    def stdout(self) -> str:
        """Standard output as text."""
        return printable(self.stdout_bytes)

    @property
    def stderr(self) -> str:
        """Standard error as text."""
        return printable(self.stderr_bytes)

    @property
    def lines(self) -> list[str]:
        """The lines of standard output, without newlines."""
        return self.stdout.splitlines()

    @property
    def succeeded(self) -> bool:
        """Whether the exit code was 0."""
        return self.exit_code == 0


@dataclass(frozen=True)
class Request:
    """A command to run: `shown` is what may be told of it, `output_limit` counts the bytes of each stream.

    One that `outlives` the connection goes on when that is lost, and is asked to end, but never killed.
    """

    command: str
    shown: str
    deadline: Deadline
    stdin: bytes = b""
    output_limit: int = CHUNK
    outlives: bool = False

    @property
    def patience(self) -> float:
        """Seconds after the deadline for the host to tell of the command's end."""
        return UNKILLED_PATIENCE if self.outlives else KILL_AFTER + PATIENCE


def quoted(command: str, args: tuple[object, ...]) -> str:
    """`command` with each `%s` replaced by its argument, quoted for the shell.

    >>> quoted("cat %s", ("a b",))
    "cat 'a b'"
    """
    return command % tuple(shlex.quote(str(arg)) for arg in args) if args else command


def wrapped(command: str, seconds: float, become: str, *, outlives: bool = False) -> str:
    """`command` as it is sent: under the host's own `timeout`, as root where `become` says so.

    The connection can be lost and the command would live on; `timeout` ends it, and all that it started in
    its process group, whatever happens here; one that `outlives` the connection ends itself when it is asked
    to, and is never killed in its middle. Messages come in English.
    """
    kill = "" if outlives else f"--kill-after={KILL_AFTER} "
    script = _UNDER_TIMEOUT.format(kill=kill, seconds=f"{max(seconds, 0.001):.3f}")
    if outlives:
        script = _OUTLIVING.format(under_timeout=script)
    return f"{sudo(become)}env LC_ALL=C sh -c {shlex.quote(script)} {shlex.quote(command)}"


def sudo(become: str) -> str:
    """What makes a command run as root."""
    return "sudo -n -- " if become == "sudo" else ""


def start_command(channel: paramiko.Channel, command: str, seconds: float) -> None:
    """Send a command; raises ConnectionLost where the host does not take it within `seconds`.

    paramiko waits for the host's answer without a limit, but not beyond the closing of the channel.
    """
    guard = threading.Timer(seconds, channel.close)
    guard.daemon = True
    guard.start()
    try:
        channel.exec_command(command)
    except (paramiko.SSHException, EOFError, OSError):
        raise ConnectionLost("the connection broke while a command was sent") from None
    finally:
        guard.cancel()


@dataclass
class _Stream:
    limit: int
    data: bytearray = field(default_factory=bytearray)
    truncated: bool = False

    def take(self, chunk: bytes) -> None:
        room = self.limit - len(self.data)
        self.data += chunk[:room]
        self.truncated = self.truncated or len(chunk) > room


@dataclass(frozen=True)
class Output:
    """The streams of a command that ended; `exit_code` None means that it was given up at the deadline."""

    stdout: bytes
    stderr: bytes
    truncated: bool
    exit_code: int | None


def exchange(channel: paramiko.Channel, stdin: bytes, deadline: Deadline, limit: int) -> Output:
    """Feed `stdin` to the command on `channel`, drain its streams, and return what came of it.

    Streams are drained to their end, or the command would block on them; what exceeds `limit` bytes each is
    dropped. Raises ConnectionLost where the channel ends without an exit status.
    """
    feeder = threading.Thread(target=_feed, args=(channel, stdin), daemon=True)
    feeder.start()
    stdout, stderr = _Stream(limit), _Stream(limit)
    poll = select.poll()
    poll.register(channel.fileno(), select.POLLIN)
    while not deadline.expired:
        # Asked first: what the command said last may come with its end, after a silence.
        exited = channel.exit_status_ready()
        ready = poll.poll(deadline.cap(1.0) * 1000)
        ended = channel.eof_received or channel.closed
        idle = True
        if channel.recv_ready():
            stdout.take(channel.recv(CHUNK))
            idle = False
        if channel.recv_stderr_ready():
            stderr.take(channel.recv_stderr(CHUNK))
            idle = False
        # A daemon that a command leaves behind may hold its streams open for ever.
        if idle and (ended or (not ready and exited)):
            break
    code: int | None = None
    if channel.status_event.wait(deadline.remaining):
        code = channel.exit_status
        if code == -1:
            raise ConnectionLost("the connection broke while the command ran")
    feeder.join(0 if code is None else 1)
    return Output(bytes(stdout.data), bytes(stderr.data), stdout.truncated or stderr.truncated, code)


def _feed(channel: paramiko.Channel, stdin: bytes) -> None:
    try:
        if stdin:
            channel.sendall(stdin)
        channel.shutdown_write()
    except OSError:
        # The command did not want its input; its exit code says what that means.
        return
