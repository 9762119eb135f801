"""What a killed run had borrowed is given back by `--restore`, also from a machine that does not know it."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from simlab.release import paths
from tests.simlab.keeper import Keeper
from tests.whole import runs

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

WAIT_SECONDS = 240
JOURNAL = "var/lib/sev-conformance/journal"


def test_restore_gives_back_what_a_killed_run_had_borrowed(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Keeper(tmp_path_factory.mktemp("restored"), "--stage", "kbs") as lab:
        # The guide's own way borrows the node's files and a pod; here, a policy of others' besides.
        policy = "INSERT INTO policy VALUES (77, '[\"x\"]', '[]', 0, 0, '[]', now(), NULL, 1)"
        for statement in (policy, "UPDATE secrets SET polid=77"):
            lab.output(f"{runs.database(lab)} -e {shlex.quote(statement)}")
        before = runs.picture(lab)
        with runs.start(lab, "features/4_3_online_kbc.feature", "-k", "own_way") as process:
            await_loans(process, lab.layout.host / JOURNAL, {"secret-policy", "file", "pod"})
            process.send_signal(signal.SIGKILL)
            process.communicate()
        borrowed = runs.differences(before, runs.picture(lab))
        toml = f"{paths.CONFIGURATIONS}/configuration-qemu-sev.toml"
        initrd = paths.SEV_INITRD
        assert {toml, initrd, "table secrets"} <= set(borrowed)

        nowhere = str(tmp_path_factory.mktemp("home"))
        command = [sys.executable, "-m", "pytest", "--restore", f"--lab={lab.layout.lab_file}"]
        environment = {"PATH": os.environ["PATH"], "HOME": nowhere, "TMPDIR": nowhere}
        done = subprocess.run(
            command, cwd=runs.ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "borrowed things given back" in done.stdout
        left = set(runs.differences(before, runs.picture(lab)))
        # The rest lasts: the certificate chain, initrds beside the node's own, kata's own session files.
        assert [name for name in left if name in {toml, initrd} or not name.startswith("/")] == []
        assert not list((lab.layout.host / JOURNAL).glob("*"))


def await_loans(process: subprocess.Popen[str], journal: Path, kinds: set[str]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        texts = [path.read_text() for path in journal.glob("*.json")]
        if all(any(f'"kind": "{kind}"' in text for text in texts) for kind in kinds):
            return
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, texts
        time.sleep(0.05)
