"""Reading and writing pipes and terminals from an event loop."""

from __future__ import annotations

import asyncio
import errno
import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK: Final = 65536


async def read(descriptor: int) -> bytes:
    """Return what is there, waiting until something is; empty at the end."""
    os.set_blocking(descriptor, False)
    loop = asyncio.get_running_loop()
    while True:
        try:
            return os.read(descriptor, CHUNK)
        except BlockingIOError:
            await _until(descriptor, loop.add_reader, loop.remove_reader)
        except OSError as error:
            # A terminal's master ends this way when no program has the terminal open any more (Linux).
            if error.errno == errno.EIO:
                return b""
            raise


async def write(descriptor: int, data: bytes) -> None:
    """Write all of it. Raises BrokenPipeError when nobody reads any more."""
    os.set_blocking(descriptor, False)
    loop = asyncio.get_running_loop()
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            await _until(descriptor, loop.add_writer, loop.remove_writer)


async def _until(descriptor: int, add: Callable[..., object], remove: Callable[[int], object]) -> None:
    ready = asyncio.get_running_loop().create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    add(descriptor, wake)
    try:
        await ready
    finally:
        remove(descriptor)
