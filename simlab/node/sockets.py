"""Connections to Unix sockets whose path is longer than the kernel allows for a socket's address."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_LINE_LIMIT = 64 * 1024 * 1024


async def connect(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to the socket at `path`. Raises OSError."""
    # sun_path holds 107 bytes; the folder's descriptor makes any path short.
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        return await asyncio.open_unix_connection(f"/proc/self/fd/{folder}/{path.name}", limit=_LINE_LIMIT)
    finally:
        os.close(folder)
