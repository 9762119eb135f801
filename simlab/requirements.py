"""What the runner must bring for a simulated lab: programs, and the right to make user namespaces."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

# Program -> the Debian 12 package that brings it.
_PROGRAMS: Final = {
    "bwrap": "bubblewrap",
    "mariadbd": "mariadb-server-core",
    "mysql": "mariadb-client-core",
    "ip": "iproute2",
    "ps": "procps",
    "jq": "jq",
    "curl": "curl",
    "wget": "wget",
    "busybox": "busybox-static",
    "nsenter": "util-linux",
    "mount": "mount",
    "bash": "bash",
}
_FILES: Final = {
    "/usr/lib/openssh/sftp-server": "openssh-sftp-server",
    # The host's /usr is the runner's, and the host's own tools are Python programs.
    "/usr/bin/python3": "python3-minimal",
}
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
    missing = {
        program: package
        for program, package in _PROGRAMS.items()
        if shutil.which(program, path=PROGRAM_PATH) is None
    }
    missing |= {path: package for path, package in _FILES.items() if not Path(path).exists()}
    if missing:
        raise MissingRequirementError(
            f"the simulated lab needs {', '.join(missing)}; install with:"
            f" apt-get install -y {' '.join(sorted(set(missing.values())))}"
        )
    _check_namespaces()


def _check_namespaces() -> None:
    probe = subprocess.run(
        ["bwrap", "--unshare-user", "--unshare-net", "--unshare-pid", "--dev-bind", "/", "/", "true"],
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
