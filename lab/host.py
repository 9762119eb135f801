"""The SEV host: commands, files and forwarded channels over one SSH connection."""

from __future__ import annotations

import contextlib
import hashlib
import posixpath
import threading
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from lab.deadline import Deadline
from lab.errors import (
    CommandFailed,
    DeadlineExceeded,
    HostFileError,
    HostRebooted,
    NoSuchHostFile,
    Unreachable,
)
from lab.exchanged import exchanged
from lab.execution import Request, Result, quoted, start_command
from lab.fact import Fact
from lab.forward import Forward
from lab.held import Held, holding
from lab.link import BOOT_ID, Link
from lab.printable import shortened
from lab.put_in_place import PUT_IN_PLACE
from lab.record import Wait
from lab.remote_files import FileStatus, RemoteFiles, beside
from lab.reverse import Reverse
from lab.secret import MASK
from lab.transcript import transcript

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    import paramiko

    from lab.labfile import LabFile
    from lab.record import Record
    from lab.secret import Redactor
    from lab.ssh import Connection

T = TypeVar("T")

# Seconds between two looks at a host that is rebooting.
REBOOT_PACE = 2.0


class Host:
    """One host. Connects when it is first used; safe to use from several threads."""

    def __init__(self, lab: LabFile, record: Record, redactor: Redactor) -> None:
        self._lab = lab
        self._record = record
        self._redact = redactor
        self._link = Link(lab, redactor)
        self._lock = threading.Lock()
        self._files: RemoteFiles | None = None
        self._unheard: HostRebooted | None = None

    def when_rebooted(self, tell: Callable[[], None]) -> None:
        """Have `tell` called, in any thread, each time that the host turns out to have rebooted by itself."""
        self._link.when_rebooted.append(tell)

    def require_same_boot(self) -> None:
        """Raise HostRebooted, once, where a forward came upon it: what its thread raises, nobody hears."""
        unheard, self._unheard = self._unheard, None
        if unheard:
            raise unheard

    def run(
        self,
        command: str,
        *args: object,
        deadline: Deadline | float | None = None,
        input: str | bytes | None = None,  # noqa: A002 - as subprocess.run calls it
        check: bool = True,
        sensitive: bool = False,
        output_limit: int = 1 << 20,
        reads: bool = False,
        quiet: bool = False,
        outlives: bool = False,
    ) -> Result:
        r"""Run a shell command; each `%s` is replaced by an argument, quoted for the shell.

        `deadline` defaults to the lab file's `timeouts.command`; the host ends the command there, and all
        that it started. `sensitive` keeps the command's words and output out of evidence and errors, `quiet`
        makes no evidence. `reads` says that the command changes nothing: only then it is sent again after a
        lost connection. Each stream is kept up to `output_limit` bytes. A command that `outlives` the
        connection is not broken off when that is lost, and at its deadline it is asked to end and not killed;
        it has no input, and its streams come as one.

        Raises CommandFailed for an exit code other than 0 when `check` is set, DeadlineExceeded,
        ConnectionLost, Unreachable.

        >>> host.run("grep --count %s %s", "mem_encrypt=on", "/proc/cmdline").stdout
        '1\n'
        """
        self.require_same_boot()
        text = quoted(command, args)
        shown = self._redact(command if sensitive else text)
        stdin = input.encode() if isinstance(input, str) else input or b""
        request = Request(text, shown, self._limit(deadline), stdin, output_limit, outlives)
        asked = {"command": shown} | ({"stdin_bytes": len(stdin)} if stdin else {})
        with self._exchanged("command", asked) as answered:
            result = self._link.use(lambda connection: self._link.execute(connection, request), again=reads)
            answered["exit_code"] = result.exit_code
            answered["stdout"], answered["stderr"] = (
                (MASK, MASK) if sensitive else (result.stdout, result.stderr)
            )
        self._record.reached("host")
        if not quiet:
            told = transcript(shown, result, hidden=sensitive)
            self._record.evidence(f"$ {shortened(shown)}", told, fact=Fact.COMMAND)
        if check and result.exit_code != 0:
            said = "its output is kept secret" if sensitive else self._redact(result.stderr or result.stdout)
            raise CommandFailed(shortened(shown, 300), result.exit_code, said)
        return result

    def hold(self, command: str, *args: object) -> Held:
        """Start a process that lives until it is closed, or until the connection is gone, and no longer."""
        text = quoted(command, args)

        def start(connection: Connection) -> Held:
            channel = self._link.open_session(connection, self._limit(None))
            try:
                start_command(channel, holding(text, self._lab.ssh.become), self._lab.timeouts.command)
            except BaseException:
                self._link.close_session(channel)
                raise
            return Held(channel, self._redact(text), self._link.close_session)

        with self._exchanged("command", {"command": self._redact(text), "held": True}):
            return self._link.use(start, again=False)

    def read_file(self, path: str, *, sensitive: bool = False) -> bytes:
        """The content of a file; `sensitive` keeps it out of a transcript.

        Raises NoSuchHostFile, HostFileError.
        """
        with self._exchanged("file", {"does": "read", "path": path}) as answered:
            content = self._with_files(lambda files: files.read(path))
            answered["content"] = MASK if sensitive else content
        return content

    def write_file(self, path: str, data: bytes, mode: int = 0o644, owner: str | None = None) -> None:
        """Put `data` in the place of a file at once: whoever reads it sees the old content or the new.

        A file that exists keeps its owner, mode and SELinux label; a new one gets `mode`, and `owner`
        (as chown takes it) where one is named. A symbolic link is followed. Raises HostFileError.
        """

        def put(files: RemoteFiles) -> tuple[str, str]:
            target = files.real_path(path)
            return files.write_new(target, data), target

        checksum = hashlib.sha256(data).hexdigest()
        with self._exchanged("file", {"does": "write", "path": path, "sha256": checksum}):
            new, target = self._with_files(put, again=False)
        self._script(PUT_IN_PLACE, path, new, target, f"{mode:o}", owner or "", checksum, str(len(data)))

    def copy_file(self, source: str, path: str) -> None:
        """Put a copy of another file of the host in the place of a file, as `write_file` does."""
        target = self._with_files(lambda files: files.real_path(path))
        new = beside(target)
        # As root, and away again where the disk is full.
        copy = "cp -- %s %s || { code=$?; rm --force -- %s; exit $code; }"
        self.run(copy, source, new, new, quiet=True, deadline=self._lab.timeouts.download)
        self._script(PUT_IN_PLACE, path, new, target, "644", "", "", "")

    def exists(self, path: str) -> bool:
        """Whether there is a file or directory at `path`."""
        try:
            self.stat(path)
        except NoSuchHostFile:
            return False
        return True

    def stat(self, path: str) -> FileStatus:
        """Size, mode, owner and time of a file. Raises NoSuchHostFile, HostFileError."""
        with self._exchanged("file", {"does": "stat", "path": path}) as answered:
            found = self._with_files(lambda files: files.stat(path))
            answered.update(vars(found))
        return found

    def remove_file(self, path: str) -> None:
        """Remove a file; one that is not there is fine. Raises HostFileError."""
        with (
            contextlib.suppress(NoSuchHostFile),
            self._exchanged("file", {"does": "remove", "path": path}),
        ):
            self._with_files(lambda files: files.remove(path), again=False)

    def remove_torn(self, path: str) -> None:
        """Remove what was to take the place of `path` and was left beside it by a run that was killed."""
        folder, name = posixpath.split(path)
        self.run("rm --recursive --force -- %s/.%s.*.new", folder, name, quiet=True)

    def make_directory(self, path: str, mode: int = 0o755) -> None:
        """Make a directory and its parents; one that is there stays as it is. Raises HostFileError."""
        self._script('mkdir --parents --mode="$2" -- "$1"', path, path, f"{mode:o}")

    def sha256(self, path: str) -> str:
        """A file's SHA-256, in hex, as the host computes it. Raises NoSuchHostFile, HostFileError."""
        result = self.run(
            "sha256sum < %s", path, reads=True, quiet=True, check=False, deadline=self._lab.timeouts.download
        )
        if result.exit_code != 0:
            self.stat(path)
            raise HostFileError(path, self._redact(result.stderr.strip()))
        return result.stdout.split()[0]

    def open_channel(self, host: str, port: int) -> paramiko.Channel:
        """A channel, with a socket's methods, to an address as the host sees it.

        Raises ForwardRefused when the host cannot reach the address, Unreachable when the host is gone.
        """
        timeout = self._lab.timeouts.connect
        return self._link.use(lambda connection: connection.open_channel(host, port, timeout), again=True)

    def forward(self, host: str, port: int) -> Forward:
        """A context manager that gives a port on 127.0.0.1 which leads to an address as the host sees it."""

        def open_channel() -> paramiko.Channel:
            try:
                return self.open_channel(host, port)
            except HostRebooted as error:
                self._unheard = error
                raise

        return Forward(open_channel)

    def reverse(self, port: int) -> Reverse:
        """A context manager that gives a port on the host's 127.0.0.1 which leads to a port of ours there."""
        return Reverse(self._link.connected(), port)

    def boot_id(self) -> str:
        """What the kernel calls this boot; a new one after each reboot."""
        return self.run("cat %s", BOOT_ID, reads=True, quiet=True).stdout.strip()

    @cached_property
    def name(self) -> str:
        """What the machine calls itself."""
        return self.run("uname -n", reads=True, quiet=True).stdout.strip()

    def now(self) -> datetime:
        """The host's clock."""
        told = self.run("date --utc +%Y-%m-%dT%H:%M:%S.%6N+00:00", reads=True, quiet=True).stdout
        return datetime.fromisoformat(told.strip())

    def wait_for_reboot(self, previous_boot_id: str, deadline: Deadline) -> str:
        """Wait until the host answers from another boot than the previous one; the new boot's id.

        An answer alone proves nothing: a host still answers for a while before it goes down.
        """
        self._link.expect_reboot()
        self._unheard = None
        pause = threading.Event()
        seen = unchanged = "the host still runs its previous boot"
        while not deadline.expired:
            self._record.waiting(Wait("the host to reboot", deadline.elapsed, deadline.remaining, seen))
            try:
                connection = self._link.connected(Deadline(deadline.cap(self._lab.timeouts.connect)))
                boot_id = self._link.ask_boot_id(connection)
            except (Unreachable, DeadlineExceeded) as error:
                self._link.drop()
                self._link.expect_reboot()
                seen = str(error)
                pause.wait(deadline.cap(REBOOT_PACE))
                continue
            if boot_id != previous_boot_id:
                return boot_id
            seen = unchanged
            self._link.expect_reboot()
            connection.wait_until_gone(deadline.cap(REBOOT_PACE))
        raise DeadlineExceeded(f"the host did not reboot within {deadline.seconds:.0f} s; last: {seen}")

    def close(self) -> None:
        """Close the connection. The host can be used again: it connects anew."""
        self._link.drop()

    def _exchanged(self, protocol: str, asked: dict[str, Any]) -> AbstractContextManager[dict[str, Any]]:
        return exchanged(self._record.exchange, protocol, asked)

    def _limit(self, deadline: Deadline | float | None) -> Deadline:
        if isinstance(deadline, Deadline):
            return deadline
        return Deadline(self._lab.timeouts.command if deadline is None else deadline)

    def _with_files(self, action: Callable[[RemoteFiles], T], *, again: bool = True) -> T:
        """Do something over SFTP; `again` where it only reads."""
        return self._link.use(lambda connection: action(self._files_of(connection)), again=again)

    def _files_of(self, connection: Connection) -> RemoteFiles:
        with self._lock:
            if self._files is None or self._files.connection is not connection:
                become = self._lab.ssh.become
                self._files = RemoteFiles(connection, become, self._lab.timeouts.command)
            return self._files

    def _script(self, script: str, path: str, *args: str) -> None:
        """Run one of our own scripts on a file."""
        arguments = " ".join("%s" for _ in args)
        result = self.run(f"sh -c %s sh {arguments}", script, *args, check=False, quiet=True)
        if result.exit_code != 0:
            raise HostFileError(path, shortened(self._redact(result.stderr)) or "failed without a word")
