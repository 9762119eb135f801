"""The database of installed packages, /var/lib/rpm (here one JSON file in place of a Berkeley database)."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from simlab.machine.system import bls, units
from simlab.machine.system.package import Package

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PATH: Final = "var/lib/rpm/packages.json"
_LINK: Final = "-> "


def read(root: Path) -> list[Package]:
    """Return the installed packages, in the order of their names and versions."""
    try:
        content = json.loads((root / PATH).read_text())
    except FileNotFoundError:
        return []
    return sorted(map(Package.from_dict, content), key=lambda package: (package.name, package.evr))


def write(root: Path, packages: Iterable[Package]) -> None:
    """Write the database anew; a reader sees the old or the new one, whole."""
    path = root / PATH
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps([asdict(package) for package in packages]))
    draft.replace(path)


def unpack(root: Path, package: Package) -> None:
    """Put a package's files in place; changed configuration is kept, as `%config(noreplace)` says."""
    for name, text in package.files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        if name in package.configuration and path.exists():
            if path.read_text(errors="replace") != text:
                path.with_name(path.name + ".rpmnew").write_text(text)
            continue
        # By a new file and a rename: the program that is running keeps its own.
        draft = path.with_name(f".{path.name}.rpm")
        draft.unlink(missing_ok=True)
        if text.startswith(_LINK):
            draft.symlink_to(text.removeprefix(_LINK))
        else:
            draft.write_text(text)
            draft.chmod(0o755 if text.startswith("#!") else 0o644)
        draft.replace(path)


def remove_files(root: Path, package: Package, keep: Iterable[Package]) -> None:
    """Remove a package's files but those that a package of `keep` has too, and changed configuration."""
    kept = {name for other in keep for name in other.files}
    for name in package.files.keys() - kept:
        path = root / name.lstrip("/")
        if name in package.configuration and path.exists():
            path.replace(path.with_name(path.name + ".rpmsave"))
        path.unlink(missing_ok=True)


def run_scripts(root: Path, package: Package, name: str) -> None:
    """Run one scriptlet of a package. Raises ValueError for a command that it may not have."""
    for command in package.scripts.get(name, []):
        match command:
            case ["systemctl", "preset", unit]:
                units.preset(root, unit)
            case ["kernel-install", "add", release]:
                bls.add_kernel(root, release)
            case ["kernel-install", "remove", release]:
                bls.remove_kernel(root, release)
            case _:
                raise ValueError(f"{package.nvra}: unknown scriptlet {command}")
