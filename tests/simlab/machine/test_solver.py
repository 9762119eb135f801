"""What a wish brings along."""

from __future__ import annotations

import pytest

from simlab.machine.software import base, docker, grub, kernels
from simlab.machine.system.package import Package
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


def test_removing_takes_along_what_needs_it() -> None:
    needs = Package("needs", "1", "1", requires=("docker-ce-cli",))
    goal = Goal([docker.CLI, needs, docker.COMPOSE_PLUGIN], [])
    goal.remove(docker.CLI)
    assert goal.result == [docker.COMPOSE_PLUGIN]
