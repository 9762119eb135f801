"""The sensitivity matrix: how a run under a fault is judged, and that what is published is true."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from simlab.faults.catalogue import faults, named
from tools.sensitivity import matrix
from tools.sensitivity.judging import CONTROL, Expected, Row, judge, judge_control

FAULT = replace(named("no-key"), clauses=("K-1.4",), also=("K-1.5",), cause="key_id1 is missing")


def scenario(name: str, clause: str, verdict: str, reason: str = "") -> dict[str, Any]:
    return {
        "id": name, "clauses": [clause], "verdict": verdict, "reason": reason, "detail": "", "cleanup": "",
    }  # fmt: skip


def results(*scenarios: dict[str, Any]) -> dict[str, Any]:
    clauses = [
        {"id": each["clauses"][0], "verdict": each["verdict"], "reason": each["reason"]} for each in scenarios
    ]
    proved = all(each["verdict"] == "passed" for each in scenarios)
    return {
        "scenarios": [*scenarios],
        "clauses": clauses,
        "run": {"seconds": 1.2},
        "answer": {"all_proved": proved},
    }


RED = scenario("key", "K-1.4", "failed", "the secret key_id1 is missing")


def test_a_fault_is_caught_by_its_clause_for_its_cause() -> None:
    row = judge(FAULT, results(RED, scenario("pod", "K-1.5", "not proven"), scenario("x", "X-2.1", "failed")))
    assert row.good
    assert (row.caught, row.clause, row.cause, row.alarms) == (True, True, True, [])


def test_a_fault_that_shows_nowhere_is_not_caught() -> None:
    row = judge(FAULT, results(scenario("key", "K-1.4", "passed")))
    assert (row.caught, row.clause, row.cause) == (False, False, False)
    assert row.missing == ["K-1.4 is passed"]


def test_another_cause_and_another_clause_are_told() -> None:
    other = judge(FAULT, results(RED | {"reason": "the database is down"}))
    assert (other.caught, other.clause, other.cause) == (True, True, False)
    assert other.missing == ["K-1.4: the database is down"]
    alarm = judge(FAULT, results(RED, scenario("host", "P-1.1", "failed", "why")))
    assert alarm.alarms == ["host"]
    assert not alarm.good


@pytest.mark.parametrize("broken", [True, False])
def test_broken_is_red_only_where_the_fault_says_so(broken: bool) -> None:
    row = judge(replace(FAULT, broken=broken), results(RED | {"verdict": "broken"}))
    assert row.good == broken
    assert row.alarms == ([] if broken else ["key"])


def test_the_control_is_good_where_all_is_proved() -> None:
    assert judge_control(results(scenario("a", "K-1.4", "passed"))).good
    assert not judge_control(results(scenario("a", "K-1.4", "failed"))).good


def published() -> dict[str, Row]:
    return matrix.read()


def test_every_row_has_a_fault() -> None:
    assert set(published()) <= {CONTROL, *faults()}, "run: tox -e sensitivity -- --page"


def test_every_row_is_of_the_fault_as_it_is() -> None:
    stale = [
        row.fault
        for row in published().values()
        if row.fault in faults()
        and row.expected != json.loads(json.dumps(vars(Expected.of(named(row.fault)))))
    ]
    assert stale == [], "run: tox -e sensitivity -- NAME"


def test_the_page_is_that_of_the_rows() -> None:
    told = matrix.PAGE.read_text(encoding="utf-8")
    assert told == matrix.page(list(published().values())), "run: python -m tools.sensitivity --page"
