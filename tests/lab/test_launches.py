"""A launch is measured as the guest that it is: SEV, or SEV-ES with its vCPUs and the host's processor."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import pytest

from lab.errors import LabError
from lab.launches import Launch, Launches
from lab.measurement import HashTable, launch_digest
from lab.parsers.qemu import QemuArguments, parse_cmdline
from tests.lab.said import SayingHost
from tests.lab.test_measurement import WITH_HASHES

CPU = (
    "vendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 1\nmodel name\t: EPYC\n"
    "stepping\t: 1\nflags\t: sev\n"
)
SHA = "0" * 64


@dataclass
class Node:
    qemu: QemuArguments
    pid: int = 1

    def virtual_machine(self, namespace: str, name: str, uid: str) -> Any:
        return self


@dataclass
class MeasuredHost(SayingHost):
    says: dict[str, Any] = field(default_factory=lambda: {"sed": CPU})

    def sha256(self, path: str) -> str:
        return hashlib.sha256(WITH_HASHES).hexdigest() if path == "/OVMF" else SHA

    def read_file(self, path: str) -> bytes:
        assert path == "/OVMF"
        return WITH_HASHES


def launch(policy: str, *, cpu: str = "host,pmu=off", vcpus: str = "2,cores=1,maxcpus=8") -> Launch | None:
    arguments = (
        "qemu", "-cpu", cpu, "-kernel", "/k", "-initrd", "/i", "-append", "quiet", "-smp", vcpus,
        "-object", f"sev-guest,id=sev,{policy}kernel-hashes=on", "-drive", "if=pflash,file=/OVMF",
    )  # fmt: skip
    qemu = parse_cmdline("\0".join(arguments).encode())
    host: Any = MeasuredHost()
    node: Any = Node(qemu)
    return Launches(host, node).of("default", "p", "u")


HASHES = HashTable(kernel_sha256=SHA, initrd_sha256=SHA, append="quiet")
SEV = launch_digest(WITH_HASHES, HASHES)


@pytest.mark.parametrize("policy", ["policy=0,", "policy=0x3,", ""])
def test_an_sev_guest(policy: str) -> None:
    found = launch(policy)
    assert found is not None
    assert (found.digest, found.sev_digest) == (SEV, SEV)


def test_an_sev_es_guest() -> None:
    found = launch("policy=7,")
    assert found is not None
    expected = launch_digest(WITH_HASHES, HASHES, seves_vcpus=2, vcpu_signature=0xA00F11)
    assert (found.digest, found.sev_digest) == (expected, SEV)
    assert expected != SEV


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"cpu": "EPYC-v4"}, "signature of QEMU's -cpu EPYC-v4"),
        ({"vcpus": "maxcpus=8"}, "no number of vCPUs"),
    ],
)
def test_what_cannot_be_measured_is_told(changes: dict[str, str], told: str) -> None:
    with pytest.raises(LabError, match=told):
        launch("policy=4,", **changes)
