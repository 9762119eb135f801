"""The program that the relay runs on a host, run here by this Python."""

import base64
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from lab.relay import PROGRAM


@pytest.fixture
def echo() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)
        yield server


def test_it_forwards_both_ways_and_tells_only_what_the_client_sends(echo: socket.socket) -> None:
    port = str(echo.getsockname()[1])
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "127.0.0.1", "127.0.0.1", port], stdout=subprocess.PIPE, text=True
    ) as relay:
        try:
            assert relay.stdout is not None
            started = json.loads(relay.stdout.readline())
            assert started["pid"] == relay.pid
            with socket.create_connection(("127.0.0.1", started["port"]), 5) as client:
                client.sendall(b"question")
                server, _ = echo.accept()
                with server:
                    assert server.recv(100) == b"question"
                    server.sendall(b"answer")
                    assert client.recv(100) == b"answer"
            relay.send_signal(signal.SIGUSR1)
            told = []
            while not (fact := json.loads(relay.stdout.readline())).get("mark"):
                told.append((fact["connection"], base64.b64decode(fact["data"])))
            assert told == [(1, b"question")]
        finally:
            relay.kill()


def test_a_server_that_is_not_there_closes_the_client(echo: socket.socket) -> None:
    port = str(echo.getsockname()[1])
    echo.close()
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "127.0.0.1", "127.0.0.1", port], stdout=subprocess.PIPE, text=True
    ) as relay:
        try:
            assert relay.stdout is not None
            started = json.loads(relay.stdout.readline())
            with socket.create_connection(("127.0.0.1", started["port"]), 5) as client:
                assert client.recv(100) == b""
            assert "refused" in json.loads(relay.stdout.readline())["error"]
        finally:
            relay.kill()
