"""The versions of what is tested, as found on the lab."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from lab.versions import record_versions
from tests.lab.said import SayingHost

if TYPE_CHECKING:
    from lab.record import MemoryRecord

TOML = "/opt/kata/sev.toml"
FILES = {
    TOML: b'[hypervisor.qemu]\nfirmware = "/f"\nkernel = "/k"\ninitrd = "/i"\n',
    "/f": b"ovmf",
    "/k": b"k",
}


class FilesHost(SayingHost):
    def sha256(self, path: str) -> str:
        return hashlib.sha256(self.read_file(path)).hexdigest()


class SmallCluster:
    def __init__(self, deployment: dict[str, Any] | None = None) -> None:
        self._deployment = deployment

    def server_version(self) -> str:
        return "v1.24.8"

    def list(self, kind: str) -> list[dict[str, Any]]:
        return []

    def get(self, kind: str, name: str, namespace: str) -> dict[str, Any] | None:
        return self._deployment


@pytest.fixture
def profile() -> Any:
    profile: Any = type("Profile", (), {})()
    profile.kata = type("Kata", (), {"sev_configuration": TOML, "sev_runtime_class": "kata-qemu-sev"})()
    profile.kbs = type(
        "Kbs",
        (),
        {"server_container": "server", "database_container": "db", "folder": "/kbs", "tag": "0.1.1"},
    )()
    return profile


@pytest.fixture(autouse=True)
def _tag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.changes.kbs.KbsSource.tag", lambda _: "0.1.1")


def _versions(host: FilesHost, cluster: SmallCluster, profile: Any, record: MemoryRecord) -> dict[str, str]:
    some_cluster: Any = cluster
    record_versions(host.as_host, some_cluster, profile, record)
    return record.versions


def test_what_guests_are_started_with_is_told_by_digest(profile: Any, record: MemoryRecord) -> None:
    host = FilesHost({"cat /proc/cmdline": "quiet mem_encrypt=on\n"}, dict(FILES))
    containers = [{"name": "manager", "image": "quay.io/operator:v0.2.0"}]
    deployment = {"spec": {"template": {"spec": {"containers": containers}}}}
    told = _versions(host, SmallCluster(deployment), profile, record)
    assert told["kernel arguments"] == "quiet mem_encrypt=on"
    assert told["operator's manager"] == "quay.io/operator:v0.2.0"
    assert told["OVMF"] == f"SHA-256 {hashlib.sha256(b'ovmf').hexdigest()}, /f"
    assert told["kata SEV configuration"] == f"SHA-256 {hashlib.sha256(FILES[TOML]).hexdigest()}"
    assert told["guest kernel"].endswith(", /k")
    assert "guest initrd" not in told  # it is named, and not there


SHIM = "/usr/local/bin/containerd-shim-kata-qemu-sev-v2"
# kata-containers CC-0.3.0, src/runtime/cmd/containerd-shim-kata-v2/main.go; outside of git without a commit.
SAID = (
    'Kata Containers containerd shim (Golang): id: "io.containerd.kata.v2", '
    "version: 3.1.0-alpha1, commit: {}\n"
)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (SAID.format("b91337af-dirty"), "3.1.0-alpha1, commit b91337af-dirty, SHA-256 "),
        (SAID.format(""), "3.1.0-alpha1, SHA-256 "),
        ("something else\n", "unknown"),
        ((126, "Permission denied"), "unknown"),
    ],
)
def test_kata_is_what_its_shim_says_it_is(profile: Any, record: MemoryRecord, said: Any, told: str) -> None:
    host = FilesHost({f"{SHIM} --version": said}, FILES | {SHIM: b"ELF"})
    kata = _versions(host, SmallCluster(), profile, record)["kata"]
    digest = hashlib.sha256(b"ELF").hexdigest()
    assert kata == (told + digest if told.endswith(" ") else told)


@pytest.mark.parametrize("files", [{}, {TOML: b"["}], ids=["none", "no TOML"])
def test_a_lab_that_is_not_that_far_has_none(
    profile: Any, record: MemoryRecord, files: dict[str, bytes]
) -> None:
    told = _versions(FilesHost({}, files), SmallCluster(), profile, record)
    assert told["kernel arguments"] == "unknown"
    assert {"kata", "OVMF", "guest kernel", "operator's manager"}.isdisjoint(told)
