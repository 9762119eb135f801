"""`compare`: a run beside an earlier one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports.certificate.refusal import Mistake
from reports.cli.common import results_of, say
from reports.comparison import page
from reports.comparison.compare import compare
from reports.comparison.words import text

if TYPE_CHECKING:
    import argparse


def add(commands: Any) -> None:
    """Name the arguments."""
    parser = commands.add_parser("compare", help="what turned red or green, and what changed in the lab")
    parser.add_argument("old", type=Path, metavar="OLD", help="the earlier run: its folder, or its archive")
    parser.add_argument("new", type=Path, metavar="NEW", help="the later run: its folder, or its archive")
    parser.add_argument("--json", action="store_true", help="print it as JSON (docs/results.md)")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write it as a page, too")
    parser.set_defaults(carry_out=_compare)


def _compare(chosen: argparse.Namespace) -> int:
    comparison = compare(results_of(chosen.old), results_of(chosen.new))
    if chosen.html:
        try:
            page.write(comparison, chosen.html)
        except OSError as error:
            raise Mistake(f"--html {chosen.html}: it cannot be written: {error.strerror}") from None
    if chosen.json:
        sys.stdout.write(comparison.model_dump_json(indent=2) + "\n")
    else:
        say(text(comparison))
    return 1 if comparison.worse else 0
