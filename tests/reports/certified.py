"""The results of a run that breaks no rule of certification, for tests to break."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lab.certificates.roots import AMD
from lab.record import PlatformIdentity
from lab.verdict import Verdict
from reports.certification import Rules, judge
from reports.clauses import Catalogue
from reports.model import (
    Answer,
    Ledger,
    Results,
    RunFacts,
    ScenarioResult,
    SessionFacts,
    SuiteFacts,
)

ROOT = Path(__file__).parents[2]
STARTED = datetime(2026, 11, 2, 3, 4, 5, tzinfo=UTC)
HARDWARE = PlatformIdentity(chain="c" * 64, ark=AMD["Milan"], cek="1" * 64, pdh="2" * 64)


def scenario(identifier: str, *clauses: str, **fields: Any) -> ScenarioResult:
    known: dict[str, Any] = {
        "name": identifier,
        "feature": "f",
        "file": "f.feature",
        "line": 1,
        "clauses": list(clauses),
        "verdict": Verdict.PASSED,
        "attempts": 1,
    }
    return ScenarioResult(id=identifier, **(known | fields))


def results(*scenarios: ScenarioResult, **fields: Any) -> Results:
    """By default one scenario proves every clause, on hardware."""
    catalogue = Catalogue()
    chosen = list(scenarios) or [scenario("all", *catalogue.ids())]
    empty = Ledger(failed=0, changed=0, would_change=0, unchanged=0, borrowed=0)
    known: dict[str, Any] = {
        "run": RunFacts(
            id="20261102T030405Z-abcdef",
            started=STARTED,
            finished=STARTED + timedelta(seconds=60),
            seconds=60,
            interrupted=False,
            exit_code=0,
            arguments=[],
            problems=[],
        ),
        "answer": Answer(
            all_proved=True, selected=1, decided=1, proved=1, counts=dict.fromkeys(Verdict, 0), ledger=empty
        ),
        "suite": SuiteFacts(commit="a" * 40, dirty=False, python="3.11.7", packages={}),
        "lab": {"name": "sev-1"},
        "profile": {"name": "anolis-8.6-coco-0.3.0", "title": "Anolis OS 8.6, CoCo v0.3.0"},
        "versions": {"kernel": "5.10.134-13_rc2.an8.x86_64"},
        "session": SessionFacts(platforms=[HARDWARE]),
        "scenarios": chosen,
        "causes": [],
        "guide": catalogue.guide,
        "clauses": catalogue.judge(chosen),
        "errata": catalogue.errata,
    }
    whole = Results(**(known | fields))
    whole.certification = judge(whole, Rules.read())
    return whole
