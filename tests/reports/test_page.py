"""The page of a run."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
import time
from datetime import timedelta
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
from reports.sensitivity import Sensitivity
from reports.timeline import timeline
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


def test_it_begins_with_whether_it_may_be_certified_and_why_not(html: str) -> None:
    text = visible(html)
    assert text.index("Not certified.") < text.index("1 of 4 scenarios proved.") < text.index("Lab")
    assert "The run came to its end, and nothing disturbed it : it ended with exit code 1" in text


def test_it_is_in_the_language_that_is_chosen_and_in_no_other(html: str) -> None:
    chinese = visible(html, "zh")
    assert "4 个场景中 1 个得到证明。" in chinese
    assert "RuntimeClass 为 kata 的未加密 nginx pod 处于 Running 1/1" in chinese
    assert "scenarios proved" not in chinese
    assert "得到证明" not in visible(html)
    # The choice needs no script.
    style = html.split("<style>")[1].split("</style>", maxsplit=1)[0]
    assert "#chinese:checked ~ main .en { display: none; }" in style


def test_the_same_results_make_the_same_page(tmp_path: Path) -> None:
    results = _results(tmp_path, number=5)
    read = Results.model_validate_json(results.model_dump_json())
    assert page.made(read, tmp_path) == page.made(results, tmp_path)


def test_long_names_that_differ_at_their_end_have_evidence_of_their_own(tmp_path: Path) -> None:
    store = EvidenceStore(tmp_path, Redactor())
    name = "5_image::a new encrypted image runs with its own key and not with another with the {} KBC"
    files = {store.keep(name.format(kbc), 1, "pod", kbc)[0].file for kbc in ("online", "offline")}
    assert len(files) == 2
    assert all(len(file.split("/")[1]) == 80 for file in files)


def test_the_policy_lets_only_its_own_style_and_script_in(html: str) -> None:
    for kind in ("style", "script"):
        own = html.split(f"<{kind}>")[1].split(f"</{kind}>", maxsplit=1)[0]
        digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in html.replace("&#39;", "'")
    assert not re.search(r"<[^>]* (?:style|on\w+)=", html)


def test_the_timeline_has_a_lane_for_what_overlaps(tmp_path: Path) -> None:
    results = _results(tmp_path, number=3)
    start = results.run.started
    for scenario, (offset, seconds) in zip(results.scenarios, [(0, 10), (5, 10), (10, 5)], strict=True):
        scenario.started, scenario.seconds = start + timedelta(seconds=offset), seconds
    results.run.finished = start + timedelta(seconds=20)
    told = timeline(results)
    assert [[bar.id for bar in lane.bars] for lane in told.lanes] == [["f::s0", "f::s2"], ["f::s1"]]
    first = told.lanes[0].bars[1]
    assert (first.x, first.width) == (told.width // 2, told.width // 4)


def test_the_timeline_has_a_lane_for_each_host_and_worker(tmp_path: Path) -> None:
    results = _results(tmp_path, number=5)
    places = [("sev-1", None), ("sev-1", "gw0"), ("sev-1", "gw1"), ("sev-1", "gw0"), (None, "gw0")]
    for number, (scenario, place) in enumerate(zip(results.scenarios, places, strict=True)):
        scenario.started, scenario.seconds = results.run.started + timedelta(seconds=number), 1
        scenario.host, scenario.worker = place
    assert {lane.name: [bar.id for bar in lane.bars] for lane in timeline(results).lanes} == {
        "sev-1": ["f::s0"],
        "sev-1 · gw0": ["f::s1", "f::s3"],
        "sev-1 · gw1": ["f::s2"],
        "small & fine · gw0": ["f::s4"],
    }
    page.write(results, tmp_path, "index.html")
    text = visible((tmp_path / "index.html").read_text(encoding="utf-8"))
    assert "f.feature:2 · on sev-1 · gw1" in text


def test_sensitivity_leaves_out_what_is_red_without_a_fault(tmp_path: Path) -> None:
    assert Sensitivity(tmp_path)("f::s") is None
    for name, fault, verdicts in (
        ("a", "no fault", {"f::advice": "failed"}),
        ("b", "no-key", {"f::advice": "failed", "f::s": "failed", "f::t": "not proven"}),
    ):
        row = {"fault": fault, "expected": {"breaks": "the key"}, "verdicts": verdicts}
        (tmp_path / f"{name}.json").write_text(json.dumps(row))
    known = Sensitivity(tmp_path)
    assert [known(name) for name in ("f::s", "f::t", "f::advice")] == [{"no-key": "the key"}, {}, {}]


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


def test_a_page_of_very_many_pieces_only_names_what_did_not_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "PAGE_BUDGET", 5_000)
    page.write(_results(tmp_path, number=20), tmp_path, "index.html")
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert 'href="evidence/f-s0/"' in text  # passed: its folder
    assert 'href="evidence/f-s1/001-output.txt"' in text
    assert "the end" not in text
    assert "it hung" in visible(text)
    assert visible(text).count("Borrowed, and given back 4") == 1


def test_many_scenarios_with_much_evidence_stay_quick(tmp_path: Path) -> None:
    results = _results(tmp_path, number=200, evidence=8, size=50_000)
    began = time.monotonic()
    page.write(results, tmp_path, "index.html")
    assert time.monotonic() - began < 20  # a second, but for a busy machine
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert len(text) < 6_000_000
    assert "characters left out" in text
    assert "the end" in text
