"""`bundle`: a run as one archive."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports.certificate.archive import pack
from reports.certificate.refusal import Mistake
from reports.cli.common import ARCHIVE, run_folder, say

if TYPE_CHECKING:
    import argparse


def add(commands: Any) -> None:
    """Name the arguments."""
    parser = commands.add_parser("bundle", help="write a run into one archive, the same bytes each time")
    parser.add_argument("run", type=Path, metavar="RUN", help="the run's folder, such as reports/latest")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help=f"the archive; without it RUN{ARCHIVE} beside the run"
    )
    parser.set_defaults(carry_out=_bundle)


def _bundle(chosen: argparse.Namespace) -> int:
    run = run_folder(chosen.run)
    target = chosen.output or run.with_name(run.name + ARCHIVE)
    if not target.name.endswith(ARCHIVE):
        raise Mistake(f"--output {target}: its name must end in {ARCHIVE}")
    if target.absolute().is_relative_to(run):
        raise Mistake(f"--output {target}: the archive must not lie in the run itself")
    try:
        pack(run, target)
    except OSError as error:
        raise Mistake(f"--output {target}: it cannot be written: {error.strerror}") from None
    say(f"{target}: {target.stat().st_size:,} bytes")
    return 0
