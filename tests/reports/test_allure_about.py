"""What Allure is told beside the results."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from allure_commons.model2 import TestResult as AllureResult

from lab.verdict import Verdict
from reports.allure_about import links, severity, write_about
from reports.allure_results import STATUS, describe
from tests.reports.certified import results, scenario

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("clauses", "level"),
    [
        (["X-2.1"], "trivial"),
        (["P-1.1"], "normal"),
        (["W-1.3", "P-1.1"], "critical"),
        (["A-2.7"], "critical"),
    ],
)
def test_how_much_a_scenario_matters(clauses: list[str], level: str) -> None:
    assert severity(scenario("s", *clauses)).value == level


def test_it_leads_to_where_the_guide_says_it() -> None:
    told = links(scenario("s", "P-1.1", "W-1.3"))
    assert [link.name for link in told] == ["P-1.1 前提条件 1", "W-1.3 示例一", "W-1.3 背景信息"]
    assert all(link.url.startswith("https://") and "#" in link.url for link in told)


def test_a_history_goes_on_from_run_to_run() -> None:
    one, other = AllureResult(), AllureResult()
    describe(one, scenario("f::s", "W-1.2"))
    describe(other, scenario("f::s", "W-1.2", verdict=Verdict.FAILED, reason="it broke", seconds=3))
    assert one.historyId == other.historyId
    describe(other, scenario("f::other", "W-1.2"))
    assert one.historyId != other.historyId


@pytest.mark.parametrize(
    ("verdict", "reason", "whose"),
    [
        (Verdict.FAILED, "the pod runs", "Product"),
        (Verdict.BROKEN, "KeyError: 'spec'", "Suite"),
        (Verdict.BROKEN, "paramiko.ssh_exception.SSHException: no\nanswer", "Suite"),
        (Verdict.BROKEN, "the host was lost: connection reset", "Lab: lost"),
        (Verdict.NOT_PROVEN, "C-3.2 does not hold", "Lab: a precondition"),
        (Verdict.NOT_APPLICABLE, "no SEV-ES", "Not applicable"),
    ],
)
def test_whose_failure_it_is(tmp_path: Path, verdict: Verdict, reason: str, whose: str) -> None:
    folder = tmp_path / "allure-results"
    write_about(folder, results(versions={"OVMF = x": "1\n2"}))
    categories = json.loads((folder / "categories.json").read_text(encoding="utf-8"))
    assert json.loads((tmp_path / "allurerc.json").read_text(encoding="utf-8"))["categories"] == categories
    message = f"{verdict}: {reason}"
    first = next(
        each["name"]
        for each in categories
        if STATUS[verdict] in each["matchedStatuses"] and re.fullmatch(each["messageRegex"], message)
    )
    assert first.startswith(whose)
    assert "OVMF\\ \\=\\ x = 1 2\n" in (folder / "environment.properties").read_text(encoding="utf-8")
