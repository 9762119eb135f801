"""The page of a run."""

from __future__ import annotations

import dataclasses
import re
import time
from typing import TYPE_CHECKING

import pytest

from lab.record import Finding, Operation
from lab.secret import Redactor
from lab.verdict import Verdict
from reports import page
from reports.clauses import Catalogue
from reports.events import Finished, Planned, SessionChanged, Started
from reports.evidence import EvidenceStore
from reports.model import Results, ScenarioResult, SessionFacts, StepResult
from reports.run import Run
from tests.reports.visible import visible

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = '</pre><script>alert("x")</script>'


def _operation(index: int) -> Operation:
    """An operation of another kind for each scenario."""
    operation = Operation("install", "looked", "before", "after", True, "verified", "undone")
    match index % 5:
        case 1:
            return dataclasses.replace(operation, failed="it hung")
        case 2:
            return dataclasses.replace(operation, kind="borrowed")
    return operation


def _results(folder: Path, *, number: int, evidence: int = 1, size: int = 10) -> Results:
    """A run of so many scenarios, of all verdicts in turn."""
    run = Run(
        "r1",
        lab={"name": "small & fine", "platform": {"root": "ark.pem"}},
        profile={"name": "p", "title": "Profile"},
        catalogue=Catalogue(),
    )
    store = EvidenceStore(folder, Redactor())
    for index in range(number):
        verdict = list(Verdict)[index % len(Verdict)]
        scenario = ScenarioResult(
            id=f"f::s{index}", name=f"scenario {index}", feature="feature", file="f.feature", line=index,
            clauses=["W-1.2"] if index == 0 else [], verdict=verdict, reason=HOSTILE if index else "",
            steps=[StepResult(keyword="Given", text="a <lab>", line=1, verdict=verdict, seconds=1.5)],
            operations=[_operation(index)],
        )  # fmt: skip
        for piece in range(evidence):
            entry, _ = store.keep(scenario.id, piece + 1, "output", HOSTILE + "x" * size + "the end")
            entry.step = 0
            scenario.evidence.append(entry)
        run.apply(Planned(scenarios=[scenario]))
        run.apply(Started(scenario=scenario.id))
        run.apply(Finished(scenario=scenario))
    entry, _ = store.keep("session", 1, "digest", bytes(range(256)) * 2)
    run.apply(
        SessionChanged(
            process="main",
            facts=SessionFacts(
                versions={"kubernetes": "v1.24.0"},
                findings=[Finding("debugging is allowed", "policy 0", "X-2.3")],
                evidence=[entry],
            ),
        )
    )
    run.close()
    return run.results(exit_code=1, arguments=["features"])


@pytest.fixture
def html(tmp_path: Path) -> str:
    page.write(_results(tmp_path, number=5), tmp_path, "index.html")
    return (tmp_path / "index.html").read_text(encoding="utf-8")


def test_it_needs_nothing_but_itself(html: str) -> None:
    # A link to the guide is for a reader to follow; nothing is loaded from it.
    loaded = html.replace(f'<a href="{Catalogue().guide.url}', "<a")
    assert not re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?(?:https?:)?//""", loaded)
    assert "@import" not in html
    assert "<link" not in html


def test_it_says_all_that_a_stranger_asks(html: str) -> None:
    text = visible(html)
    for words in (
        "1 of 4 scenarios proved.",
        "small & fine",
        "the lab's own: says nothing about AMD hardware",
        "kubernetes v1.24.0",
        "an unencrypted nginx pod with RuntimeClass kata is Running 1/1",
        "without a verdict: not selected",
        "1 file of evidence",
        "debugging is allowed",
        "systemctl containerd start",
        "Shown: the first 256 bytes.",
        "00 01 02 03",
        *Verdict,
    ):
        assert words in text
    assert text.count("no verdict") == len(Catalogue().ids()) - 1
    # The ledger, by what came of each operation; what is left is folded away.
    groups = ["Failed 1", "Changed, to last 3", "Borrowed, and given back 1"]
    assert [group for group in groups if group in text] == groups
    assert "Failed it hung Looked at looked Before before After after" in text


def test_it_shows_what_it_was_given_as_text(html: str) -> None:
    assert HOSTILE not in html
    assert "a &lt;lab&gt;" in html


def test_every_link_leads_somewhere(html: str, tmp_path: Path) -> None:
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    for target in re.findall(r'href="([^"]+)"', html):
        if target.startswith("#"):
            assert target[1:] in ids
        elif target.startswith("evidence/"):
            assert (tmp_path / target).is_file()


def test_many_scenarios_with_much_evidence_stay_quick(tmp_path: Path) -> None:
    results = _results(tmp_path, number=200, evidence=8, size=50_000)
    began = time.monotonic()
    page.write(results, tmp_path, "index.html")
    assert time.monotonic() - began < 20  # a second, but for a busy machine
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert len(text) < 6_000_000
    assert "characters left out" in text
    assert "the end" in text
