from __future__ import annotations

import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from simlab import addresses, artifacts, pki
from simlab.images import catalog
from simlab.images.registry_client import RegistryClient
from simlab.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Iterator

START_SECONDS = 20


@dataclass(frozen=True)
class Internet:
    layout: Layout
    port: int

    @property
    def roots(self) -> Path:
        return self.layout.pki / "internet-ca.crt"

    def client(self, roots: str | None = None) -> RegistryClient:
        hosts = dict.fromkeys(addresses.INTERNET_NAMES, f"127.0.0.1:{self.port}")
        return RegistryClient(roots if roots is not None else self.roots.read_text(), hosts=hosts)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        assert process.poll() is None, "the server died"
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError(f"nobody listens on {port}")


@pytest.fixture(scope="session")
def internet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Internet]:
    layout = Layout(tmp_path_factory.mktemp("internet"))
    pki.create(layout, 6443)
    artifacts.build(layout)
    catalog.publish(layout, Path("/bin/busybox"))
    port = free_port()
    argv = [
        sys.executable,
        "-m",
        "simlab.internet",
        "--root",
        str(layout.root),
        "--listen",
        f"127.0.0.1:{port}",
    ]
    with subprocess.Popen(argv) as process:
        try:
            wait_for(port, process)
            yield Internet(layout, port)
        finally:
            process.terminate()
            assert process.wait(10) == 0


@pytest.fixture
def local_registry(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    argv = [sys.executable, "-m", "simlab.internet.registry"]
    argv += ["--listen", f"127.0.0.1:{port}", "--root", str(tmp_path / "registry")]
    with subprocess.Popen(argv) as process:
        try:
            wait_for(port, process)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            assert process.wait(10) == 0
