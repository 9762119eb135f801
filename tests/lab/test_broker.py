"""What the suite takes simple-kbs' answers for."""

from __future__ import annotations

from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest

from lab.broker import Broker, refused_for_good
from lab.errors import NotProven, Unreachable
from lab.kbs.service import OnlineAnswer

UNKNOWN = "Connection not found: no rows returned by a query that expected to return at least one row"
LOST = "Connection not found: error communicating with database: No route to host (os error 113)"


def broker(answer: OnlineAnswer | Unreachable) -> Broker:
    def get_online_secret(*_: str) -> OnlineAnswer:
        if isinstance(answer, Unreachable):
            raise answer
        return answer

    nothing: Any = SimpleNamespace(kbs=SimpleNamespace(key_id="key_id1"))
    made = Broker(
        lab=nothing, profile=nothing, host=nothing, password=nothing, open_until=ExitStack(), record=nothing
    )
    made.__dict__["service"] = SimpleNamespace(get_online_secret=get_online_secret)
    return made


def test_a_refusal_of_its_own_is_an_answer() -> None:
    broker(OnlineAnswer("INTERNAL", UNKNOWN)).require_answer()


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (Unreachable("kbs", "refused"), "simple-kbs does not answer: refused"),
        (
            OnlineAnswer("DEADLINE_EXCEEDED", "too late"),
            "simple-kbs does not answer: DEADLINE_EXCEEDED too late",
        ),
        (OnlineAnswer("INTERNAL", LOST), f"simple-kbs does not reach its database: {LOST}"),
    ],
)
def test_none_is_the_business_of_the_clause_that_owns_it(
    answer: OnlineAnswer | Unreachable, cause: str
) -> None:
    with pytest.raises(NotProven) as refused:
        broker(answer).require_answer()
    assert (refused.value.cause, refused.value.owner) == (cause, "K-1.3")


@pytest.mark.parametrize(
    ("answer", "for_good"),
    [
        (OnlineAnswer("INTERNAL", "Policy validation failed: fw digest not valid"), True),
        (OnlineAnswer("INTERNAL", LOST), False),
        (OnlineAnswer("INTERNAL", "Cannot fulfill secret request: pool timed out while waiting"), False),
        (OnlineAnswer("UNAVAILABLE", "failed to connect"), False),
        (OnlineAnswer("OK", ""), False),
    ],
)
def test_a_failure_of_its_database_is_no_considered_refusal(answer: OnlineAnswer, *, for_good: bool) -> None:
    assert refused_for_good(answer) is for_good
