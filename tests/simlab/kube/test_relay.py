"""The door to a server that cannot inherit a socket."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.fixture
def door(server: socket.socket) -> Iterator[tuple[str, int]]:
    """The address of a relay to the server."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        fd = listening.fileno()
        address, port = server.getsockname()
        argv = [sys.executable, "-m", "simlab.kube.relay", "--fd", str(fd), "--to", f"{address}:{port}"]
        with subprocess.Popen(argv, pass_fds=(fd,)) as process:
            yield listening.getsockname()
            process.terminate()
            assert process.wait(10) == 0


def test_what_comes_in_goes_on_and_back_until_either_side_is_done(
    server: socket.socket, door: tuple[str, int]
) -> None:
    heard = []

    def answer() -> None:
        connection, _ = server.accept()
        with connection:
            while data := connection.recv(65536):
                heard.append(data)
            connection.sendall(b"all of it")

    thread = threading.Thread(target=answer)
    thread.start()
    sent = bytes(range(256)) * 4096
    with socket.create_connection(door, timeout=10) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        assert client.recv(100) == b"all of it"
        assert client.recv(100) == b""
    thread.join(10)
    assert b"".join(heard) == sent


def test_a_server_that_is_gone_ends_the_connection(server: socket.socket, door: tuple[str, int]) -> None:
    server.close()
    with socket.create_connection(door, timeout=10) as client:
        assert client.recv(1) == b""
