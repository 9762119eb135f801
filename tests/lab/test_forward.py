from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from typing import TYPE_CHECKING

import pytest

from lab.errors import ForwardRefused
from lab.forward import _pump

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lab.host import Host
    from tests.lab.ssh_peer import SshPeer


class _Echo(socketserver.BaseRequestHandler):
    """Says back what it got once the other side has said all."""

    def handle(self) -> None:
        said = bytearray()
        while chunk := self.request.recv(1 << 16):
            said += chunk
        self.request.sendall(said)


@pytest.fixture
def echo() -> Iterator[int]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Echo) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def _say(port: int, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:

        def speak() -> None:
            with contextlib.suppress(OSError):
                connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)

        threading.Thread(target=speak, daemon=True).start()
        said = bytearray()
        while chunk := connection.recv(1 << 16):
            said += chunk
        return bytes(said)


def test_bytes_pass_both_ways_and_an_end_is_passed_on(host: Host, echo: int) -> None:
    with host.forward("127.0.0.1", echo) as port:
        assert _say(port, b"hello") == b"hello"
        big = bytes(range(256)) * 20_000
        assert _say(port, big) == big


def test_connections_pass_side_by_side_through_one_login(host: Host, ssh_peer: SshPeer, echo: int) -> None:
    answers: list[bytes] = []
    with host.forward("127.0.0.1", echo) as port:
        threads = [
            threading.Thread(target=lambda n=n: answers.append(_say(port, b"%d" % n))) for n in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    assert sorted(answers, key=int) == [b"%d" % n for n in range(20)]
    assert ssh_peer.logins == 1


def test_an_address_that_the_host_cannot_reach_is_told(host: Host) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        free = unused.getsockname()[1]
    with pytest.raises(ForwardRefused, match=f"the host cannot reach 127.0.0.1:{free}: .*refused"):
        host.open_channel("127.0.0.1", free)
    forward = host.forward("127.0.0.1", free)
    with forward as port:
        with contextlib.suppress(ConnectionResetError):
            assert _say(port, b"x") == b""
        assert "refused" in str(forward.failure)


def test_a_server_that_forbids_forwarding_is_told(host: Host, ssh_peer: SshPeer, echo: int) -> None:
    ssh_peer.allow_forwarding = False
    with pytest.raises(ForwardRefused, match="AllowTcpForwarding"):
        host.open_channel("127.0.0.1", echo)


def test_a_forward_survives_a_reconnect(host: Host, ssh_peer: SshPeer, echo: int) -> None:
    with host.forward("127.0.0.1", echo) as port:
        assert _say(port, b"one") == b"one"
        ssh_peer.drop_connections()
        assert _say(port, b"two") == b"two"


def test_closing_ends_what_is_open_and_frees_the_port(
    host_of: Callable[..., Host], ssh_peer: SshPeer, echo: int
) -> None:
    host = host_of(ssh_peer.login())
    forward = host.forward("127.0.0.1", echo)
    connection = socket.create_connection(("127.0.0.1", forward.port), timeout=5)
    connection.sendall(b"x")
    forward.close()
    with contextlib.suppress(ConnectionResetError):
        assert connection.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", forward.port), timeout=5)
    connection.close()


class _Broken:
    """A channel whose connection is gone."""

    def __init__(self) -> None:
        self.closed = False

    def sendall(self, data: bytes) -> None:
        raise EOFError

    def close(self) -> None:
        self.closed = True


def test_a_connection_that_breaks_under_a_transfer_ends_both_ends() -> None:
    ours, theirs = socket.socketpair()
    channel = _Broken()
    with ours, theirs:
        theirs.sendall(b"x")
        _pump(ours, channel)  # type: ignore[arg-type]
        assert channel.closed
        theirs.settimeout(30)
        assert theirs.recv(1) == b""
