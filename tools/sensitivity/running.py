"""Runs the suite under faults, each on a lab of its own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from simlab.faults.fault import Fault

ROOT: Final = Path(__file__).parents[2]
_LONGEST_SECONDS: Final = 900
_RUN: Final = re.compile(r"^Conformance run ([^:]+):", re.MULTILINE)

_NOT_UP: Final = "the simulated lab did not come up"


class RunFailedError(Exception):
    """The suite came to no results; the message has what it said last."""


def run_under(fault: Fault | None) -> dict[str, Any]:
    """Run the suite under a fault, or under none as the control; returns its results.json.

    Raises RunFailedError.
    """
    options = [f"--fault={fault.name}", f"--provision={fault.provision}"] if fault else []
    chosen = [
        str(path.relative_to(ROOT))
        for begin in (fault.features if fault else ())
        for path in sorted(ROOT.glob(f"features/{begin}_*.feature"))
    ]
    # What is lost in the middle is lost in the same scenario each time.
    command = [sys.executable, "-m", "pytest", "-p", "no:randomly", *options, *chosen]
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_LONGEST_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise RunFailedError(f"no end after {_LONGEST_SECONDS} s") from None
    found = _RUN.search(done.stdout)
    if _NOT_UP in done.stderr:
        raise RunFailedError(f"{_NOT_UP}: {done.stderr.strip().rpartition(_NOT_UP)[2]}")
    results = ROOT / "reports" / "runs" / (found[1] if found else "none") / "results.json"
    if not results.is_file():
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["nothing"]
        raise RunFailedError(f"exit code {done.returncode}: {last[0]}")
    loaded: dict[str, Any] = json.loads(results.read_text(encoding="utf-8"))
    return loaded
