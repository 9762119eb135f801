"""Reading a file that may be anything: no more of it than it can be worth."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def read_at_most(path: Path, limit: int, flags: int = 0) -> bytes:
    """The content of a file of at most `limit` bytes; `flags` are more of os.open's.

    Raises OSError, whose `strerror` says what is wrong, for a larger file too.
    """
    with os.fdopen(os.open(path, os.O_RDONLY | flags), "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"it is larger than {limit} bytes", str(path))
    return data
