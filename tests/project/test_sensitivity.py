"""The sensitivity matrix: how a run under a fault is judged, and that what is published is true."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from simlab.faults.catalogue import faults, named
from tools.sensitivity import matrix
from tools.sensitivity.__main__ import share
from tools.sensitivity.judging import CONTROL, Row, is_current, judge, judge_control

CLAUSES = Path(__file__).parents[2] / "docs/clauses.toml"
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


def test_a_share_rotates_over_the_faults_that_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    names = list(faults())[:5]
    rows = {name: judge(named(name), results(RED)) for name in names}
    good = {name: replace(row, caught=True, clause=True, cause=True, alarms=[]) for name, row in rows.items()}
    bad = {names[2]: replace(good[names[2]], caught=False)}
    monkeypatch.setattr(matrix, "read", lambda: good | bad)
    seen = [{fault.name for fault in share(2, day)} for day in (0, 1)]
    assert sorted(name for day in seen for name in day) == sorted(set(names) - set(bad))
    assert share(2, 0) == share(2, 2)


def test_a_row_holds_while_its_fault_says_the_same_and_asks_for_no_other_features() -> None:
    fault = replace(FAULT, features=("3", "4_1"))
    row = judge(fault, results(RED))
    row = replace(row, expected=json.loads(json.dumps(row.expected)))
    assert is_current(row, fault)
    assert is_current(row, replace(fault, features=("3",)))
    assert not is_current(row, replace(fault, features=("3", "5")))
    assert not is_current(row, replace(fault, features=()))
    assert not is_current(row, replace(fault, cause="another"))


def published() -> dict[str, Row]:
    return matrix.read()


def test_every_row_has_a_fault() -> None:
    assert set(published()) <= {CONTROL, *faults()}, "run: tox -e sensitivity -- --page"


def test_every_fault_was_tried_and_met_as_it_should_be() -> None:
    rows = published()
    assert [name for name in faults() if name not in rows] == [], "run: tox -e sensitivity -- NAME"
    assert [row.fault for row in rows.values() if not row.good and not row.expected.get("uncaught")] == []


def test_every_clause_has_a_fault_or_is_red_without_one() -> None:
    """The findings of the product itself (X-2) need no fault to be noticed."""
    clauses = {each["id"] for each in tomllib.loads(CLAUSES.read_text(encoding="utf-8"))["clause"]}
    broken = {clause for fault in faults().values() for clause in fault.clauses}
    assert clauses - broken == {"X-2.1"}


def test_every_row_is_of_the_fault_as_it_is() -> None:
    stale = [
        row.fault
        for row in published().values()
        if row.fault in faults() and not is_current(row, named(row.fault))
    ]
    assert stale == [], "run: tox -e sensitivity -- NAME"


def test_the_page_is_that_of_the_rows() -> None:
    told = matrix.PAGE.read_text(encoding="utf-8")
    assert told == matrix.page(list(published().values())), "run: python -m tools.sensitivity --page"
