"""Runs that are killed while they provision a bare host: the next one converges, and no file is torn.

    KILLS=20 ./test tests/whole/test_killed.py -s

Kills come at random moments, each into a run that starts where the one before was killed, reboots in progress
included; the run after the last kill on a lab is left alone.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
from typing import TYPE_CHECKING

import tomlkit

from simlab.machine.software import operator_sdk
from tests.simlab.keeper import Keeper
from tests.whole import runs

if TYPE_CHECKING:
    import pytest

KILLS = int(os.environ.get("KILLS", "1"))
KILLS_OF_A_LAB = 4
# Seconds; a run on a bare host takes longer than this, so most kills hit it.
LATEST = float(os.environ.get("KILL_BEFORE", "25"))

# The guide up to what it wants to last; the operator's uninstallation has its own test.
# Its scenarios want all that the ones before have made.
LAST = ("features/4_2_certificate_chain.feature",)
PROVISIONING = (
    "features/0_prerequisites.feature",
    "features/1_test_cluster.feature",
    "features/2_operator.feature",
    "features/3_simple_kbs.feature",
    *LAST,
    "-k",
    "not ninstall",
)


def test_the_run_after_kills_converges(tmp_path_factory: pytest.TempPathFactory) -> None:
    left = KILLS
    while left > 0:
        with Keeper(tmp_path_factory.mktemp("killed"), "--stage", "bare") as lab:
            for _ in range(min(left, KILLS_OF_A_LAB)):
                tell(f"killed after {kill(lab):.1f} s of a run")
                assert torn(lab) == []
            left -= KILLS_OF_A_LAB
            converged = runs.run(lab, *PROVISIONING)
            assert converged.exit_code == 0, converged.output
            assert (torn(lab), debris(lab)) == ([], [])
            again = runs.run(lab, *LAST, "--provision=check")
            left_to_change = [each["name"] for each in again.operations(changed=True)]
            # Which pods want, and no scenario before them.
            assert [name for name in left_to_change if not name.startswith("fetch the ")] == []
            tell(
                f"converged: {len(converged.operations(changed=True))} changed, and nothing is left to change"
            )


def kill(lab: Keeper) -> float:
    """Start a run, kill it at a random moment, and return how many seconds it had."""
    seconds = random.uniform(1, LATEST)  # noqa: S311 - pytest-randomly's seed gives the same again
    begin = time.monotonic()
    with runs.start(lab, *PROVISIONING) as process:
        try:
            process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
    return time.monotonic() - begin


def torn(lab: Keeper) -> list[str]:
    """What of the host's files that the suite writes is there, and is no whole one."""
    root, found = lab.layout.host, []
    for file in [*(root / "etc/yum.repos.d").glob("*.repo"), root / "etc/containerd/config.toml"]:
        text = file.read_text()
        if not text.endswith("\n") or (file.suffix == ".repo" and text.count("[") != text.count("]")):
            found.append(str(file))
    tomlkit.parse((root / "etc/containerd/config.toml").read_text())
    for entry in (root / "var/lib/sev-conformance/journal").glob("*.json"):
        json.loads(entry.read_text())
    sdk = root / operator_sdk.PROGRAM
    if sdk.exists() and sdk.stat().st_size != len(operator_sdk.TEXT):
        found.append(str(sdk))
    chain = root / "opt/sev/cert_chain.cert"
    if chain.exists() and chain.stat().st_size < 4 * 2084:
        found.append(str(chain))
    if (root / "root/simple-kbs").exists() and not (root / "root/simple-kbs/docker-compose.yml").exists():
        found.append("the checkout of simple-kbs")
    return found


def debris(lab: Keeper) -> list[str]:
    """What is left beside files that were put in place."""
    root = lab.layout.host
    folders = ("etc", "usr/local/bin", "opt/sev", "root", "var/lib/sev-conformance")
    return [str(path) for folder in folders for path in (root / folder).rglob(".*.new")]


def tell(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - for who runs it by hand, with -s
