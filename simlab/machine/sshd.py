"""The simulated host's SSH server: `python -m simlab.machine.sshd --root DIR --fd N`.

Logins, sessions and forwarding as OpenSSH's sshd offers them with its default settings; commands and
sftp-server run in the sandbox (`simlab.machine.sandbox`), forwarded channels end in the lab's network.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import asyncssh
from asyncssh.stream import SSHServerStreamSession
from setproctitle import setproctitle

from simlab.layout import Layout
from simlab.machine import access
from simlab.machine.session import SUBSYSTEMS, Session, Streams

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from asyncssh.channel import SSHChannel

# sshd_config(5): the default of MaxSessions, and the refusal's code and text (OpenSSH's serverloop.c).
_MAX_SESSIONS: Final = 10
_OPEN_FAILED: Final = (asyncssh.OPEN_CONNECT_FAILED, "open failed")

# What Anolis 8.6 ships.
_VERSION: Final = "OpenSSH_8.0"


class HostServer(asyncssh.SSHServer):
    """One connection."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._sessions = 0
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Remember the connection."""
        self._connection = conn

    def begin_auth(self, username: str) -> bool:
        """Ask for a key that is authorized now; only root has any."""
        keys = access.authorized_keys(self._layout)
        if username == "root" and keys.exists() and self._connection:
            self._connection.set_authorized_keys(str(keys))
        return True

    def session_requested(self) -> SessionChannel:
        """Open a session, unless the connection has as many as sshd allows."""
        if self._sessions >= _MAX_SESSIONS:
            raise asyncssh.ChannelOpenError(*_OPEN_FAILED)
        self._sessions += 1
        return SessionChannel(self._run_session)

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        """Let the client connect to anything that the host reaches (`ssh -L`)."""
        del dest_host, dest_port, orig_host, orig_port
        return True

    async def server_requested(self, listen_host: str, listen_port: int) -> asyncssh.SSHListener:
        """Listen for the client (`ssh -R`) on the loopback, whatever was asked for: GatewayPorts is off."""
        if self._connection is None:
            raise AssertionError("a request without a connection")
        return await self._connection.forward_local_port("127.0.0.1", listen_port, listen_host, listen_port)

    async def _run_session(self, streams: Streams) -> None:
        # A program that outlives its channel counts until it ends (session.c, session_close_by_channel).
        await Session(self._layout, streams).run()
        self._sessions -= 1


class SessionChannel(SSHServerStreamSession[bytes]):
    """A session's channel: asyncssh's streams, but with sftp as a program like any other."""

    def __init__(self, run: Callable[[Streams], Awaitable[None]]) -> None:
        super().__init__(None)
        self._run = run
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, chan: SSHChannel[bytes]) -> None:
        """Remember the channel."""
        super().connection_made(chan)
        self._channel = chan

    def shell_requested(self) -> bool:
        """Allow a login shell."""
        return True

    def exec_requested(self, command: str) -> bool:
        """Allow any command."""
        del command
        return True

    def subsystem_requested(self, subsystem: str) -> bool:
        """Allow the subsystems that the server's configuration names."""
        return subsystem in SUBSYSTEMS

    def session_started(self) -> None:
        """Run the program that was asked for."""
        streams = Streams(
            asyncssh.SSHReader(self, self._channel),
            asyncssh.SSHWriter(self, self._channel),
            asyncssh.SSHWriter(self, self._channel, asyncssh.EXTENDED_DATA_STDERR),
        )
        task = asyncio.ensure_future(self._run(streams))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def serve(layout: Layout, sock: socket.socket) -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = await asyncssh.listen(
        sock=sock,
        server_factory=lambda: HostServer(layout),
        server_host_keys=[str(access.host_key(layout))],
        server_version=_VERSION,
        encoding=None,
        line_editor=False,
        agent_forwarding=False,
    )
    access.listening_file(layout).touch()
    async with server:
        await stop.wait()


def main() -> int:
    """Parse the command line and serve; returns the exit status."""
    parser = argparse.ArgumentParser(prog="simlab.machine.sshd", description=__doc__)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--fd", type=int, required=True, help="a listening socket that was inherited")
    options = parser.parse_args()
    setproctitle("sshd: /usr/sbin/sshd -D [listener]")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("asyncssh").setLevel(logging.WARNING)
    sock = socket.socket(fileno=options.fd)
    sock.setblocking(False)
    asyncio.run(serve(Layout(options.root), sock))
    return 0


if __name__ == "__main__":
    sys.exit(main())
