"""Two runs beside each other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from lab.record import Finding, Operation
from lab.verdict import Verdict
from reports.__main__ import main
from reports.comparison.compare import compare, turned
from reports.comparison.durations import ENOUGH_PAIRS
from reports.comparison.model import Comparison, Turn
from reports.comparison.words import headline, text
from reports.model import Results, ScenarioResult, SessionFacts
from tests.reports.certified import results, scenario
from tests.reports.visible import visible

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = '</pre><script>alert("x")</script>\x1b[2J'
OLD_ID, NEW_ID = "20261102T030405Z-aaaaaa", "20261103T030405Z-bbbbbb"


def _run(identifier: str, *scenarios: ScenarioResult, **fields: Any) -> Results:
    made = results(*scenarios, **fields)
    made.run.id = identifier
    return made


def _of(scenarios: dict[str, Verdict]) -> list[ScenarioResult]:
    return [
        scenario(name, "X-2.1" if name == "advice" else "W-1.2", verdict=verdict, reason="it broke")
        for name, verdict in scenarios.items()
    ]


def _compared(old: dict[str, Verdict], new: dict[str, Verdict]) -> Comparison:
    return compare(_run(OLD_ID, *_of(old)), _run(NEW_ID, *_of(new)))


@pytest.mark.parametrize(
    ("old", "new", "turn"),
    [
        (Verdict.PASSED, Verdict.PASSED, None),
        (Verdict.PASSED, Verdict.FAILED, Turn.RED),
        (Verdict.PASSED, Verdict.BROKEN, Turn.RED),
        (Verdict.PASSED, Verdict.NOT_PROVEN, Turn.RED),
        (Verdict.PASSED, Verdict.NOT_APPLICABLE, Turn.OTHER),
        (Verdict.PASSED, None, Turn.GONE),
        (Verdict.FAILED, Verdict.PASSED, Turn.GREEN),
        (Verdict.NOT_PROVEN, Verdict.FAILED, Turn.OTHER),
        (None, Verdict.PASSED, Turn.NEW),
        (None, Verdict.FAILED, Turn.NEW_RED),
        (None, None, None),
    ],
)
def test_how_a_verdict_turns(old: Verdict | None, new: Verdict | None, turn: Turn | None) -> None:
    assert turned(old, new) is turn


def test_the_worst_stands_first_and_one_cause_once() -> None:
    found = _compared(
        {"a": Verdict.FAILED, "b": Verdict.PASSED, "c": Verdict.PASSED, "gone": Verdict.PASSED},
        {"a": Verdict.PASSED, "b": Verdict.FAILED, "c": Verdict.FAILED, "new": Verdict.PASSED},
    )
    assert headline(found) == "2 turned red, 1 gone, 1 turned green, 1 new."
    assert found.worse
    assert [each.turn for each in found.scenarios] == [Turn.RED, Turn.RED, Turn.GONE, Turn.GREEN, Turn.NEW]
    told = text(found)
    assert told.count("it broke\n    b (W-1.2, passed → failed)\n    c (W-1.2, passed → failed)") == 1


def test_clauses_turn_with_their_scenarios() -> None:
    found = _compared({"a": Verdict.PASSED}, {"a": Verdict.FAILED})
    assert [(each.id, each.turn, each.reason) for each in found.clauses] == [("W-1.2", Turn.RED, "it broke")]


def test_what_is_advisory_makes_no_run_worse() -> None:
    found = _compared(
        {"a": Verdict.PASSED, "advice": Verdict.PASSED}, {"a": Verdict.PASSED, "advice": Verdict.FAILED}
    )
    assert not found.worse
    assert headline(found) == "No scenario that decides has another verdict."
    assert "advisory: decides nothing" in text(found)


def test_what_changed_in_the_lab() -> None:
    arguments = "root=/dev/vda1 ro crashkernel=auto quiet mem_encrypt=on kvm_amd.sev=1 audit=1"
    label = Operation("label the node", "l", "none", "anolis", True, "v", "u")
    lab = {
        "name": "sev-1",
        "ssh": {"port": 2222},
        "pins": {"kernel": "aa"},
        "platform": {"root": "/old/root"},
    }
    old = _run(OLD_ID, lab=lab, versions={"kernel": "5.10.1", "kernel arguments": f"{arguments} debug"})
    new = _run(
        NEW_ID,
        lab=lab | {"ssh": {"port": 2223}, "pins": {"kernel": "bb"}, "platform": {"root": "/new/root"}},
        versions={"kernel": "5.10.2", "kernel arguments": f"{arguments} nosmt"},
        session=SessionFacts(operations=[label], findings=[Finding("it leaks", "seen", "X-2.3")]),
    )
    found = compare(old, new)
    told = {(each.kind, each.name): (each.old, each.new) for each in found.lab if each.kind != "platform"}
    assert told.pop(("versions", "kernel arguments")) is not None
    assert told == {
        ("versions", "kernel"): ("5.10.1", "5.10.2"),
        ("lab file", "pins.kernel"): ("aa", "bb"),
        ("operations", "label the node"): (None, "changed: none → anolis"),
    }
    arguments_changed = next(each for each in found.lab if each.name == "kernel arguments")
    assert (arguments_changed.added, arguments_changed.removed) == (["nosmt"], ["debug"])
    assert [finding.title for finding in found.findings_new] == ["it leaks"]
    assert "another chip" not in text(found)
    assert {each.name for each in found.lab if each.kind == "platform"} == {
        "chip (SHA-256 of the CEK)",
        "root (SHA-256 of the ARK)",
    }


def test_a_busy_machine_is_no_change_and_a_slow_scenario_is() -> None:
    names = [f"s{number}" for number in range(ENOUGH_PAIRS)]
    old = [scenario(name, "W-1.2", seconds=10.0 + place) for place, name in enumerate(names)]
    new = [scenario(name, "W-1.2", seconds=(10.0 + place) * 1.5) for place, name in enumerate(names)]
    calm = compare(_run(OLD_ID, *old), _run(NEW_ID, *new)).durations
    assert (calm.compared, calm.pace, calm.beyond) == (len(names), 1.5, [])
    new[3].seconds *= 3
    slow = compare(_run(OLD_ID, *old), _run(NEW_ID, *new)).durations
    assert [(each.id, each.expected) for each in slow.beyond] == [("s3", 19.5)]


def test_few_pairs_only_tell_of_what_doubled() -> None:
    old = [scenario("a", "W-1.2", seconds=10), scenario("b", "W-1.2", seconds=10)]
    new = [scenario("a", "W-1.2", seconds=19), scenario("b", "W-1.2", seconds=21)]
    found = compare(_run(OLD_ID, *old), _run(NEW_ID, *new)).durations
    assert [each.id for each in found.beyond] == ["b"]


# The command.


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    """A run, and a later one in which something hostile turned red."""
    made = []
    for identifier, verdict in ((OLD_ID, Verdict.PASSED), (NEW_ID, Verdict.FAILED)):
        folder = tmp_path / identifier
        folder.mkdir()
        hostile = scenario("evil", "W-1.2", name=HOSTILE, verdict=verdict, reason=HOSTILE)
        document = _run(identifier, hostile, versions={HOSTILE: identifier}).model_dump_json()
        (folder / "results.json").write_text(document, encoding="utf-8")
        made.append(folder)
    return made[0], made[1]


def test_the_command_tells_prints_json_and_writes_a_page(
    runs: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "comparison.html"
    old, new = map(str, runs)
    assert main(["compare", old, new, "--html", str(page)]) == 1
    told = capsys.readouterr().out
    assert told.startswith("1 turned red.\n")
    assert "\x1b" not in told
    assert main(["compare", old, old, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert Comparison.model_validate(document).warnings == ["both are the same run"]
    html = page.read_text(encoding="utf-8")
    assert "<script>alert" not in html
    assert html.count("<script") == 1
    assert "Content-Security-Policy" in html
    assert "1 turned red" in visible(html)
    assert "1 个变红" in visible(html, "zh")
    assert "1 turned red" not in visible(html, "zh")


@pytest.mark.parametrize(
    ("damage", "code", "told"),
    [
        (lambda path: path.unlink(), 4, "it has no results.json"),
        (lambda path: path.write_text("{"), 1, "results.json is not JSON"),
        (lambda path: path.write_text('{"schema_version": 2}'), 1, "use the suite that wrote it, or a later"),
        (lambda path: path.write_text('{"schema_version": 1}'), 1, "does not fit its schema"),
        (lambda path: path.write_text("[" * 100_000), 1, "results.json"),
    ],
    ids=["no results", "no JSON", "newer", "incomplete", "nested"],
)
def test_what_is_no_run_is_refused_in_a_line(
    runs: tuple[Path, Path], capsys: pytest.CaptureFixture[str], damage: Any, code: int, told: str
) -> None:
    old, new = runs
    damage(new / "results.json")
    assert main(["compare", str(old), str(new)]) == code
    said = capsys.readouterr()
    assert told in said.err
    assert str(new) in said.err
    assert said.out == ""


def test_a_page_that_cannot_be_written_is_a_mistake(
    runs: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *map(str, runs), "--html", str(tmp_path)]) == 4
    assert f"--html {tmp_path}: it cannot be written: Is a directory" in capsys.readouterr().err
