"""What xdist's workers write, and what the controller reads of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reports.clauses import Catalogue
from reports.events import Journal, JournalReader, Planned, Started
from reports.folder import RunFolder
from reports.model import ScenarioResult
from reports.publisher import WorkerJournals
from reports.run import Run

if TYPE_CHECKING:
    from pathlib import Path


def test_the_last_word_of_a_worker_is_read_before_the_run_is_closed(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "runs")
    worker_input: dict[str, Any] = {}
    folder.tell_worker(worker_input)
    run = Run(folder.id, lab={}, profile={}, catalogue=Catalogue())
    journals = WorkerJournals(folder, run)
    journals.follow()
    journal = Journal(RunFolder.of_worker(worker_input).journal("gw0"))
    scenario = ScenarioResult(id="f::s", name="s", feature="f", file="f.feature", line=1)
    journal(Planned(scenarios=[scenario]))
    journal(Started(scenario="f::s"))
    journal.close()
    journals.stop()
    assert run.scenarios == {"f::s": scenario}
    assert list(run.under_way) == ["f::s"]
    folder.drop_journals()
    assert list(folder.path.iterdir()) == []


def test_a_line_that_its_writer_did_not_end_is_left(tmp_path: Path) -> None:
    path = tmp_path / "gw0.jsonl"
    line = '{"event":"started","scenario":"s"}\n'
    path.write_text(line + line[:10])
    read = JournalReader(path)
    assert list(read()) == [Started(scenario="s")]
    assert list(read()) == []
    path.write_text(line + line)
    assert list(read()) == [Started(scenario="s")]


def test_latest_is_the_newest_run(tmp_path: Path) -> None:
    for _ in range(2):
        folder = RunFolder.create(tmp_path / "reports" / "runs")
        folder.publish()
        assert (tmp_path / "reports" / "latest").resolve() == folder.path
