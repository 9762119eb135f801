"""A port on the host that leads here: bytes both ways, and a host that refuses it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import paramiko
import pytest

from lab.errors import LabError
from lab.reverse import Reverse

if TYPE_CHECKING:
    from collections.abc import Callable


class Transport:
    """paramiko's, as far as it is asked."""

    def __init__(self, refuses: str = "") -> None:
        self._refuses = refuses
        self.handler: Callable[..., None] | None = None
        self.cancelled: list[tuple[str, int]] = []

    def request_port_forward(self, address: str, port: int, handler: Callable[..., None]) -> int:
        if self._refuses:
            raise paramiko.SSHException(self._refuses)
        assert (address, port) == ("127.0.0.1", 0)
        self.handler = handler
        return 43210

    def cancel_port_forward(self, address: str, port: int) -> None:
        self.cancelled.append((address, port))


class Connection:
    def __init__(self, transport: Transport) -> None:
        self.transport = transport


def reverse(transport: Transport, target: int) -> Reverse:
    connection: Any = Connection(transport)
    return Reverse(connection, target)


def test_what_comes_to_the_port_is_carried_here_and_back() -> None:
    transport = Transport()
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        reverse(transport, server.getsockname()[1]) as way,
    ):
        assert way.port == 43210
        host_end, channel = socket.socketpair()
        assert transport.handler is not None
        transport.handler(channel, ("127.0.0.1", 5), ("127.0.0.1", 43210))
        here, _ = server.accept()
        host_end.sendall(b"asked")
        assert here.recv(16) == b"asked"
        here.sendall(b"answered")
        assert host_end.recv(16) == b"answered"
        here.close()
        assert host_end.recv(16) == b""
        host_end.close()
    assert transport.cancelled == [("127.0.0.1", 43210)]


def test_a_port_here_on_which_nobody_listens_ends_the_connection() -> None:
    transport = Transport()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with reverse(transport, port):
        host_end, channel = socket.socketpair()
        assert transport.handler is not None
        transport.handler(channel, ("127.0.0.1", 5), ("127.0.0.1", 43210))
        host_end.settimeout(10)
        assert host_end.recv(16) == b""
        host_end.close()


def test_a_host_that_forwards_nothing_is_told() -> None:
    with (
        pytest.raises(LabError, match="opens no port for us: TCP forwarding request denied"),
        reverse(Transport("TCP forwarding request denied"), 1),
    ):
        pass
