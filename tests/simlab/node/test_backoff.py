from __future__ import annotations

from simlab.node.backoff import Backoff


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_doubles_up_to_five_minutes_and_is_forgotten() -> None:
    clock = Clock()
    backoff = Backoff(clock=clock)
    assert backoff.remaining("x") == 0
    waits = []
    for _ in range(7):
        backoff.failed("x")
        waits.append(backoff.remaining("x"))
        clock.now += waits[-1]
    assert waits == [10, 20, 40, 80, 160, 300, 300]
    clock.now += 700
    backoff.failed("x")
    assert backoff.remaining("x") == 10


def test_counts_from_a_given_time() -> None:
    clock = Clock()
    backoff = Backoff(clock=clock)
    backoff.failed("x")
    assert backoff.remaining("x", since=995.0) == 5
    assert backoff.remaining("x", since=980.0) == 0
