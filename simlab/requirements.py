"""What the runner must bring for a simulated lab: programs, and the right to make user namespaces."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

# Each line: a Debian package, and by what it is seen that it is there: a program, or a file.
_PACKAGES: Final = Path(__file__).with_name("packages.txt")

# A user's PATH may lack the folders of system programs.
PROGRAM_PATH: Final = ":".join(
    dict.fromkeys(
        [*os.environ.get("PATH", "").split(":"), "/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"]
    )
).strip(":")


class MissingRequirementError(Exception):
    """The runner cannot carry a simulated lab; the message says what to do about it."""


def check() -> None:
    """Raise MissingRequirementError, naming every missing package at once, or the forbidden namespaces."""
    missing = {package: sign for package, sign in _signs() if not _is_there(sign)}
    if missing:
        raise MissingRequirementError(
            f"the simulated lab needs {', '.join(missing.values())}; install with:"
            f" apt-get install -y --no-install-recommends {' '.join(missing)}"
        )
    _check_namespaces()


def _signs() -> list[tuple[str, str]]:
    lines = (line.partition("#")[0].split() for line in _PACKAGES.read_text().splitlines())
    return [(package, sign) for package, sign in filter(None, lines)]


def _is_there(sign: str) -> bool:
    return Path(sign).exists() if sign.startswith("/") else shutil.which(sign, path=PROGRAM_PATH) is not None


def _check_namespaces() -> None:
    probe = subprocess.run(
        [
            *("bwrap", "--unshare-user", "--unshare-net", "--unshare-pid"),
            # Where /proc is masked, as in many containers, only this mount fails.
            *("--dev-bind", "/", "/", "--proc", "/proc", "true"),
        ],
        env={"PATH": PROGRAM_PATH},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    if probe.returncode != 0:
        detail = probe.stderr.strip().splitlines()[-1:] or [f"exit status {probe.returncode}"]
        raise MissingRequirementError(
            "this machine does not let bubblewrap make user, network and process namespaces"
            f" ({detail[0]}); look at the sysctls kernel.unprivileged_userns_clone and"
            " user.max_user_namespaces, and, in a container, at its seccomp and AppArmor profile"
        )
