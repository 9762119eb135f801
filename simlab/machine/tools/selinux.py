"""getenforce, setenforce, sestatus and restorecon (libselinux-utils 2.9, policycoreutils 2.9).

There are no labels in the sandbox: restorecon finds every file labelled as it should be.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from simlab.machine.system import selinux

_ROOT: Final = Path("/")
_WORDS: Final = {"enforcing": True, "1": True, "permissive": False, "0": False}


def main() -> int:
    """Be the program that the first argument names; returns the exit status."""
    program, *arguments = sys.argv[1:]
    programs = {
        "getenforce": _getenforce,
        "setenforce": _setenforce,
        "sestatus": _sestatus,
        "restorecon": _restorecon,
    }
    return programs[program](arguments)


def _getenforce(_arguments: list[str]) -> int:
    sys.stdout.write(f"{selinux.current(_ROOT).capitalize()}\n")
    return 0


def _setenforce(arguments: list[str]) -> int:
    enforcing = _WORDS.get(arguments[0].lower()) if len(arguments) == 1 else None
    if enforcing is None:
        sys.stderr.write("usage:  setenforce [ Enforcing | Permissive | 1 | 0 ]\n")
        return 1
    if not selinux.switch(_ROOT, enforcing=enforcing):
        sys.stderr.write("setenforce: SELinux is disabled\n")
        return 1
    return 0


def _sestatus(_arguments: list[str]) -> int:
    mode = selinux.current(_ROOT)
    if mode == "disabled":
        sys.stdout.write("SELinux status:                 disabled\n")
        return 0
    rows = {
        "SELinux status": "enabled",
        "SELinuxfs mount": f"/{selinux.MOUNT}",
        "SELinux root directory": "/etc/selinux",
        "Loaded policy name": selinux.setting(_ROOT, "SELINUXTYPE", "targeted"),
        "Current mode": mode,
        "Mode from config file": selinux.configured(_ROOT),
        "Policy MLS status": "enabled",
        "Policy deny_unknown status": "allowed",
        "Memory protection checking": "actual (secure)",
        "Max kernel policy version": "33",
    }
    sys.stdout.writelines(f"{name + ':':<32}{value}\n" for name, value in rows.items())
    return 0


def _restorecon(arguments: list[str]) -> int:
    if selinux.current(_ROOT) == "disabled":
        return 0
    status = 0
    for path in (word for word in arguments if not word.startswith("-")):
        if not Path(path).exists():
            sys.stderr.write(f"restorecon: lstat({path}) failed: No such file or directory\n")
            status = 255
    return status


if __name__ == "__main__":
    sys.exit(main())
