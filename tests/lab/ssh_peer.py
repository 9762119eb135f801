"""A real SSH server for the tests of the host driver: asyncssh in a thread, with the local bash as shell."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import asyncssh
from asyncssh.packet import UInt32

if TYPE_CHECKING:
    from pathlib import Path

_CAT = """#!/bin/sh
[ "$1" = /proc/sys/kernel/random/boot_id ] && set -- "$BOOT_ID_FILE"
exec /bin/cat "$@"
"""

_SUDO = """#!/bin/sh
[ "$1" = -n ] && shift
[ "$1" = -- ] && shift
BECAME=root BECAME_UID=0 exec "$@"
"""


@dataclass
class SshPeer:
    """An SSH server on 127.0.0.1. `commands` is what it was asked to run, `boot_id` which boot it is."""

    root: Path
    allow_forwarding: bool = True
    max_sessions: int = 100
    port: int = 0
    commands: list[str] = field(default_factory=list)
    logins: int = 0
    boot_id: str = "11111111-2222-3333-4444-555555555555"
    # Who logs in, and what the login's shell prints before it does anything.
    uid: int = 0
    greeting: str = ""
    # Bytes that its disk has room for in one file.
    room: int | None = None

    def __post_init__(self) -> None:
        self.host_key = asyncssh.generate_private_key("ssh-ed25519")
        self.user_key = asyncssh.generate_private_key("ssh-ed25519")
        self.key = self.root / "id_ed25519"
        self.key.write_bytes(self.user_key.export_private_key())
        self.known_hosts = self.root / "known_hosts"
        self.bin = self.root / "bin"
        self.bin.mkdir()
        sudo = self.bin / "sudo"
        sudo.write_text(_SUDO)
        sudo.chmod(0o755)
        cat = self.bin / "cat"
        cat.write_text(_CAT)
        cat.chmod(0o755)
        identity = self.bin / "id"
        identity.write_text(f"#!/bin/sh\necho ${{BECAME_UID-{self.uid}}}\n")
        identity.chmod(0o755)
        self._boot_id_file = self.root / "boot_id"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._connections: set[asyncssh.SSHServerConnection] = set()
        self._children: list[subprocess.Popen[bytes]] = []
        self._server: asyncssh.SSHAcceptor | None = None

    def start(self) -> None:
        if not self._thread.is_alive():
            self._thread.start()
        self._call(self._listen())
        public = self.host_key.export_public_key().decode().strip()
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {public}\n")

    def stop_listening(self) -> None:
        self._call(self._close())

    def stop(self) -> None:
        self.stop_listening()
        self.drop_connections()
        self._call(self._end_children())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _end_children(self) -> None:
        for child in self._children:
            child.kill()
            child.wait()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    def drop_connections(self) -> None:
        async def drop() -> None:
            for connection in list(self._connections):
                connection.abort()

        self._call(drop())

    def freeze(self, seconds: float) -> None:
        """Answer nothing for a while, with the connection kept open."""

        async def block() -> None:
            threading.Event().wait(seconds)

        asyncio.run_coroutine_threadsafe(block(), self._loop)

    def login(self, **changes: Any) -> dict[str, Any]:
        """What a lab file's `[ssh]` says of it."""
        found: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": self.port,
            "user": "root",
            "key": self.key,
            "known_hosts": self.known_hosts,
        }
        return found | changes

    def _call(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _listen(self) -> None:
        self._server = await asyncssh.create_server(
            lambda: _Door(self),
            "127.0.0.1",
            self.port,
            server_host_keys=[self.host_key],
            process_factory=self._serve,
            sftp_factory=lambda chan: _Files(self, chan),
            encoding=None,
        )
        self.port = self._server.get_port()

    async def _serve(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        command = process.command or ""
        self.commands.append(command)
        self._boot_id_file.write_text(self.boot_id + "\n")
        environment = os.environ | {
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "BOOT_ID_FILE": str(self._boot_id_file),
        }
        child = subprocess.Popen(  # noqa: ASYNC220 - asyncio's own waits for the streams, not for the process
            ["bash", "-c", f"{self.greeting}\n{command}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            bufsize=0,
        )
        self._children.append(child)
        assert child.stdin is not None
        stdin = child.stdin

        async def feed() -> None:
            with contextlib.suppress(Exception):
                while chunk := await process.stdin.read(1 << 16):
                    await asyncio.to_thread(_write_all, stdin.fileno(), chunk)
            stdin.close()

        feeding = asyncio.ensure_future(feed())
        carrying = asyncio.gather(_carry(child.stdout, process.stdout), _carry(child.stderr, process.stderr))
        code = await asyncio.to_thread(child.wait)
        # As OpenSSH does: the exit status goes out at once, the channel closes when the streams end.
        with contextlib.suppress(Exception):
            process.channel._send_request(b"exit-status", UInt32(code % 256))
        with contextlib.suppress(Exception):
            await carrying
        feeding.cancel()
        with contextlib.suppress(Exception):
            process.close()


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


async def _carry(source: Any, sink: Any) -> None:
    reader = asyncio.StreamReader()
    pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), source
    )
    try:
        while chunk := await reader.read(1 << 16):
            sink.write(chunk)
            await sink.drain()
    except (OSError, asyncssh.Error):
        return
    finally:
        pipe.close()


class _Files(asyncssh.SFTPServer):
    def __init__(self, peer: SshPeer, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        super().__init__(chan)
        self._peer = peer

    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        """As OpenSSH's server does on a disk that is full."""
        if self._peer.room is not None and offset + len(data) > self._peer.room:
            raise asyncssh.SFTPFailure("Failure")
        return super().write(file_obj, offset, data)  # type: ignore[return-value]


class _Door(asyncssh.SSHServer):
    def __init__(self, peer: SshPeer) -> None:
        self._peer = peer
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._peer._connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._connection is not None:
            self._peer._connections.discard(self._connection)

    def begin_auth(self, username: str) -> bool:
        return True

    def auth_completed(self) -> None:
        self._peer.logins += 1

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return key == self._peer.user_key.convert_to_public() and username in {"root", "anolis"}

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return password == "open sesame"

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        if not self._peer.allow_forwarding:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, "no forwarding")
        return True
