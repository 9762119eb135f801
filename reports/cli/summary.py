"""`summary`: a run in a few lines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports.cli.common import results_of, say
from reports.summary import LINES, summary

if TYPE_CHECKING:
    import argparse


def add(commands: Any) -> None:
    """Name the arguments."""
    parser = commands.add_parser("summary", help="a run in a few lines, for a chat or a mail")
    parser.add_argument("run", type=Path, metavar="RUN", help="the run's folder, or its archive")
    parser.add_argument(
        "--causes", type=int, default=LINES, metavar="N", help=f"how many causes to tell (default: {LINES})"
    )
    parser.add_argument("--link", default="", metavar="URL", help="where the report can be read")
    parser.set_defaults(carry_out=_summary)


def _summary(chosen: argparse.Namespace) -> int:
    say(summary(results_of(chosen.run), most=max(0, chosen.causes), link=chosen.link))
    return 0
