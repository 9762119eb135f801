"""A profile laid on a lab of another CoCo release turns red in the clauses that differ, and says why."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reports.publisher import NOTHING_FAILED
from tests.simlab.keeper import Keeper

ROOT = Path(__file__).parents[2]
OLD, NEW = "0.3.0", "0.7.0"
CHOSEN = (
    "worker_label or operator_of_the_release or controllers_proxy or runtimeclasses_of_the_release"
    " or holds_the_guides_key or nginx_runs"
)
RUN_SECONDS = 300


def crossed(folder: Path, lab: str, profile: str) -> dict[str, tuple[str, str]]:
    """Verdict and reason by clause: a lab of one release under the profile of another, nothing converged."""
    with Keeper(folder, "--release", lab) as keeper:
        told = keeper.layout.lab_file.read_text()
        assert f'profile = "anolis-8.6-coco-{lab}"' in told
        lab_file = keeper.layout.lab_file.with_name("crossed.toml")
        lab_file.write_text(told.replace(f"coco-{lab}", f"coco-{profile}"))
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-k", CHOSEN),
                *(f"--lab={lab_file}", "--provision=off"),
            ],
            cwd=ROOT,
            env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
            capture_output=True,
            text=True,
            check=False,
            timeout=RUN_SECONDS,
        )
    assert done.returncode in (pytest.ExitCode.TESTS_FAILED, NOTHING_FAILED), done.stdout + done.stderr
    run = done.stdout.partition("Conformance run ")[2].partition(":")[0]
    results = json.loads((ROOT / "reports/runs" / run / "results.json").read_text())
    return {
        clause: (scenario["verdict"], scenario["reason"])
        for scenario in results["scenarios"]
        for clause in scenario["clauses"]
    }


@pytest.fixture(scope="module")
def newer_lab(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str]]:
    return crossed(tmp_path_factory.mktemp("new"), NEW, OLD)


@pytest.fixture(scope="module")
def older_lab(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str]]:
    return crossed(tmp_path_factory.mktemp("old"), OLD, NEW)


@pytest.mark.parametrize(
    ("clause", "verdict", "cause"),
    [
        ("C-5.2", "failed", "no node is a worker: "),
        ("O-2.1", "failed", "operator:v0.7.0, not quay.io/confidential-containers/operator:v0.2.0"),
        ("O-2.2", "failed", "kube-rbac-proxy:v0.13.1"),
        ("O-3.2", "passed", ""),  # it has the old one's six, and one more
        ("K-1.4", "failed", "KEYSET-1 lists default/key/ssh-demo, and not key_id1"),
        ("W-1.2", "not proven", "no node has the label node-role.kubernetes.io/worker="),
    ],
)
def test_the_older_profile_does_not_fit_the_newer_lab(
    newer_lab: dict[str, tuple[str, str]], clause: str, verdict: str, cause: str
) -> None:
    found = newer_lab[clause]
    assert found[0] == verdict
    assert cause in found[1]


@pytest.mark.parametrize(
    ("clause", "verdict", "cause"),
    [
        ("C-5.2", "failed", "no node is a worker: "),
        ("O-2.1", "failed", "operator:v0.2.0, not quay.io/confidential-containers/operator:v0.7.0"),
        ("O-2.2", "failed", "kube-rbac-proxy:v0.13.0"),
        ("O-3.2", "failed", "kata-qemu-snp does not exist"),
        ("K-1.4", "failed", "no secret default/key/ssh-demo"),
        ("W-1.2", "not proven", "no node has the label node.kubernetes.io/worker="),
    ],
)
def test_the_newer_profile_does_not_fit_the_older_lab(
    older_lab: dict[str, tuple[str, str]], clause: str, verdict: str, cause: str
) -> None:
    found = older_lab[clause]
    assert found[0] == verdict
    assert cause in found[1]
