"""Which real parts a lab is asked to have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simlab import real_parts

if TYPE_CHECKING:
    from pathlib import Path


def test_without_a_variable_every_part_is_the_labs_own() -> None:
    assert list(real_parts.from_environment({"SSHD": ""}).told()) == []


def test_the_parts_that_are_named_are_told(tmp_path: Path) -> None:
    for name in ("kube-apiserver", "etcd"):
        (tmp_path / name).touch(mode=0o755)
    named = {"SSHD": "/bin/sh", "SIMPLE_KBS": "/bin/cat", "KUBEBUILDER_ASSETS": str(tmp_path)}
    assert list(real_parts.from_environment(named).told()) == [
        "OpenSSH's sshd (/bin/sh)",
        "simple-kbs (/bin/cat)",
        f"kube-apiserver and etcd ({tmp_path})",
    ]


@pytest.mark.parametrize("variable", ["SSHD", "SIMPLE_KBS"])
@pytest.mark.parametrize("wrong", ["sshd", "/no/such/program", "/", "plain"])
def test_what_is_no_program_is_refused_by_the_variables_name(
    variable: str, wrong: str, tmp_path: Path
) -> None:
    if wrong == "plain":
        (tmp_path / wrong).touch(mode=0o644)
        wrong = str(tmp_path / wrong)
    with pytest.raises(
        real_parts.RealPartError, match=f"^{variable} is '.*absolute path of an executable file"
    ):
        real_parts.from_environment({variable: wrong})


def test_a_folder_that_lacks_a_program_is_refused_by_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "etcd").touch(mode=0o755)
    with pytest.raises(real_parts.RealPartError, match=r"without an executable file kube-apiserver;"):
        real_parts.from_environment({"KUBEBUILDER_ASSETS": str(tmp_path)})
