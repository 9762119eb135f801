"""Runs over time: flakes, what is kept, the page; and a run in a few lines."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lab.verdict import Verdict
from reports.__main__ import main
from reports.history.flakes import flakes
from reports.history.keeping import superfluous
from reports.history.reading import read
from reports.summary import summary
from tests.reports.certified import STARTED, results, scenario
from tests.reports.visible import visible

if TYPE_CHECKING:
    from pathlib import Path

    from reports.model import Results

HOSTILE = "</h2><script>alert(1)</script>"


def _made(runs: Path, number: int, verdict: Verdict, **fields: Any) -> Results:
    """The run of one night."""
    made = results(scenario("s", "W-1.2", verdict=verdict, reason="it broke"), **fields)
    made.run.id = f"2026110{number}T030405Z-aaaaa{number}"
    made.run.started = STARTED + timedelta(days=number)
    made.answer.all_proved = verdict is Verdict.PASSED
    folder = runs / made.run.id
    folder.mkdir(parents=True)
    (folder / "results.json").write_text(made.model_dump_json(), encoding="utf-8")
    return made


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "reports" / "runs"


def test_another_verdict_without_another_cause_is_chance(runs: Path) -> None:
    for number, verdict in enumerate([Verdict.PASSED, Verdict.FAILED, Verdict.PASSED, Verdict.PASSED]):
        _made(runs, number, verdict)
    (found,) = flakes(read(runs).runs)
    assert (found.scenario, found.changes, found.pairs) == ("s", 2, 3)
    assert found.verdicts == (Verdict.PASSED, Verdict.FAILED)


@pytest.mark.parametrize(
    "other",
    [{"versions": {"kernel": "5.10.2"}}, {"lab": {"name": "sev-2"}}, {"lab": {"name": "sev-1", "pins": {}}}],
    ids=["versions", "lab", "pins"],
)
def test_another_verdict_with_another_lab_or_version_is_none(runs: Path, other: dict[str, Any]) -> None:
    _made(runs, 0, Verdict.PASSED)
    _made(runs, 1, Verdict.FAILED, **other)
    assert flakes(read(runs).runs) == []


def test_a_disturbed_run_is_no_chance(runs: Path) -> None:
    _made(runs, 0, Verdict.PASSED)
    made = _made(runs, 1, Verdict.BROKEN)
    made.run.interrupted = True
    (runs / made.run.id / "results.json").write_text(made.model_dump_json())
    assert flakes(read(runs).runs) == []


def test_what_is_kept(runs: Path) -> None:
    verdicts = [
        Verdict.PASSED,
        Verdict.FAILED,
        Verdict.PASSED,
        Verdict.FAILED,
        Verdict.FAILED,
        Verdict.FAILED,
    ]
    made = [_made(runs, number, verdict).run.id for number, verdict in enumerate(verdicts)]
    (runs / made[0] / "certificate.json").touch()
    history = read(runs)
    assert [run.id for run in superfluous(history, 1)] == [made[1], made[3], made[4]]
    assert [run.id for run in superfluous(history, 1, runs / made[3])] == [made[1], made[4]]
    assert superfluous(history, 6) == []


def test_the_command_deletes_by_the_rule_and_leaves_what_is_no_run(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = [_made(runs, number, Verdict.PASSED, lab={"name": HOSTILE}).run.id for number in range(3)]
    (runs / "goes-on").mkdir()
    (runs / "broken").mkdir()
    (runs / "broken" / "results.json").write_text("{")
    (tmp_path / "elsewhere").mkdir()
    (runs / "link").symlink_to(tmp_path / "elsewhere")
    assert main(["history", str(runs), "--keep", "1"]) == 0
    said = capsys.readouterr().out
    assert sorted(path.name for path in runs.iterdir()) == [made[2], "broken", "goes-on", "link"]
    assert f"deleted {made[0]}" in said
    assert "left out: broken: results.json is not JSON" in said
    html = (runs.parent / "history.html").read_text(encoding="utf-8")
    assert HOSTILE not in html
    assert f'href="runs/{made[2]}/index.html"' in html
    assert "History of runs" in visible(html)
    assert "运行历史" in visible(html, "zh")


@pytest.mark.parametrize("arguments", [["--keep", "0"], ["no-such-folder"]])
def test_a_mistake_deletes_nothing(
    runs: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    made = _made(runs, 0, Verdict.PASSED)
    assert main(["history", *(arguments if arguments[0] != "--keep" else [str(runs), *arguments])]) == 4
    assert capsys.readouterr().err
    assert (runs / made.run.id).is_dir()


def test_a_summary_says_whom_it_concerns(runs: Path) -> None:
    failed = _made(runs, 0, Verdict.FAILED)
    assert summary(failed).startswith(
        "PRODUCT FAILED: sev-1, Anolis OS 8.6, Confidential Containers v0.3.0\n"
    )
    assert summary(_made(runs, 1, Verdict.BROKEN)).startswith("NOT PROVED (lab or suite): ")
    good = summary(_made(runs, 2, Verdict.PASSED), link="https://example.org/")
    assert good.startswith("PROVED: ")
    assert "Not certified (" in good  # of one scenario only
    assert good.endswith(": https://example.org/")
    assert "Not certified" not in summary(results())
