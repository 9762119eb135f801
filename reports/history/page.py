"""The history of runs as one page."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lab.verdict import Verdict
from reports.clauses import Catalogue
from reports.history.flakes import flakes
from reports.pages import render

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reports.history.reading import History, PastRun

# As many runs as a trend shows: three months of nights on a screen's width.
SHOWN: Final = 90


@dataclass(frozen=True)
class Trend:
    """A clause in the runs of a lab, the oldest first. Of those that selected it, so many were proved."""

    id: str
    outcome: str
    verdicts: Sequence[Verdict | None]

    @property
    def selected(self) -> int:
        """How many runs selected it."""
        return sum(verdict is not None for verdict in self.verdicts)

    @property
    def proved(self) -> int:
        """How many runs proved it."""
        return sum(verdict is Verdict.PASSED for verdict in self.verdicts)


def write(history: History, path: Path) -> None:
    """Write the page. Raises OSError."""
    page = render(
        "history.html",
        history=history,
        labs=[(names, runs, _trends(runs[-SHOWN:])) for names, runs in history.by_lab().items()],
        flakes=flakes(history.runs),
        link=lambda run: os.path.relpath(run.folder / "index.html", path.absolute().parent),
    )
    path.write_text(page, encoding="utf-8", errors="replace")


def _trends(runs: Sequence[PastRun]) -> list[Trend]:
    outcomes = {clause.id: clause.outcome for clause in Catalogue().judge([])}
    known = dict.fromkeys([*outcomes, *(clause for run in runs for clause in run.clauses)])
    trends = [
        Trend(clause, outcomes.get(clause, ""), [run.clauses.get(clause) for run in runs]) for clause in known
    ]
    return [trend for trend in trends if trend.selected]
