"""Which real parts a lab is asked to have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simlab import real_parts

if TYPE_CHECKING:
    from pathlib import Path


def test_without_a_variable_every_part_is_the_labs_own() -> None:
    assert list(real_parts.from_environment({"SSHD": ""}).told()) == []


def test_the_parts_that_are_named_are_told() -> None:
    named = {"SSHD": "/bin/sh", "SIMPLE_KBS": "/bin/cat"}
    assert list(real_parts.from_environment(named).told()) == [
        "OpenSSH's sshd (/bin/sh)",
        "simple-kbs (/bin/cat)",
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
