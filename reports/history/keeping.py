"""Which runs to keep: of each lab and profile the newest so many, the signed, the last that proved all."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from reports.history.reading import History, PastRun


def superfluous(history: History, keep: int, latest: Path | None = None) -> list[PastRun]:
    """The runs that need not be kept, where `keep` of each lab and profile are; never the `latest`.

    What could not be read is not among them: it may be a run that goes on.
    """
    leaving: list[PastRun] = []
    for runs in history.by_lab().values():
        last_good = next((run for run in reversed(runs) if run.all_proved), None)
        leaving += [
            run
            for run in runs[: max(0, len(runs) - keep)]
            if not run.signed and run is not last_good and run.folder != latest
        ]
    return leaving


def remove(run: PastRun) -> None:
    """Delete a run's folder. Raises OSError."""
    shutil.rmtree(run.folder)
