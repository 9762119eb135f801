"""What a certificate costs: a run of the whole guide is signed in a moment, and its archive is small."""

from __future__ import annotations

import json
import random
import time
from typing import TYPE_CHECKING

from reports.certificate.archive import pack
from tests.reports.certified import SignedRun

if TYPE_CHECKING:
    from pathlib import Path

# A run of the whole guide on the simulated lab left 3,463 files, 10 MB; page and results are 4 of them.
FILES = 3_500
SECONDS = 2.0
BYTES = 5 << 20


def test_signing_takes_less_than_two_seconds_and_an_archive_less_than_five_megabytes(tmp_path: Path) -> None:
    run = SignedRun(tmp_path / "made")
    words = random.Random(7)  # noqa: S311 - text to compress, and no secret
    for number in range(FILES):
        folder = run.folder / "evidence" / f"scenario-{number % 60}"
        folder.mkdir(exist_ok=True)
        rows = [
            {"id": words.getrandbits(64), "status": "OK", "message": "Policy validated"} for _ in range(20)
        ]
        (folder / f"{number:04}-sql-select-id-policy-fw_api_major.json").write_text(
            json.dumps(rows, indent=2)
        )
    # The processor's time of this process: others may keep the machine busy.
    began = time.process_time()
    run.signed()
    signed = time.process_time() - began
    assert signed < SECONDS, f"signing took {signed:.2f} s"
    pack(run.folder, tmp_path / "run.tar.gz")
    size = (tmp_path / "run.tar.gz").stat().st_size
    assert size < BYTES, f"the archive has {size} bytes"
    print(f"signing takes {signed:.2f} s, and the archive has {size / 1e6:.2f} MB")  # noqa: T201 - the figures
    assert run.verified().problems == []
