"""grub2-editenv: GRUB's environment block, in which `$kernelopts` of the boot entries stands."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from simlab.machine.system import grubenv

_ROOT: Final = Path("/")


def main() -> int:
    """Carry out one command; returns the exit status."""
    known, command, words = sys.argv[1:2] == ["-"], sys.argv[2:3], sys.argv[3:]
    variables = grubenv.read(_ROOT)
    if known and command == ["list"]:
        sys.stdout.writelines(f"{name}={value}\n" for name, value in variables.items())
        return 0
    if known and command == ["set"] and all("=" in word for word in words):
        return _write(variables | dict(word.split("=", 1) for word in words))
    if known and command == ["unset"]:
        return _write({name: value for name, value in variables.items() if name not in words})
    sys.stderr.write("grub2-editenv: the simulated host knows `grub2-editenv - list|set|unset`\n")
    return 1


def _write(variables: dict[str, str]) -> int:
    try:
        grubenv.write(_ROOT, variables)
    except ValueError as error:
        sys.stderr.write(f"grub2-editenv: error: {error}.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
