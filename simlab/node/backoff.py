"""Exponential back-off as client-go's `util/flowcontrol/backoff.go` has it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_SECONDS: Final = 10.0  # kubelet.go 1.24: backOffPeriod
MOST_SECONDS: Final = 300.0  # kubelet.go 1.24: MaxContainerBackOff


@dataclass
class _Entry:
    seconds: float
    since: float


class Backoff:
    """Waiting times by key: 10 s after the first failure, doubled each time up to 5 min."""

    def __init__(
        self,
        first: float = FIRST_SECONDS,
        most: float = MOST_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._first = first
        self._most = most
        self._clock = clock
        self._entries: dict[str, _Entry] = {}

    def failed(self, key: str) -> None:
        """Count a failure."""
        entry = self._entries.get(key)
        now = self._clock()
        if entry is None or now - entry.since > 2 * self._most:
            self._entries[key] = _Entry(self._first, now)
            return
        entry.seconds = min(entry.seconds * 2, self._most)
        entry.since = now

    def remaining(self, key: str, since: float | None = None) -> float:
        """Seconds until the next try is due, counted from the last failure or from `since`; 0 when it is."""
        entry = self._entries.get(key)
        if entry is None:
            return 0.0
        start = entry.since if since is None else since
        return max(0.0, start + entry.seconds - self._clock())

    def seconds(self, key: str) -> float:
        """The whole waiting time that holds for the key at present."""
        entry = self._entries.get(key)
        return entry.seconds if entry else 0.0
