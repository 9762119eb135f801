"""The way to the host: one connection that is made when it is needed, and made anew after it was lost."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, TypeVar

from lab.deadline import Deadline
from lab.errors import ConnectionLost, DeadlineExceeded, HostRebooted, Unreachable
from lab.execution import Request, Result, exchange, start_command, wrapped
from lab.printable import printable, shortened
from lab.ssh import Connection, connect

if TYPE_CHECKING:
    from collections.abc import Callable

    import paramiko

    from lab.labfile import LabFile
    from lab.secret import Redactor

T = TypeVar("T")

BOOT_ID = "/proc/sys/kernel/random/boot_id"

# What a shell that is root's answers, and nothing beside it.
ANSWER = re.compile(r"(?P<boot>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\n(?P<uid>\d+)\n")

# OpenSSH serves ten sessions a connection by default (sshd_config, MaxSessions); channels do not count.
SESSIONS = 8


class Link:
    """Connects to a lab's host and runs single commands there; safe to use from several threads."""

    def __init__(self, lab: LabFile, redactor: Redactor) -> None:
        self._lab = lab
        self._redact = redactor
        self._lock = threading.RLock()
        self._connection: Connection | None = None
        self._boot_id: str | None = None
        self.when_rebooted: list[Callable[[], None]] = []
        self._sessions = threading.BoundedSemaphore(SESSIONS)

    def connected(self, deadline: Deadline | None = None) -> Connection:
        """The connection, made where there is none. Raises Unreachable, HostRebooted."""
        with self._lock:
            if self._connection is not None and self._connection.alive:
                return self._connection
            self.drop()
            limit = deadline or Deadline(self._lab.timeouts.connect)
            connection = connect(self._lab.ssh, limit, self._redact)
            try:
                boot_id = self.ask_boot_id(connection)
            except BaseException:
                connection.close()
                raise
            before, self._boot_id = self._boot_id, boot_id
            self._connection = connection
            if before not in (None, boot_id):
                for tell in self.when_rebooted:
                    tell()
                raise HostRebooted(f"it rebooted by itself (boot {before}, now {boot_id})")
            return connection

    def expect_reboot(self) -> None:
        """Take the next connection's boot as it comes."""
        with self._lock:
            self._boot_id = None

    def ask_boot_id(self, connection: Connection) -> str:
        """What the kernel calls this boot. Raises Unreachable where a login is not one to root's shell."""
        limit, user = Deadline(self._lab.timeouts.connect), self._lab.ssh.user
        result = self.execute(connection, Request(f"cat {BOOT_ID} && id -u", "cat", limit))
        if result.exit_code != 0:
            said = shortened(result.stderr) or f"exit code {result.exit_code}"
            if "sudo" in said:
                raise Unreachable(
                    "host", f"user {user!r} may not use sudo without a password and a terminal ({said})"
                )
            raise Unreachable("host", f"the login works but its shell does not run commands: {said}")
        answer = ANSWER.fullmatch(result.stdout)
        if answer is None:
            raise Unreachable(
                "host",
                f"the shell of user {user!r} prints more than a command's output "
                f"({shortened(result.stdout)}): have .bashrc, and what else it reads at its start, print to "
                "terminals only",
            )
        if answer["uid"] != "0":
            raise Unreachable(
                "host", f'user {user!r} is not root: set become = "sudo" in [ssh] of the lab file'
            )
        return answer["boot"]

    def drop(self, lost: Connection | None = None) -> None:
        """Close the connection; but not one that another thread has put in the place of the lost one."""
        with self._lock:
            if self._connection is None or (lost is not None and self._connection is not lost):
                return
            self._connection.close()
            self._connection = None

    def use(self, action: Callable[[Connection], T], *, again: bool) -> T:
        """Do something over the connection; once more over a new one if the first was lost.

        What reached the host may have happened: it is done again only where `again` says that it may be.
        """
        connection = self.connected()
        try:
            return action(connection)
        except ConnectionLost as error:
            self.drop(connection)
            if error.sent and not again:
                raise
        return action(self.connected())

    def open_session(self, connection: Connection, deadline: Deadline) -> paramiko.Channel:
        """A channel for a command; waits while too many are in use. Give it back to `close_session`."""
        if not self._sessions.acquire(timeout=max(deadline.remaining, 0.001)):
            raise DeadlineExceeded(
                f"none of {SESSIONS} sessions to the host became free in {deadline.seconds:.0f} s"
            )
        try:
            return connection.open_session(self._lab.timeouts.connect)
        except BaseException:
            self._sessions.release()
            raise

    def close_session(self, channel: paramiko.Channel) -> None:
        """Close a channel that `open_session` opened."""
        channel.close()
        self._sessions.release()

    def execute(self, connection: Connection, request: Request) -> Result:
        """Run one command. Raises DeadlineExceeded, and ConnectionLost where nobody knows its end."""
        shown = shortened(request.shown)
        channel = self.open_session(connection, request.deadline)
        seconds = request.deadline.remaining
        patience = Deadline(seconds + request.patience)
        try:
            command = wrapped(request.command, seconds, self._lab.ssh.become, outlives=request.outlives)
            start_command(channel, command, patience.remaining)
            output = exchange(channel, request.stdin, patience, request.output_limit)
        except (ConnectionLost, OSError):
            raise ConnectionLost(f"the connection broke while `{shown}` ran") from None
        finally:
            self.close_session(channel)
        if output.exit_code is None and request.outlives:
            raise DeadlineExceeded(
                f"`{shown}` did not end within {seconds:.0f} s, nor in {request.patience:.0f} s after it was "
                "asked to; it is not killed in its middle, and may still be at work on the host"
            )
        if output.exit_code is None:
            raise ConnectionLost(f"the host fell silent while `{shown}` ran")
        # `timeout` ends with 124, or is killed with its command: 128 + 9.
        if output.exit_code in (124, 137) and patience.elapsed >= seconds:
            last = shortened(self._redact(printable((output.stdout + output.stderr)[-400:])))
            raise DeadlineExceeded(
                f"`{shown}` did not end within {seconds:.0f} s; its last output: {last or 'nothing'}"
            )
        return Result(
            request.command,
            output.exit_code,
            output.stdout,
            output.stderr,
            patience.elapsed,
            output.truncated,
        )
