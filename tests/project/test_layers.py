"""import-linter's contracts in pyproject.toml catch what they are for; `tox -e layers` applies them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("lab", "steps", "fixtures", "reports", "simlab")


def lint(folder: Path, package: str, line: str) -> subprocess.CompletedProcess[str]:
    for name in PACKAGES:
        (folder / name).mkdir()
        (folder / name / "__init__.py").touch()
    (folder / package / "module.py").write_text(f"{line}\n")
    shutil.copy(ROOT / "pyproject.toml", folder)
    linter = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command; lint_imports_command()",
    ]
    return subprocess.run(
        [*linter, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize(
    ("package", "line"),
    [
        ("steps", "import fixtures, lab, reports, pytest_bdd"),
        ("fixtures", "import lab, reports, pytest"),
        ("reports", "import lab, allure, pytest"),
        ("simlab", "import aiohttp"),
    ],
)
def test_imports_downwards_are_kept(tmp_path: Path, package: str, line: str) -> None:
    result = lint(tmp_path, package, line)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("package", "line"),
    [
        ("lab", "import fixtures"),
        ("lab", "import steps"),
        ("lab", "import reports"),
        ("lab", "import pytest"),
        ("lab", "from pytest_bdd import given"),
        ("lab", "import simlab"),
        ("fixtures", "import steps"),
        ("fixtures", "from simlab import module"),
        ("reports", "import fixtures"),
        ("steps", "import simlab"),
        ("simlab", "import lab"),
        ("simlab", "import reports"),
    ],
)
def test_imports_upwards_and_across_are_broken(tmp_path: Path, package: str, line: str) -> None:
    result = lint(tmp_path, package, line)
    assert result.returncode == 1
    assert "BROKEN" in result.stdout
