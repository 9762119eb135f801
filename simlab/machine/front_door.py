"""Where the host is reached from outside: its SSH server, on a port of the runner's."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Final

from simlab.machine import access

if TYPE_CHECKING:
    from simlab.layout import Layout
    from simlab.service import Service

_BACKLOG: Final = 128


class FrontDoor:
    """The SSH server and the socket it listens on; the socket lives as long as the lab and keeps its port."""

    def __init__(self, layout: Layout, descriptor: int, sshd: Service) -> None:
        self._layout = layout
        self._socket = socket.socket(fileno=os.dup(descriptor))
        self._sshd = sshd

    async def open(self) -> None:
        """Listen, and answer."""
        access.listening_file(self._layout).unlink(missing_ok=True)
        self._socket.listen(_BACKLOG)
        await self._sshd.start()

    async def close(self) -> None:
        """Break every connection, and refuse new ones."""
        await self._sshd.stop(0)
        # Linux ends a listening socket so; listen() takes it back with the same port (tcp_disconnect).
        # Only a listening one: any other would keep the mark, and hand it on to connections of later.
        if self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            self._socket.shutdown(socket.SHUT_RD)
