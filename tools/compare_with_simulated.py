"""Asks a simulated lab what a recorded lab was asked, and says where it differs.

python -m tools.compare_with_simulated TRANSCRIPT [--stage STAGE]

The suite runs the transcript's features on a simulated lab of the same release, which records them too; then
`python -m simlab compare` reads both. Exit codes: docs/transcripts.md.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from simlab.compare import command, transcript

if TYPE_CHECKING:
    from simlab.compare.transcript import Transcript

ROOT: Final = Path(__file__).parents[1]
RECORDED: Final = ROOT / "reports" / "latest" / "transcript.jsonl"


def main() -> int:
    """Run the suite, and compare."""
    parser = argparse.ArgumentParser(prog="python -m tools.compare_with_simulated", description=__doc__)
    parser.add_argument("transcript", type=Path)
    parser.add_argument("--stage", default="kbs", help="how far along the guide the recorded lab was")
    options = parser.parse_args()
    try:
        recorded = transcript.read(options.transcript)
    except transcript.TranscriptError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    before = RECORDED.resolve()
    # What fails there is no concern here: the recorded lab may have failed as well.
    subprocess.run([ROOT / "run", *arguments(recorded, options.stage)], check=False)
    if RECORDED.resolve() == before:
        sys.stderr.write("the run on the simulated lab left no transcript; what it said stands above\n")
        return 2
    return command.run(options.transcript, RECORDED)


def arguments(recorded: Transcript, stage: str) -> list[str]:
    """What `./run` is told: the release that the profile names, and the features that were recorded."""
    release = re.search(r"\?ref=v([0-9.]+)", str(recorded.head["profile"]["operator"]["release"]))
    features = sorted(
        {exchange.scenario.split("::")[0] for exchange in recorded.exchanges if exchange.scenario}
    )
    paths = [f"features/{name}.feature" for name in features]
    chosen = [f"--release={release[1]}"] if release else []
    return ["--record", f"--stage={stage}", *chosen, *(path for path in paths if (ROOT / path).exists())]


if __name__ == "__main__":
    sys.exit(main())
