"""SELinux: /etc/selinux/config names the mode at boot; it can be changed until the next one."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

CONFIG: Final = "etc/selinux/config"
MOUNT: Final = "sys/fs/selinux"

_MODES: Final = ("enforcing", "permissive", "disabled")


def configured(root: Path) -> str:
    """Return the mode that the configuration names; without one SELinux is disabled (selinux(8))."""
    return setting(root, "SELINUX", "disabled", _MODES)


def setting(root: Path, name: str, default: str, allowed: tuple[str, ...] = ()) -> str:
    """Return a setting of the configuration; its last line wins."""
    value = default
    try:
        lines = (root / CONFIG).read_text(errors="replace").splitlines()
    except OSError:
        return default
    for line in lines:
        key, sign, text = line.strip().partition("=")
        if sign and key == name and (not allowed or text.strip().lower() in allowed):
            value = text.strip()
    return value


def at_boot(root: Path, command_line: str) -> None:
    """Take the mode from the configuration and the kernel's command line."""
    words = command_line.split()
    mode = configured(root).lower()
    if "selinux=0" in words or mode == "disabled":
        shutil.rmtree(root / MOUNT, ignore_errors=True)
        return
    (root / MOUNT).mkdir(parents=True, exist_ok=True)
    _write(root, enforcing=mode == "enforcing" and "enforcing=0" not in words)


def current(root: Path) -> str:
    """Return the mode that is in force now: enforcing, permissive or disabled."""
    try:
        enforce = (root / MOUNT / "enforce").read_text()
    except OSError:
        return "disabled"
    return "enforcing" if enforce.strip() == "1" else "permissive"


def switch(root: Path, *, enforcing: bool) -> bool:
    """Change the mode until the next boot; False when SELinux is disabled."""
    if current(root) == "disabled":
        return False
    _write(root, enforcing=enforcing)
    return True


def _write(root: Path, *, enforcing: bool) -> None:
    (root / MOUNT / "enforce").write_text("1" if enforcing else "0")
