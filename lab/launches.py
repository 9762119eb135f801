"""What the running VMs of pods were launched from, and the launch digest that follows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.machine import Machine
from lab.measurement import HashTable, launch_digest
from lab.sev_policy import ENCRYPTED_STATE

if TYPE_CHECKING:
    from lab.host import Host
    from lab.node import Node, VirtualMachine


@dataclass(frozen=True)
class Launch:
    """What a running VM was started from, and its launch digest in base64.

    `sev_digest` is what the same files measure to in an SEV guest: another one for an SEV-ES guest only.
    """

    vm: VirtualMachine
    digest: str
    sev_digest: str


class Launches:
    """Measures launches from live QEMU processes and the files on the host."""

    def __init__(self, host: Host, node: Node) -> None:
        self._host = host
        self._node = node
        self._firmwares: dict[str, bytes] = {}

    def vm_of(self, namespace: str, name: str, uid: str) -> VirtualMachine | None:
        """The VM of a pod; None where none runs for it."""
        return self._node.virtual_machine(namespace, name, uid)

    def of(self, namespace: str, name: str, uid: str) -> Launch | None:
        """The launch of a pod's VM; None where no SEV guest runs for it."""
        vm = self.vm_of(namespace, name, uid)
        if vm is None or vm.qemu.sev_guest is None:
            return None
        hashes = HashTable(
            kernel_sha256=self._host.sha256(vm.qemu.kernel),
            initrd_sha256=self._host.sha256(vm.qemu.initrd),
            append=vm.qemu.append,
        )
        firmware = self._firmware(vm.qemu.firmware)
        plain = launch_digest(firmware, hashes)
        if not vm.qemu.sev_policy & ENCRYPTED_STATE:
            return Launch(vm, plain, plain)
        digest = launch_digest(
            firmware, hashes, seves_vcpus=vm.qemu.vcpus, vcpu_signature=self._vcpu_signature(vm.qemu.cpu)
        )
        return Launch(vm, digest, plain)

    def _vcpu_signature(self, model: str) -> int:
        """Kata's vCPUs are the host's (kata-containers CC-0.3.0, virtcontainers/qemu_amd64.go, cpuModel)."""
        signature = Machine(self._host).cpu.signature if model == "host" else None
        if signature is None:
            raise LabError(f"the suite does not know the CPUID signature of QEMU's -cpu {model}")
        return signature

    def _firmware(self, path: str) -> bytes:
        """The firmware as it is on the host, read once for each checksum."""
        checksum = self._host.sha256(path)
        if checksum not in self._firmwares:
            content = self._host.read_file(path)
            if hashlib.sha256(content).hexdigest() != checksum:
                raise LabError(f"{path} changed on the host while it was read")
            self._firmwares[checksum] = content
        return self._firmwares[checksum]
