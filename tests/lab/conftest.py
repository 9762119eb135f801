from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lab.host import Host
from lab.labfile import LabFile
from lab.record import MemoryRecord
from lab.secret import Redactor
from tests.lab.ssh_peer import SshPeer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def ssh_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ssh")


@pytest.fixture
def ssh_peer(tmp_path: Path) -> Iterator[SshPeer]:
    folder = tmp_path / "ssh"
    folder.mkdir()
    peer = SshPeer(folder)
    peer.start()
    yield peer
    peer.stop()


@pytest.fixture
def record() -> MemoryRecord:
    return MemoryRecord()


@pytest.fixture
def lab_of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., LabFile]:
    """Makes a lab file's content; keyword arguments are its tables."""
    monkeypatch.setenv("KBS_PASSWORD", "kbspassword")

    def make(ssh: dict[str, Any], **tables: Any) -> LabFile:
        content: dict[str, Any] = {
            "name": "test",
            "profile": "anolis-8.6-coco-0.3.0",
            "ssh": ssh,
            "kbs": {"database": {"password": {"env": "KBS_PASSWORD"}}},
            "files": {
                "initrd_online": {"url": "https://example.org/online.img", "sha256": "0" * 64},
                "initrd_offline": {"url": "https://example.org/offline.img", "sha256": "0" * 64},
            },
            "pins": {"firmware": "0" * 64, "kernel": "0" * 64},
        }
        return LabFile.model_validate(content | tables, strict=False)

    return make


@pytest.fixture
def host_of(lab_of: Callable[..., LabFile], record: MemoryRecord) -> Iterator[Callable[..., Host]]:
    """Makes hosts from what a lab file's `[ssh]` says."""
    hosts: list[Host] = []

    def make(ssh: dict[str, Any], **tables: Any) -> Host:
        hosts.append(Host(lab_of(ssh, **tables), record, Redactor()))
        return hosts[-1]

    yield make
    for host in hosts:
        host.close()


@pytest.fixture
def host(ssh_peer: SshPeer, host_of: Callable[..., Host]) -> Host:
    return host_of(ssh_peer.login())
