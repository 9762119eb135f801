"""Each fact that the simulated lab imitates has a pedigree that holds: its places, clauses and standing."""

from __future__ import annotations

import tomllib
from pathlib import Path

from reports import pedigree
from reports.pedigree import Standing

ROOT = Path(__file__).parents[2]
FACTS = pedigree.facts()
CLAUSES = [
    clause["id"]
    for clause in tomllib.loads((ROOT / "docs/clauses.toml").read_text(encoding="utf-8"))["clause"]
]


def test_each_fact_has_a_name_of_its_own_and_a_place_in_the_simulated_lab() -> None:
    assert len({fact.id for fact in FACTS}) == len(FACTS)
    for fact in FACTS:
        assert fact.simlab, f"{fact.id} names no place"
        for place in fact.simlab:
            assert place.startswith("simlab/"), f"{fact.id} names {place}"
            assert (ROOT / place).exists(), f"{fact.id} names {place}, which is not there"


def test_each_fact_names_clauses_that_exist_and_each_clause_has_a_fact() -> None:
    named = {clause for fact in FACTS for clause in fact.clauses}
    assert named - set(CLAUSES) == set()
    assert set(CLAUSES) - named == set(), (
        "what does the suite expect of these, and where does it know it from?"
    )


def test_what_is_not_confirmed_says_why() -> None:
    for fact in FACTS:
        if fact.standing is Standing.NOT_CONFIRMED:
            assert fact.note or fact.source.startswith("the guide"), fact.id
