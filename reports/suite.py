"""The suite that runs: which commit it is, and with which packages."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Final

from reports.model import SuiteFacts

PROJECT: Final = Path(__file__).parents[1] / "pyproject.toml"
# A lab file is the lab's, not the suite's, and the README has the reader put it there.
_NOT_THE_SUITE: Final = ":!inventory"
_SECONDS: Final = 20.0


def look(root: Path) -> SuiteFacts:
    """What the suite in the checkout `root` is at this moment."""
    commit = _git(root, "rev-parse", "--verify", "HEAD")
    status = _git(root, "status", "--porcelain", "--untracked-files=all", "--", ".", _NOT_THE_SUITE)
    # A checkout further up is not the suite's own.
    if _git(root, "rev-parse", "--show-prefix") != "":
        commit = status = None
    return SuiteFacts(
        commit=commit,
        dirty=None if status is None else bool(status),
        python=platform.python_version(),
        packages=_packages(),
    )


def _git(root: Path, *arguments: str) -> str | None:
    try:
        said = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return said.stdout.strip() if said.returncode == 0 else None


def _packages() -> dict[str, str]:
    """The packages that the project depends on itself, in the versions that are installed."""
    wanted = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["dependencies"]
    found = {}
    for name in sorted(re.split(r"[<>=!~;\[ ]", line)[0] for line in wanted):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
