"""`dnf config-manager`: adding and switching repositories (dnf-plugins-core 4.0.21)."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from simlab.machine.tools.dnf import remote
from simlab.machine.tools.dnf.configuration import FOLDER, DnfError

if TYPE_CHECKING:
    import argparse


def run(options: argparse.Namespace) -> int:
    """Add or switch repositories; returns the exit status. Raises DnfError."""
    for url in options.add_repo:
        _add(url)
    for names, value in (
        (options.names if options.enable else [], "1"),
        (options.names if options.disable else [], "0"),
    ):
        for name in names:
            _set(name, "enabled", value)
    return 0


def _add(url: str) -> None:
    sys.stdout.write(f"Adding repo from: {url}\n")
    if url.endswith(".repo"):
        (FOLDER / url.rpartition("/")[2]).write_bytes(remote.get(url))
        return
    if "://" not in url:
        raise DnfError(f"Error: {url}: not an address")
    # Everything that may not be in a repository's name becomes an underscore.
    identity = re.sub(r"[^A-Za-z0-9_.:-]", "_", url.partition("://")[2])
    (FOLDER / f"{identity}.repo").write_text(
        f"[{identity}]\nname=created by dnf config-manager from {url}\nbaseurl={url}\nenabled=1\n"
    )


def _set(identity: str, key: str, value: str) -> None:
    """Set one key of a repository in its file, and leave all other lines as they are."""
    for file in FOLDER.glob("*.repo"):
        lines = file.read_text().splitlines()
        if f"[{identity}]" not in lines:
            continue
        begin = lines.index(f"[{identity}]") + 1
        end = next(
            (number for number in range(begin, len(lines)) if lines[number].startswith("[")), len(lines)
        )
        for number in range(begin, end):
            if lines[number].partition("=")[0].strip() == key:
                lines[number] = f"{key}={value}"
                break
        else:
            lines.insert(begin, f"{key}={value}")
        file.write_text("\n".join(lines) + "\n")
        return
    raise DnfError(f"Error: No matching repo to modify: {identity}.")
