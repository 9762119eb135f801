"""The host's files as an installer sees them: whole, or by the mounts of its container."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from simlab.layout import Layout

_MAX_LINKS: Final = 40  # as the kernel


class Files:
    """Paths of a host or a container, found on the runner."""

    def __init__(self, mounts: Mapping[str, Path]) -> None:
        """Take where each mount point (`/` among them) is on the runner."""
        self._mounts = {_parts(point): folder for point, folder in mounts.items()}

    @classmethod
    def of_host(cls, layout: Layout) -> Files:
        """The whole host."""
        return cls({"/": layout.host})

    def at(self, path: str) -> Path:
        """Where `path` is on the runner; the deepest mount point above it decides."""
        parts = _parts(path)
        for length in range(len(parts), -1, -1):
            if folder := self._mounts.get(parts[:length]):
                return folder.joinpath(*parts[length:])
        raise FileNotFoundError(path)

    def is_file(self, path: str) -> bool:
        """Whether there is a file, at the end of symbolic links too, as a program that sees these paths."""
        for _ in range(_MAX_LINKS):
            found = self.at(path)
            if not found.is_symlink():
                return found.is_file()
            path = os.path.join(os.path.dirname(path), found.readlink())  # noqa: PTH118, PTH120 -- no files yet
        return False

    def is_mount_point(self, path: str) -> bool:
        """Whether a path is a mount point, which cannot be removed from inside."""
        return _parts(path) in self._mounts

    def write(self, path: str, content: str, *, mode: int = 0o644) -> None:
        """Write a text file, with the folders above it."""
        target = self.for_writing(path)
        target.write_text(content)
        target.chmod(mode)

    def link(self, path: str, to: str) -> None:
        """Make a symbolic link, in the place of what was there."""
        link = self.for_writing(path)
        link.unlink(missing_ok=True)
        link.symlink_to(to)

    def for_writing(self, path: str) -> Path:
        """Where `path` is on the runner; the folders above it are made."""
        target = self.at(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def remove_empty(self, path: str) -> None:
        """Remove a folder and those above it as far as they are empty, as `rmdir -p` does."""
        parts = _parts(path)
        while parts and not self.is_mount_point("/".join(parts)):
            folder = self.at("/".join(parts))
            if not folder.is_dir() or any(folder.iterdir()):
                return
            folder.rmdir()
            parts = parts[:-1]


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("/") if part)
