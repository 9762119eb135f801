"""Container logs in the CRI's format, as the kubelet reads them: `TIME STREAM TAG TEXT`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_MAX_LINE: Final = 16384  # containerd's max_container_log_line_size


class LogWriter:
    """Writes one container's log file; close it to flush a last line without an end."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)
        self._pending: dict[str, bytes] = {}

    def write(self, stream: str, data: bytes) -> None:
        """Add output of a stream."""
        *lines, rest = (self._pending.pop(stream, b"") + data).split(b"\n")
        for line in lines:
            self._write_line(stream, line)
        while len(rest) > _MAX_LINE:
            self._write_entry(stream, b"P", rest[:_MAX_LINE])
            rest = rest[_MAX_LINE:]
        if rest:
            self._pending[stream] = rest

    def close(self) -> None:
        """Write what is left and close the file."""
        for stream, rest in self._pending.items():
            self._write_entry(stream, b"F", rest)
        self._file.close()

    def _write_line(self, stream: str, line: bytes) -> None:
        while len(line) > _MAX_LINE:
            self._write_entry(stream, b"P", line[:_MAX_LINE])
            line = line[_MAX_LINE:]
        self._write_entry(stream, b"F", line)

    def _write_entry(self, stream: str, tag: bytes, text: bytes) -> None:
        now = datetime.now(UTC)
        time = f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond:06d}000Z"
        self._file.write(b" ".join((time.encode(), stream.encode(), tag, text)) + b"\n")
