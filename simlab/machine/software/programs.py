"""Programs of packages: on the host, each is a launcher of a module of `simlab.machine.tools`."""

from __future__ import annotations

from typing import Final

LIBRARY: Final = "/usr/local/lib/simlab"
# Anolis has them in /usr/bin, which here is the runner's.
FOLDER: Final = "/usr/local/bin"


def launcher(module: str, *arguments: str) -> str:
    """Return the text of a program that runs a tool's module."""
    # Only the standard library is needed, and no site means a quicker start.
    words = ["exec /usr/bin/python3 -SP -m", f"simlab.machine.tools.{module}", *arguments, '"$@"']
    return f"#!/bin/sh\nPYTHONPATH={LIBRARY} {' '.join(words)}\n"


def program(name: str, module: str = "", *arguments: str) -> dict[str, str]:
    """Return a package's files for one program."""
    return {f"{FOLDER}/{name}": launcher(module or name, *arguments)}


def unit(name: str, description: str, documentation: str, command: str, *, alias: str = "") -> dict[str, str]:
    """Return a package's files for one service."""
    also = f"Alias={alias}\n" if alias else ""
    text = (
        f"[Unit]\nDescription={description}\nDocumentation={documentation}\n\n"
        f"[Service]\nExecStart={command}\n\n[Install]\nWantedBy=multi-user.target\n{also}"
    )
    return {f"/usr/lib/systemd/system/{name}": text}
