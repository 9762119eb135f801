"""The folder of one run, and what lies where in it."""

from __future__ import annotations

import os
import secrets
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

LATEST: Final = "latest"
MAIN: Final = "main"  # the process of a run without xdist
_INPUT: Final = "run_folder"


@dataclass(frozen=True)
class RunFolder:
    """`reports/runs/<run>/`. The run's id is its start in UTC and six random hexadecimal digits."""

    path: Path

    @classmethod
    def create(cls, runs: Path) -> RunFolder:
        """Make a folder for a run that starts now."""
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        path = runs.absolute() / name
        path.mkdir(parents=True)
        return cls(path)

    @classmethod
    def of_worker(cls, worker_input: Mapping[str, Any]) -> RunFolder:
        """The folder that the controller told this xdist worker."""
        return cls(Path(worker_input[_INPUT]))

    def tell_worker(self, worker_input: dict[str, Any]) -> None:
        """Tell an xdist worker the folder, and make the place for its journal."""
        worker_input[_INPUT] = str(self.path)
        self._journals.mkdir(exist_ok=True)

    @property
    def id(self) -> str:
        """The run's id."""
        return self.path.name

    @property
    def allure(self) -> Path:
        """Where allure-pytest writes."""
        return self.path / "allure-results"

    def transcript(self, process: str) -> Path:
        """The transcript of a process of the run: `transcript.jsonl`, of a worker `transcript-gw0.jsonl`."""
        return self.path / ("transcript.jsonl" if process == MAIN else f"transcript-{process}.jsonl")

    @property
    def _journals(self) -> Path:
        return self.path / ".journals"

    def journal(self, worker: str) -> Path:
        """The journal of an xdist worker."""
        return self._journals / f"{worker}.jsonl"

    def journals(self) -> list[Path]:
        """The journals that workers began."""
        return sorted(self._journals.glob("*.jsonl"))

    def drop_journals(self) -> None:
        """Remove the journals, which the results hold in full."""
        for journal in self.journals():
            journal.unlink()
        if self._journals.is_dir():
            self._journals.rmdir()

    @property
    def latest(self) -> Path:
        """The name under which the newest run is found."""
        return self.path.parent.parent / LATEST

    def discard(self) -> None:
        """Remove the folder of a run that did not come about."""
        shutil.rmtree(self.path)

    def publish(self) -> None:
        """Make this run the latest, in one step: whoever looks sees the old run or the new one."""
        latest = self.latest
        fresh = latest.with_name(f".{LATEST}-{self.id}")
        fresh.symlink_to(os.path.relpath(self.path, latest.parent), target_is_directory=True)
        fresh.replace(latest)
