from __future__ import annotations

import shutil
import subprocess

import pytest

from simlab import requirements


def test_this_machine_carries_a_lab() -> None:
    requirements.check()


def test_every_missing_package_is_named_with_the_one_command(monkeypatch: pytest.MonkeyPatch) -> None:
    real = shutil.which

    def without(name: str, path: str | None = None) -> str | None:
        return None if name in ("jq", "mariadbd") else real(name, path=path)

    monkeypatch.setattr(shutil, "which", without)
    with pytest.raises(requirements.MissingRequirementError) as error:
        requirements.check()
    message = str(error.value)
    assert message.endswith("apt-get install -y --no-install-recommends mariadb-server-core jq")
    assert "mariadbd, jq" in message
    assert "\n" not in message


def test_forbidden_namespaces_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        said = "bwrap: No permissions to create new namespace\n"
        return subprocess.CompletedProcess(command, 1, "", said)

    monkeypatch.setattr(subprocess, "run", refuse)
    with pytest.raises(requirements.MissingRequirementError, match="No permissions to create new namespace"):
        requirements.check()
