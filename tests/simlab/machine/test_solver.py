"""What a wish brings along."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from simlab.machine.software import base, docker, grub, kernels
from simlab.machine.system import rpmdb
from simlab.machine.system.package import Package
from simlab.machine.tools.dnf import transaction
from simlab.machine.tools.dnf.configuration import DnfError
from simlab.machine.tools.dnf.solver import Goal


def test_one_grub_package_takes_the_other_seven_along() -> None:
    goal = Goal(grub.packages(grub.BROKEN), grub.packages(grub.GOOD))
    goal.add(goal.find("grub2-efi")[0])
    goal.resolve()
    assert sorted(package.nvra for package in goal.result) == sorted(
        package.nvra for package in grub.packages(grub.GOOD)
    )


def test_a_new_kernel_stands_beside_the_old_one() -> None:
    installed = [*base.PACKAGES, *kernels.packages(kernels.OLD)]
    goal = Goal(installed, kernels.packages(kernels.NEW))
    goal.add(goal.find("kernel")[0])
    goal.resolve()
    found = sorted(package.version for package in goal.result if package.name.startswith("kernel"))
    assert found == ["4.19.91"] * 3 + ["5.10.134"] * 3


def test_what_nobody_provides_is_named() -> None:
    goal = Goal([], [docker.ENGINE, docker.CLI])
    goal.add(docker.ENGINE)
    with pytest.raises(DnfError, match=r"nothing provides \S+ .*needed by docker-ce-3:"):
        goal.resolve()


def test_signals_wait_and_rpms_lock_is_held_while_packages_are_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction, "_ROOT", tmp_path)
    (tmp_path / "var/lib/rpm").mkdir(parents=True)
    seen = []

    def unpack(*_: object) -> None:
        inode = (tmp_path / "var/lib/rpm/.rpm.lock").stat().st_ino
        held = [line.split() for line in Path("/proc/locks").read_text().splitlines() if f":{inode} " in line]
        seen.append((held[0][3], held[0][4], signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, ())))

    monkeypatch.setattr(rpmdb, "unpack", unpack)
    transaction.Transaction([], [docker.CLI], set())._perform([docker.CLI])
    assert seen == [("WRITE", str(os.getpid()), True)]
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_removing_takes_along_what_needs_it() -> None:
    needs = Package("needs", "1", "1", requires=("docker-ce-cli",))
    goal = Goal([docker.CLI, needs, docker.COMPOSE_PLUGIN], [])
    goal.remove(docker.CLI)
    assert goal.result == [docker.COMPOSE_PLUGIN]
