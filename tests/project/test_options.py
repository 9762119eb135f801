"""The suite's options: a mistake is one clear line, and no lab was touched."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--stage=bare", "--lab=x.toml"], "ERROR: --stage is for a simulated lab, and --lab names one"),
        (
            ["--stage=half"],
            "invalid choice: 'half' (choose from 'bare', 'sev', 'cluster', 'operator', 'kbs', 'workloads')",
        ),
        (["--release=0.7.0", "--lab=x.toml"], "ERROR: --release is for a simulated lab, and --lab names one"),
        (["--release=0.4.0"], "invalid choice: '0.4.0' (choose from '0.3.0', '0.7.0')"),
        (["--fault=no-key", "--lab=x.toml"], "ERROR: --fault is for a simulated lab, and --lab names one"),
        (["--fault=no-keys"], "there is no fault 'no-keys'; near it: no-key"),
        (["--restore", "--stage=bare"], "ERROR: --restore is for a lab that is up, and --stage starts one"),
    ],
)
def test_a_lab_that_cannot_be_started_is_refused(options: list[str], said: str) -> None:
    command = [sys.executable, "-m", "pytest", "-p", "no:randomly", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    [line] = [line for line in done.stderr.splitlines() if line]
    assert said in line
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
