"""A process on the host that lives exactly as long as someone here holds on to it."""

from __future__ import annotations

import contextlib
import shlex
import threading
from typing import TYPE_CHECKING, Self

from lab.deadline import Deadline
from lab.errors import CommandFailed, ConnectionLost, DeadlineExceeded
from lab.execution import CHUNK, sudo
from lab.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    import paramiko

# Seconds between two signs of life, and how long the host waits for one. A runner that lost its power ends no
# connection, and a host that sends nothing itself would notice for hours; a busy runner may be late.
BEAT = 20.0
SILENCE = 150

# The command runs in a session of its own; a watcher waits for the end of our stdin, or for its silence, and
# then ends it. The host closes that stdin also when the connection is lost, so nothing outlives whoever holds
# it. Only the host's own clock counts.
_SCRIPT = """
exec 3<&0
setsid sh -c "$0" </dev/null &
held=$!
( while timeout "$1" head --bytes=1 | grep --quiet .; do :; done
    kill -s TERM -- -$held; timeout 5 tail --pid=$held -f /dev/null; kill -s KILL -- -$held ) \
    <&3 >/dev/null 2>&1 &
watcher=$!
exec 3<&- >&-
wait $held
code=$?
kill $watcher
exit $code
"""


def holding(command: str, become: str) -> str:
    """`command` as it is sent to be held."""
    return f"{sudo(become)}env LC_ALL=C sh -c {shlex.quote(_SCRIPT)} {shlex.quote(command)} {SILENCE} 2>&1"


class Held:
    """A process that is held. Its output, both streams, comes by lines; `close` ends it.

    A thread tells the host that we still live; it ends with the process, or with the connection.
    """

    def __init__(
        self, channel: paramiko.Channel, command: str, on_close: Callable[[paramiko.Channel], None]
    ) -> None:
        self.command = command
        self._channel = channel
        self._on_close = on_close
        self._buffer = b""
        self._closed = threading.Lock()
        self._ending = threading.Event()
        threading.Thread(target=self._beat, name=f"beat {command[:20]}", daemon=True).start()

    def _beat(self) -> None:
        with contextlib.suppress(OSError, EOFError):
            while not self._ending.wait(BEAT) and self.alive:
                self._channel.sendall(b".")

    @property
    def alive(self) -> bool:
        """Whether the process still runs, as far as is known here."""
        return not self._channel.exit_status_ready()

    def read_line(self, deadline: Deadline | float) -> str | None:
        """The next line without its newline; None once the process has ended.

        Raises DeadlineExceeded when no line comes in time.
        """
        limit = deadline if isinstance(deadline, Deadline) else Deadline(deadline)
        while b"\n" not in self._buffer:
            self._channel.settimeout(max(limit.remaining, 0.001))
            try:
                chunk = self._channel.recv(CHUNK)
            except TimeoutError:
                raise DeadlineExceeded(
                    f"no line from `{self.command}` within {limit.seconds:.0f} s"
                ) from None
            if not chunk:
                rest, self._buffer = self._buffer, b""
                return printable(rest) if rest else None
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return printable(line)

    def exit_code(self, deadline: Deadline | float) -> int:
        """The exit code of a process that ends by itself. Raises DeadlineExceeded, ConnectionLost."""
        limit = deadline if isinstance(deadline, Deadline) else Deadline(deadline)
        if not self._channel.status_event.wait(limit.remaining):
            raise DeadlineExceeded(f"`{self.command}` did not end within {limit.seconds:.0f} s")
        if self._channel.exit_status == -1:
            raise ConnectionLost(f"the connection broke while `{self.command}` was held")
        return self._channel.exit_status

    def expect(self, line: str, deadline: Deadline | float) -> None:
        """Wait for a process to say that it is ready. Raises CommandFailed when it ends or says otherwise."""
        said = self.read_line(deadline)
        if said != line:
            code = self._channel.exit_status if not self.alive else 0
            raise CommandFailed(self.command, code, said or "")

    def close(self, seconds: float = 10) -> None:
        """End the process and wait for its end, at most `seconds`."""
        if not self._closed.acquire(blocking=False):
            return
        self._ending.set()
        try:
            self._channel.shutdown_write()
            self._channel.status_event.wait(seconds)
        except OSError:
            # The connection is gone, and the process with it.
            pass
        finally:
            self._on_close(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
