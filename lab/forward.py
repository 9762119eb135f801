"""A local port that leads to an address as the host sees it, for libraries that want an address.

Each connection to the port gets a channel of its own over the host's SSH connection, opened when it comes, so
a forward survives a reconnect of the host.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Protocol

from lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable

    import paramiko

CHUNK = 1 << 16


class _Stream(Protocol):
    def recv(self, size: int, /) -> bytes: ...
    def sendall(self, data: bytes, /) -> None: ...
    def close(self) -> None: ...


class Forward:
    """Listens on 127.0.0.1 at `port` until it is closed. `failure` tells why the last one led nowhere."""

    def __init__(self, open_channel: Callable[[], paramiko.Channel]) -> None:
        self._open_channel = open_channel
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.failure: LabError | None = None
        self._lock = threading.Lock()
        self._open: set[_Stream] = set()
        self._closed = False
        self._acceptor = threading.Thread(target=self._accept, name=f"forward {self.port}", daemon=True)
        self._acceptor.start()

    @property
    def address(self) -> str:
        """The local end as `127.0.0.1:PORT`."""
        return f"127.0.0.1:{self.port}"

    def _accept(self) -> None:
        while True:
            try:
                local, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(local,), daemon=True).start()

    def _serve(self, local: socket.socket) -> None:
        local.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            channel = self._open_channel()
        except LabError as error:
            self.failure = error
            local.close()
            return
        self.failure = None
        with self._lock:
            if self._closed:
                local.close()
                channel.close()
                return
            self._open |= {local, channel}
        back = threading.Thread(target=_pump, args=(channel, local), daemon=True)
        back.start()
        _pump(local, channel)
        back.join()
        with self._lock:
            self._open -= {local, channel}
        local.close()
        channel.close()

    def close(self) -> None:
        """Stop listening and end the connections that are open."""
        with self._lock:
            self._closed = True
            left, self._open = self._open, set()
        # Closing alone does not wake a thread that waits in accept or recv.
        _end(self._listener)
        for stream in left:
            _end(stream)
        self._acceptor.join(5)

    def __enter__(self) -> int:
        """The local port."""
        return self.port

    def __exit__(self, *exception: object) -> None:
        self.close()


def carry(channel: paramiko.Channel, local: socket.socket) -> None:
    """Carry bytes both ways until both ends are done, and close them."""
    local.settimeout(None)
    local.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    back = threading.Thread(target=_pump, args=(channel, local), daemon=True)
    back.start()
    _pump(local, channel)
    back.join()
    local.close()
    channel.close()


def _pump(source: socket.socket | paramiko.Channel, sink: socket.socket | paramiko.Channel) -> None:
    """Carry bytes until `source` ends, then tell `sink` that no more will come; on an error end both."""
    try:
        while chunk := source.recv(CHUNK):
            sink.sendall(chunk)
        sink.shutdown(socket.SHUT_WR)
    except (OSError, EOFError):
        # paramiko says EOFError where the connection under its channel is gone.
        _end(source)
        _end(sink)


def _end(stream: _Stream) -> None:
    with contextlib.suppress(OSError, EOFError):
        if isinstance(stream, socket.socket):
            stream.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError, EOFError):
        stream.close()
