"""Advisory clauses: they fail like others, are listed as findings, and decide nothing."""

from __future__ import annotations

import html
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from lab.verdict import Verdict
from reports.clauses import FINDINGS, Catalogue
from reports.model import ScenarioResult
from tests.reports.small_suite import allure

if TYPE_CHECKING:
    from tests.reports.small_suite import Suite

ROOT = Path(__file__).parents[2]
ADVICE = """\
Feature: One machine

  Scenario: Holds
    Given a lab
    Then it holds

  @X-2.1
  Scenario: advice
    Given a lab
    Then it does not hold
"""


def test_advice_that_does_not_hold_is_a_finding_everywhere_and_a_cause_nowhere(suite: Suite) -> None:
    suite.write(ADVICE)
    left = suite.run()
    assert left.exit_code == 0
    assert left.scenario("advice").verdict is Verdict.FAILED
    assert left.results.causes == []
    [finding] = left.scenario("advice").findings
    assert (finding.clause, finding.detail) == ("X-2.1", "the product broke it")
    assert finding.title == "The KBS gives keys away when their policy is broken"
    assert finding.meaning
    assert finding.remedy

    ending = left.output.partition("Findings: they decide nothing")[2]
    assert f"{finding.title} (X-2.1)" in ending
    assert "Seen: the product broke it" in ending
    assert f"Do: {finding.remedy}" in ending
    page = html.unescape((left.folder / "index.html").read_text(encoding="utf-8")).replace("<code>", "`")
    for text in (finding.title, finding.meaning, finding.remedy.partition(" (")[0]):
        assert text in page
    told = allure(left)["advice"]
    assert told["status"] == "failed"
    assert finding.meaning in told["description"]
    assert {"name": "tag", "value": "advisory"} in told["labels"]
    assert left.junit().get("failures") == "0"
    assert left.junit().get("skipped") == "1"


def test_advice_alone_proves_nothing(suite: Suite) -> None:
    suite.write(ADVICE)
    left = suite.run("-k", "advice")
    assert left.exit_code == 6
    assert "Nothing is proved: no selected scenario decides." in left.output


def test_every_advisory_clause_has_words_for_a_release_manager() -> None:
    advisory = {clause.id for clause in Catalogue().judge([]) if clause.advisory}
    for clause in advisory:
        scenario = ScenarioResult(id="f::s", name="s", feature="f", file="f", line=1, clauses=[clause])
        [finding] = Catalogue().findings(scenario)
        assert finding.meaning, clause
        assert finding.remedy, clause
    entries = tomllib.loads(FINDINGS.read_text(encoding="utf-8"))["finding"]
    assert {entry["clause"] for entry in entries if "clause" in entry} == advisory
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "lab").rglob("*.py"))
    names = [entry["id"] for entry in entries if "clause" not in entry]
    assert [name for name in names if f'"{name}"' not in sources] == []
    assert set(re.findall(r'\bfinding\(\s*"([\w-]+)"', sources)) <= set(names)
