"""Files for libraries that insist on a path: in memory, so that nothing stays on disk however a run ends."""

from __future__ import annotations

import os
from typing import Self


class MemoryFile:
    """A file that this process alone sees, at `path`, until it is closed."""

    def __init__(self, data: bytes) -> None:
        self._descriptor = os.memfd_create("conformance")
        with os.fdopen(os.dup(self._descriptor), "wb") as file:
            file.write(data)

    @property
    def path(self) -> str:
        """Where the file can be opened, as often as needed."""
        return f"/proc/self/fd/{self._descriptor}"

    def close(self) -> None:
        """Give its memory back; closing twice is fine."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
