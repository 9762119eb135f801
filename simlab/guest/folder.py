"""The folder that stands for a guest's memory: layers and roots of containers, gone when the guest is."""

from __future__ import annotations

import fcntl
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class GuestFolder:
    """A guest's folder, with a lock that tells the living from what a killed guest left behind."""

    def __init__(self, base: Path, name: str) -> None:
        """Make the folder under `base`, and remove the folders of guests that are dead."""
        base.mkdir(parents=True, exist_ok=True)
        with (base / ".lock").open("w") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            for other in base.iterdir():
                if other.is_dir() and _abandoned(other):
                    shutil.rmtree(other)
            self.path = base / name
            self.path.mkdir(mode=0o700)
            self._lock = _lock_file(self.path).open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX)

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


def _lock_file(folder: Path) -> Path:
    return folder / "lock"


def _abandoned(folder: Path) -> bool:
    try:
        with _lock_file(folder).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
