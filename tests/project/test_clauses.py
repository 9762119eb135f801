"""Traceability: every clause of the guide has a scenario, and the list of clauses is whole and in order."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from reports.clauses import scenarios_per_clause

ROOT = Path(__file__).parents[2]
DOCUMENT: dict[str, Any] = tomllib.loads((ROOT / "docs/clauses.toml").read_text(encoding="utf-8"))
CLAUSES: list[dict[str, str]] = DOCUMENT["clause"]
ERRATA: list[dict[str, Any]] = DOCUMENT["erratum"]
GUIDE: dict[str, Any] = DOCUMENT["guide"]
IDS = [clause["id"] for clause in CLAUSES]

# The guide's promises, in its order; X goes beyond it. A clause that is dropped by mistake is missed here.
WANTED = """
P-1.1 P-2.1 P-2.2 P-3.1 P-3.2 P-3.3 P-3.4 P-3.5
C-1.1 C-1.2 C-2.1 C-3.1 C-3.2 C-4.1 C-4.2 C-4.3 C-5.1 C-5.2
O-1.1 O-1.2 O-2.1 O-2.2 O-2.3 O-3.1 O-3.2 O-4.1 O-4.2
K-1.1 K-1.2 K-1.3 K-1.4 K-1.5
W-1.1 W-1.2 W-1.3 W-2.1 W-2.2 W-3.1 W-3.2 W-3.3 W-3.4 W-4.1 W-4.2 W-4.3 W-4.4 W-4.5 W-5.1 W-5.2
A-1.1 A-2.1 A-2.2 A-2.3 A-2.4 A-2.5 A-2.6 A-2.7 A-2.8
X-1.1 X-2.1 X-2.2 X-2.3 X-3.1
"""
KINDS = {"state", "workload", "refusal"}


@pytest.fixture(scope="module")
def without_scenario() -> set[str]:
    named = scenarios_per_clause(ROOT / "features")
    return {clause for clause in IDS if not named[clause]}


def test_the_list_has_the_guide_s_clauses_in_its_order() -> None:
    assert WANTED.split() == IDS


def test_every_clause_has_a_scenario(without_scenario: set[str]) -> None:
    assert sorted(without_scenario) == [], "no scenario names these clauses"


def test_every_tag_names_a_clause() -> None:
    assert sorted(set(scenarios_per_clause(ROOT / "features")) - set(IDS)) == [], "tags that name no clause"


@pytest.mark.parametrize("clause", CLAUSES, ids=IDS)
def test_a_clause_says_what_it_promises_and_where(clause: dict[str, str]) -> None:
    assert set(clause) == {"id", "outcome", "section", "kind"}
    assert clause["outcome"].strip()
    assert clause["kind"] == "advisory" if clause["id"].startswith("X-") else clause["kind"] in KINDS


@pytest.mark.parametrize("erratum", ERRATA, ids=lambda erratum: erratum["guide"][:40])
def test_an_erratum_names_the_clauses_that_it_touches(erratum: dict[str, Any]) -> None:
    assert set(erratum) == {"clauses", "section", "guide", "suite"}
    assert erratum["clauses"]
    assert set(erratum["clauses"]) <= set(IDS)
    assert erratum["guide"].strip()
    assert erratum["suite"].strip()


def test_each_section_has_its_place_in_the_published_guide() -> None:
    named = {name for entry in [*CLAUSES, *ERRATA] for name in entry["section"].split(", ")}
    assert named == set(GUIDE["sections"])
    # A link to a branch would lead to other words one day.
    assert re.search(r"/blob/[0-9a-f]{40}/", GUIDE["url"])
