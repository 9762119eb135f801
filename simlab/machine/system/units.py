"""systemd's units as files: where they are, what they say, which are enabled."""

from __future__ import annotations

import configparser
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

ADMINISTRATOR: Final = "etc/systemd/system"
VENDOR: Final = "usr/lib/systemd/system"
_FOLDERS: Final = (ADMINISTRATOR, "run/systemd/system", "usr/local/lib/systemd/system", VENDOR)

# /usr/lib/systemd/system-preset/90-default.preset of RHEL 8: all else is `disable *`.
_PRESET_ENABLED: Final = ("firewalld.service", "sshd.service", "auditd.service", "crond.service")


@dataclass(frozen=True)
class Unit:
    """A unit's file. `path` is absolute on the host."""

    name: str
    path: str
    description: str
    documentation: tuple[str, ...]
    command: tuple[str, ...]
    wanted_by: tuple[str, ...]
    aliases: tuple[str, ...]
    masked: bool = False


def full_name(name: str) -> str:
    """Return a unit's name as systemctl completes it: a service unless it says otherwise."""
    endings = (".service", ".socket", ".target", ".mount", ".timer")
    return name if name.endswith(endings) else f"{name}.service"


def find(root: Path, name: str) -> Unit | None:
    """Return a unit; None when no folder has its file."""
    for folder in _FOLDERS:
        file = root / folder / name
        if file.is_symlink() and str(file.readlink()) == "/dev/null":
            return Unit(name, f"/{folder}/{name}", name, (), (), (), (), masked=True)
        if file.is_file():
            return _read(name, f"/{folder}/{name}", file.read_text(errors="replace"))
    return None


def is_preset(name: str) -> bool:
    """Whether the vendor wants the unit enabled."""
    return name in _PRESET_ENABLED


def state(root: Path, unit: Unit) -> str:
    """Return what `systemctl is-enabled` says: enabled, disabled, static or masked."""
    if unit.masked:
        return "masked"
    if any(link.is_symlink() for link in _links(root, unit)):
        return "enabled"
    return "disabled" if unit.wanted_by or unit.aliases else "static"


def enable(root: Path, unit: Unit) -> list[str]:
    """Enable a unit; returns what systemctl says of it."""
    said = []
    for link in _links(root, unit):
        if link.is_symlink():
            continue
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(unit.path)
        said.append(f"Created symlink /{link.relative_to(root)} → {unit.path}.")
    return said


def disable(root: Path, unit: Unit) -> list[str]:
    """Disable a unit; returns what systemctl says of it."""
    links = [link for link in _links(root, unit) if link.is_symlink()]
    for link in links:
        link.unlink()
    return [f"Removed /{link.relative_to(root)}." for link in links]


def preset(root: Path, name: str) -> None:
    """Enable or disable a unit as the vendor wants it, as a package does that brings it."""
    unit = find(root, name)
    if unit is not None and is_preset(name):
        enable(root, unit)


def wanted(root: Path, target: str = "multi-user.target") -> list[str]:
    """Return the units that a target starts."""
    return sorted(link.name for link in (root / ADMINISTRATOR / f"{target}.wants").glob("*"))


def _links(root: Path, unit: Unit) -> list[Path]:
    folder = root / ADMINISTRATOR
    targets = [folder / f"{target}.wants" / unit.name for target in unit.wanted_by]
    return [*targets, *(folder / alias for alias in unit.aliases)]


def _read(name: str, path: str, text: str) -> Unit:
    parser = configparser.RawConfigParser(strict=False, interpolation=None, comment_prefixes=("#", ";"))
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    try:
        parser.read_string(text)
    except configparser.Error:
        parser.clear()

    def words(section: str, key: str) -> tuple[str, ...]:
        return tuple(parser.get(section, key, fallback="").split())

    return Unit(
        name,
        path,
        parser.get("Unit", "Description", fallback=name),
        words("Unit", "Documentation"),
        tuple(shlex.split(parser.get("Service", "ExecStart", fallback=""))),
        words("Install", "WantedBy"),
        words("Install", "Alias"),
    )
