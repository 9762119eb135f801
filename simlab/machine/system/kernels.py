"""Kernels as files in /boot, and what is started of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_IMAGE: Final = re.compile(r"bzImage, version (?P<release>\S+) \((?P<builder>[^)]*)\) (?P<version>#.+)")


@dataclass(frozen=True)
class Kernel:
    """A kernel: its release (`uname -r`) and its version (`uname -v`)."""

    release: str
    version: str
    builder: str = "mockbuild@anolis-build-01"

    @property
    def generation(self) -> tuple[int, int]:
        """The first two numbers of its release, such as (5, 10)."""
        major, minor = self.release.split(".")[:2]
        return int(major), int(minor)

    def image(self) -> str:
        """Return the content of its file in /boot: what file(1) tells of a real one."""
        kind = "Linux kernel x86 boot executable bzImage"
        return f"{kind}, version {self.release} ({self.builder}) {self.version}\n"


def read(image: Path) -> Kernel | None:
    """Return the kernel in an image file; None when it is missing or something else."""
    try:
        found = _IMAGE.search(image.read_text(errors="replace"))
    except OSError:
        return None
    return Kernel(found["release"], found["version"], found["builder"]) if found else None
