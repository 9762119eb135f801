"""What a command said is read to its end, however its streams and its exit status come."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, cast

from lab.deadline import Deadline
from lab.execution import exchange

if TYPE_CHECKING:
    import paramiko


class LateChannel:
    """A channel that stays silent for one look, and then brings output and exit status at once."""

    eof_received = closed = False
    exit_status = 0

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        self._output = b""
        self._looked = 0
        self.status_event = threading.Event()

    def fileno(self) -> int:
        return self._reader

    def recv_ready(self) -> bool:
        return bool(self._output)

    def recv_stderr_ready(self) -> bool:
        self._looked += 1
        if self._looked == 1:
            self._output = b"said late"
            os.write(self._writer, b"x")
            self.status_event.set()
        return False

    def recv(self, _: int) -> bytes:
        said, self._output = self._output, b""
        os.read(self._reader, 1)
        self.eof_received = True
        return said

    def exit_status_ready(self) -> bool:
        return self.status_event.is_set()

    def shutdown_write(self) -> None:
        return


def test_what_comes_with_the_end_after_a_silence_is_not_lost() -> None:
    output = exchange(cast("paramiko.Channel", LateChannel()), b"", Deadline(10), 100)
    assert (output.stdout, output.exit_code) == (b"said late", 0)
