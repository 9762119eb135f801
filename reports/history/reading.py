"""The runs below a folder, each as little as its history needs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.certificate.files import CERTIFICATE, RESULTS
from reports.certificate.reading import results_in
from reports.certificate.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from lab.verdict import Verdict
    from reports.model import Results


@dataclass(frozen=True)
class PastRun:
    """A run that ended. `same` is equal of two runs between which nothing is known to have changed."""

    folder: Path
    id: str
    started: datetime
    seconds: float
    lab: str
    profile: str
    decided: int
    proved: int
    all_proved: bool
    signed: bool
    comparable: bool
    same: str
    scenarios: Mapping[str, Verdict]
    clauses: Mapping[str, Verdict | None]


@dataclass(frozen=True)
class History:
    """The runs, the oldest first, and what was found instead of one: a run that did not end, or is none."""

    runs: list[PastRun]
    unread: dict[str, str]

    def by_lab(self) -> dict[tuple[str, str], list[PastRun]]:
        """The runs of each lab and profile, the oldest first."""
        labs: dict[tuple[str, str], list[PastRun]] = {}
        for run in self.runs:
            labs.setdefault((run.lab, run.profile), []).append(run)
        return dict(sorted(labs.items()))


def read(runs: Path) -> History:
    """Read every run below `runs`. Raises OSError where that cannot be listed."""
    found: list[PastRun] = []
    unread: dict[str, str] = {}
    for folder in sorted(runs.iterdir()):
        # A link could lead anywhere, and what is beside the runs is none.
        if folder.is_symlink() or not folder.is_dir():
            continue
        if not (folder / RESULTS).is_file():
            unread[folder.name] = "it goes on, or did not come to its end"
            continue
        try:
            found.append(_past(folder, results_in(folder / RESULTS)))
        except Refusal as refusal:
            unread[folder.name] = str(refusal)
    return History(sorted(found, key=lambda run: (run.started, run.id)), unread)


def _past(folder: Path, results: Results) -> PastRun:
    answer = results.answer
    return PastRun(
        folder=folder,
        id=results.run.id,
        started=results.run.started,
        seconds=results.run.seconds,
        lab=str(results.lab.get("name", "")),
        profile=str(results.profile.get("title", "")),
        decided=answer.decided,
        proved=answer.proved,
        all_proved=answer.all_proved,
        signed=(folder / CERTIFICATE).is_file(),
        comparable=not (results.run.interrupted or results.run.faults or results.run.problems),
        same=_same(results),
        scenarios={scenario.id: scenario.verdict for scenario in results.scenarios},
        clauses={clause.id: clause.verdict for clause in results.clauses},
    )


def _same(results: Results) -> str:
    """The lab, the versions that were found on it, the suite, and how it was started."""
    return json.dumps(
        [
            results.lab.get("name"),
            results.profile,
            results.versions,
            [sorted(each.cek for each in results.session.platforms)],
            results.lab.get("pins"),
            [results.suite.commit, results.suite.dirty],
            results.run.arguments,
        ],
        sort_keys=True,
    )
