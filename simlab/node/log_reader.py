"""Reading a container's log file for the API: the options of `kubectl logs` (`PodLogOptions`)."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping
    from pathlib import Path
    from typing import BinaryIO

_FOLLOW_SECONDS: Final = 0.1


@dataclass(frozen=True)
class LogOptions:
    """What of a log is wanted; None where there is no limit."""

    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    since: datetime | None = None
    tail_lines: int | None = None
    limit_bytes: int | None = None

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> LogOptions:
        """Read the options of a request. Raises ValueError."""
        since = None
        if text := query.get("sinceTime"):
            since = datetime.fromisoformat(text)
        elif text := query.get("sinceSeconds"):
            since = datetime.now(UTC) - timedelta(seconds=int(text))
        return cls(
            follow=query.get("follow") in ("true", "1"),
            previous=query.get("previous") in ("true", "1"),
            timestamps=query.get("timestamps") in ("true", "1"),
            since=since,
            tail_lines=int(query["tailLines"]) if "tailLines" in query else None,
            limit_bytes=int(query["limitBytes"]) if "limitBytes" in query else None,
        )


async def read(path: Path, options: LogOptions, running: Callable[[], bool]) -> AsyncIterator[bytes]:
    """Text of a log file in the CRI's format; followed until `running` says no."""
    left = options.limit_bytes
    with path.open("rb") as file:
        entries: Iterator[bytes] | deque[bytes] = _wanted(file, options)
        if options.tail_lines is not None:
            entries = deque(entries, maxlen=options.tail_lines)
        for text in entries:
            cut = text if left is None else text[:left]
            if cut:
                yield cut
            if left is not None:
                left -= len(cut)
                if left <= 0:
                    return
        while options.follow:
            # Asked before the file is read, so that what came last is not missed.
            alive = running()
            for text in _wanted(file, options):
                yield text
            if not alive:
                return
            await asyncio.sleep(_FOLLOW_SECONDS)


def _wanted(file: BinaryIO, options: LogOptions) -> Iterator[bytes]:
    while line := file.readline():
        if not line.endswith(b"\n"):
            file.seek(-len(line), 1)
            return
        time, _, tag, text = line.split(b" ", 3)
        if options.since is not None and datetime.fromisoformat(_microseconds(time.decode())) < options.since:
            continue
        if tag == b"P":
            text = text.removesuffix(b"\n")
        yield time + b" " + text if options.timestamps else text


def _microseconds(time: str) -> str:
    """Python reads six digits after the second, the file has nine."""
    whole, _, fraction = time.removesuffix("Z").partition(".")
    return f"{whole}.{fraction[:6]}+00:00"
