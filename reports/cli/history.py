"""`history`: the runs below a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reports.certificate.refusal import Mistake
from reports.cli.common import say
from reports.history.flakes import flakes
from reports.history.keeping import remove, superfluous
from reports.history.page import write
from reports.history.reading import read
from reports.words import plural

if TYPE_CHECKING:
    import argparse

RUNS: Final = Path(__file__).parents[1] / "runs"
PAGE: Final = "history.html"


def add(commands: Any) -> None:
    """Name the arguments."""
    parser = commands.add_parser("history", help="trend per clause and lab, flake rate; an index of all runs")
    parser.add_argument(
        "runs",
        type=Path,
        nargs="?",
        default=RUNS,
        metavar="RUNS",
        help="their folder (default: reports/runs)",
    )
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help=f"the page (default: {PAGE} beside the folder)"
    )
    parser.add_argument(
        "--keep",
        type=int,
        metavar="N",
        help="delete runs, but the newest N of each lab and profile, the last that proved all, signed ones",
    )
    parser.set_defaults(carry_out=_history)


def _history(chosen: argparse.Namespace) -> int:
    if chosen.keep is not None and chosen.keep < 1:
        raise Mistake(f"--keep {chosen.keep}: at least 1 run is kept")
    try:
        runs = chosen.runs.resolve(strict=True)
        history = read(runs)
        if chosen.keep is not None:
            for run in superfluous(history, chosen.keep, (runs.parent / "latest").resolve()):
                remove(run)
                say(f"deleted {run.id}")
            history = read(runs)
    except OSError as error:
        raise Mistake(f"runs {error.filename or chosen.runs}: {error.strerror}") from None
    page = chosen.html or runs.parent / PAGE
    try:
        write(history, page)
    except OSError as error:
        raise Mistake(f"--html {page}: it cannot be written: {error.strerror}") from None
    for (lab, profile), members in history.by_lab().items():
        proved = sum(run.all_proved for run in members)
        say(f"{lab}, {profile}: {plural(len(members), 'run')}, {proved} proved all")
    for flake in flakes(history.runs):
        often = f"{flake.changes} of {flake.pairs} times another verdict"
        say(f"by chance: {flake.scenario} on {flake.lab}: {often}")
    for name, why in history.unread.items():
        say(f"left out: {name}: {why}")
    say(f"History: {page}")
    return 0
