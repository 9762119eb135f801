"""GRUB on a UEFI machine: the image that the firmware starts, and which of its builds cannot start what."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

IMAGE: Final = "boot/efi/EFI/anolis/grubx64.efi"

# The guide's chapter "使能SEV": with this build, a machine does not come back once SEV's arguments are set.
_CANNOT_ENCRYPT: Final = ("2.02-123.0.2.an8_6.8",)

_VERSION: Final = re.compile(r"GNU GRUB +version (\S+)")


def image(version: str) -> str:
    """Return the content of the image file of a build, such as `2.02-106.0.1.an8`."""
    return f"PE32+ executable (EFI application) x86-64: GNU GRUB  version {version}\n"


def installed(root: Path) -> str | None:
    """Return the build in the EFI system partition; None when there is none."""
    try:
        found = _VERSION.search((root / IMAGE).read_text(errors="replace"))
    except OSError:
        return None
    return found[1] if found else None


def starts(version: str, command_line: str) -> bool:
    """Whether this build of GRUB hands over to a kernel with this command line, so that it comes up."""
    return not (version in _CANNOT_ENCRYPT and "mem_encrypt=on" in command_line.split())
