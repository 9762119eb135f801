from __future__ import annotations

from lab.verdict import Verdict
from reports.clauses import Catalogue
from reports.model import ScenarioResult
from reports.pedigree import Standing


def test_a_clause_tells_the_facts_that_its_verdict_rests_on() -> None:
    scenario = ScenarioResult(
        id="f::s", name="s", feature="f", file="f", line=1, clauses=["X-2.1"], verdict=Verdict.PASSED
    )
    judged = {clause.id: clause for clause in Catalogue().judge([scenario])}
    standings = {fact.id: fact.standing for fact in judged["X-2.1"].facts}
    assert standings["kbs-fails-open"] is Standing.TRIED
    assert all(clause.facts for clause in judged.values())
