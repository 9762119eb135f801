"""What the running VMs of pods were launched from, and the launch digest that follows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.machine import Machine
from lab.measurement import HashTable, launch_digest
from lab.sev_policy import ENCRYPTED_STATE

if TYPE_CHECKING:
    from lab.host import Host
    from lab.node import Node, VirtualMachine
    from lab.parsers.qemu import QemuArguments


# More than KVM gives a guest (Linux 5.10, KVM_MAX_VCPUS is 288): each is a page to measure.
MOST_VCPUS = 1024


@dataclass(frozen=True)
class Inputs:
    """What a launch digest follows from: SHA-256 of files in hex, the command line, an SEV-ES guest's vCPUs.

    `vcpus` is 0 for a guest without encrypted state.
    """

    firmware: str
    kernel: str
    initrd: str
    append: str
    vcpus: int = 0
    vcpu_signature: int = 0

    def digest(self, firmware: bytes) -> str:
        """The launch digest with this firmware, in base64. Raises LabError where it has no hash table."""
        if not 0 <= self.vcpus <= MOST_VCPUS:
            raise LabError(f"no guest has {self.vcpus} vCPUs")
        table = HashTable(kernel_sha256=self.kernel, initrd_sha256=self.initrd, append=self.append)
        return launch_digest(
            firmware, table, seves_vcpus=self.vcpus or None, vcpu_signature=self.vcpu_signature
        )


@dataclass(frozen=True)
class Launch:
    """What a running VM was started from, and its launch digest in base64.

    `sev_digest` is what the same files measure to in an SEV guest: another one for an SEV-ES guest only.
    """

    vm: VirtualMachine
    digest: str
    sev_digest: str
    inputs: Inputs


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
        inputs = self.inputs(vm.qemu)
        plain = replace(inputs, vcpus=0, vcpu_signature=0)
        firmware = self._firmware(vm.qemu.firmware, inputs.firmware)
        return Launch(vm, inputs.digest(firmware), plain.digest(firmware), inputs)

    def inputs(self, qemu: QemuArguments) -> Inputs:
        """What the launch of an SEV guest's QEMU measures, by the files as they are on the host."""
        plain = Inputs(
            firmware=self._host.sha256(qemu.firmware),
            kernel=self._host.sha256(qemu.kernel),
            initrd=self._host.sha256(qemu.initrd),
            append=qemu.append,
        )
        if not qemu.sev_policy & ENCRYPTED_STATE:
            return plain
        return replace(plain, vcpus=qemu.vcpus, vcpu_signature=self._vcpu_signature(qemu.cpu))

    def digest(self, qemu: QemuArguments) -> str:
        """The launch digest of an SEV guest's QEMU, in base64."""
        inputs = self.inputs(qemu)
        return inputs.digest(self._firmware(qemu.firmware, inputs.firmware))

    def _vcpu_signature(self, model: str) -> int:
        """Kata's vCPUs are the host's (kata-containers CC-0.3.0, virtcontainers/qemu_amd64.go, cpuModel)."""
        signature = Machine(self._host).cpu.signature if model == "host" else None
        if signature is None:
            raise LabError(f"the suite does not know the CPUID signature of QEMU's -cpu {model}")
        return signature

    def _firmware(self, path: str, checksum: str) -> bytes:
        """The firmware with this checksum on the host, read once for each."""
        if checksum not in self._firmwares:
            content = self._host.read_file(path)
            if hashlib.sha256(content).hexdigest() != checksum:
                raise LabError(f"{path} changed on the host while it was read")
            self._firmwares[checksum] = content
        return self._firmwares[checksum]
