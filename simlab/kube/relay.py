"""A door for a server that cannot inherit a socket: `python -m simlab.kube.relay --fd N --to ADDRESS:PORT`.

Whatever comes in on the listening socket goes to the address, and back. TLS passes untouched.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import socket
import sys
from typing import Final

from setproctitle import setproctitle

_CHUNK: Final = 65536


async def serve(listening: socket.socket, host: str, port: int) -> None:
    """Relay connections until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(host, port)
        except OSError:
            writer.close()
            return
        try:
            async with asyncio.TaskGroup() as ways:
                ways.create_task(_copy(reader, far_writer))
                ways.create_task(_copy(far_reader, writer))
        finally:
            writer.close()
            far_writer.close()

    server = await asyncio.start_server(relay, sock=listening)
    async with server:
        await stop.wait()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy one way to its end, which the other side is told."""
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()


def main() -> int:
    """Parse the command line and relay; returns the exit status."""
    parser = argparse.ArgumentParser(prog="simlab.kube.relay", description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="a listening socket that was inherited")
    parser.add_argument("--to", required=True, metavar="ADDRESS:PORT")
    options = parser.parse_args()
    host, _, port = options.to.rpartition(":")
    setproctitle("simlab-api-relay")
    asyncio.run(serve(socket.socket(fileno=options.fd), host, int(port)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
