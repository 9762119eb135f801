"""Waiting for an object and its events until their state settles a question."""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING, Any, TypeVar

from lab.errors import DeadlineExceeded, LabError, Unreachable
from lab.last_seen import in_order, last_seen
from lab.record import Wait

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.deadline import Deadline
    from lab.record import Record
    from lab.watching import Objects

T = TypeVar("T")


class News:
    """What two feeds tell, in the order in which it came."""

    def __init__(self) -> None:
        self._queue: queue.Queue[tuple[str, Objects | LabError | str]] = queue.Queue()

    def of_object(self, told: Objects | LabError | str) -> None:
        """Take news of the object."""
        self._queue.put(("object", told))

    def of_events(self, told: Objects | LabError | str) -> None:
        """Take news of its events."""
        self._queue.put(("events", told))

    def next(self, seconds: float) -> tuple[str, Objects | LabError | str] | None:
        """The next news, or None when none comes in time."""
        try:
            return self._queue.get(timeout=max(seconds, 0.001))
        except queue.Empty:
            return None


def settle(
    news: News,
    settled: Callable[[dict[str, Any] | None, list[dict[str, Any]]], T | None],
    what: str,
    deadline: Deadline,
    record: Record,
) -> T:
    """What `settled` gives for the first state that it gives something for; see `Cluster.wait`."""
    known: dict[str, Objects] = {}
    hindrances: dict[str, str] = {}
    seen = "nothing yet"
    while True:
        hindrance = next(iter(hindrances.values()), None)
        record.waiting(Wait(what, deadline.elapsed, deadline.remaining, hindrance or seen))
        if deadline.expired:
            if hindrance:
                raise Unreachable("cluster", f"{hindrance}, while waiting for {what}; last seen: {seen}")
            raise DeadlineExceeded(f"waited {deadline.seconds:.0f} s for {what}; last seen: {seen}")
        # Once a second at least, whoever watches the run sees that the wait goes on.
        told = news.next(deadline.cap(1.0))
        if told is None:
            continue
        source, state = told
        if isinstance(state, LabError):
            raise state
        if isinstance(state, str):
            hindrances[source] = state
            continue
        hindrances.pop(source, None)
        known[source] = state
        if len(known) < 2:
            # An object without its events, or the other way round, would settle on half of the truth.
            continue
        current = next(iter(known["object"].values()), None)
        events = in_order(known["events"].values(), current)
        seen = last_seen(current, events)
        outcome = settled(current, events)
        if outcome is not None:
            return outcome
