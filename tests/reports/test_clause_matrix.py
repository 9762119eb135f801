"""The matrix: what the scenarios of a run say of each clause of the guide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.verdict import Verdict
from reports.clauses import Catalogue, scenarios_per_clause
from reports.model import ClauseResult, Evidence, ScenarioResult

if TYPE_CHECKING:
    from pathlib import Path

CLAUSES = """
[guide]
title = "Guide"
url = "https://example.org/guide.md"
[guide.sections]
"one" = "first"
"two" = "second"
[[clause]]
id = "W-1.1"
outcome = "it runs"
section = "one, two"
kind = "workload"
[[clause]]
id = "W-1.2"
outcome = "it stays"
section = "two"
kind = "state"
[[clause]]
id = "X-1.1"
outcome = "it shines"
section = "two"
kind = "advisory"
[[erratum]]
clauses = ["W-1.2"]
section = "two"
guide = "says so"
suite = "does otherwise"
"""
FEATURE = """\
Feature: Images
  @W-1.1
  Scenario: One
    Given a lab

  @W-1.1 @W-1.2
  Scenario Outline: Each
    Given a <thing>

    Examples:
      | thing |
      | a     |
      | b     |
"""

FACTS = """
[[fact]]
id = "images-run"
what = "images run"
source = "somebody's source"
standing = "read in the source"
clauses = ["W-1.1"]
simlab = ["simlab/images"]
"""


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    (tmp_path / "clauses.toml").write_text(CLAUSES, encoding="utf-8")
    (tmp_path / "images.feature").write_text(FEATURE, encoding="utf-8")
    (tmp_path / "torn.feature").write_text("Scenario: of no feature", encoding="utf-8")
    (tmp_path / "facts.toml").write_text(FACTS, encoding="utf-8")
    return Catalogue(tmp_path / "clauses.toml", features=tmp_path, facts=tmp_path / "facts.toml")


def ran(name: str, verdict: Verdict = Verdict.PASSED, reason: str = "") -> ScenarioResult:
    evidence = [Evidence(name="output", file=f"evidence/{name}/1.txt", media_type="text/plain", size=1)]
    clauses = ["W-1.1"] if name == "one" else ["W-1.1", "W-1.2"]
    return ScenarioResult(
        id=name, name=name, feature="Images", file="images.feature", line=1, clauses=clauses,
        verdict=verdict, reason=reason, evidence=evidence,
    )  # fmt: skip


def judged(catalogue: Catalogue, *scenarios: ScenarioResult) -> dict[str, ClauseResult]:
    return {clause.id: clause for clause in catalogue.judge(scenarios)}


def test_examples_count_each(tmp_path: Path, catalogue: Catalogue) -> None:
    assert scenarios_per_clause(tmp_path) == {"W-1.1": 3, "W-1.2": 2}


def test_a_clause_is_proved_by_all_of_its_scenarios(catalogue: Catalogue) -> None:
    clauses = judged(catalogue, ran("one"), ran("each-a"), ran("each-b"))
    assert clauses["W-1.1"].model_dump(mode="json") == {
        "id": "W-1.1",
        "outcome": "it runs",
        "section": "one, two",
        "links": ["https://example.org/guide.md#first", "https://example.org/guide.md#second"],
        "kind": "workload",
        "advisory": False,
        "verdict": "passed",
        "reason": "",
        "scenarios": ["one", "each-a", "each-b"],
        "evidence": ["evidence/one/1.txt", "evidence/each-a/1.txt", "evidence/each-b/1.txt"],
        "facts": [{"id": "images-run", "what": "images run", "standing": "read in the source"}],
    }
    assert clauses["X-1.1"].advisory


def test_a_clause_without_a_verdict_says_why(catalogue: Catalogue) -> None:
    clauses = judged(catalogue, ran("one"))
    assert (clauses["W-1.2"].verdict, clauses["W-1.2"].reason) == (None, "not selected")
    assert (clauses["X-1.1"].verdict, clauses["X-1.1"].reason) == (None, "no scenario names it")


def test_some_of_its_scenarios_do_not_prove_a_clause(catalogue: Catalogue) -> None:
    clause = judged(catalogue, ran("one"), ran("each-a"))["W-1.1"]
    assert (clause.verdict, clause.reason) == (Verdict.NOT_PROVEN, "1 of its 3 scenarios not selected")


def test_a_clause_that_is_broken_says_by_what(catalogue: Catalogue) -> None:
    failed = ran("each-a", Verdict.FAILED, "the digest differs")
    clause = judged(catalogue, ran("one"), failed)["W-1.1"]
    assert (clause.verdict, clause.reason) == (Verdict.FAILED, "the digest differs")


def test_an_erratum_leads_to_its_section(catalogue: Catalogue) -> None:
    [erratum] = catalogue.errata
    assert erratum.links == ["https://example.org/guide.md#second"]
