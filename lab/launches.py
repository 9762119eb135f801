"""What the running VMs of pods were launched from, and the launch digest that follows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.measurement import HashTable, launch_digest

if TYPE_CHECKING:
    from lab.host import Host
    from lab.node import Node, VirtualMachine


@dataclass(frozen=True)
class Launch:
    """What a running VM was started from, and its launch digest in base64."""

    vm: VirtualMachine
    digest: str


class Launches:
    """Measures launches from live QEMU processes and the files on the host."""

    def __init__(self, host: Host, node: Node) -> None:
        self._host = host
        self._node = node
        self._firmwares: dict[str, bytes] = {}

    def of(self, namespace: str, name: str, uid: str) -> Launch | None:
        """The launch of a pod's VM; None where no SEV guest runs for it."""
        vm = self._node.virtual_machine(namespace, name, uid)
        if vm is None or vm.qemu.sev_guest is None:
            return None
        hashes = HashTable(
            kernel_sha256=self._host.sha256(vm.qemu.kernel),
            initrd_sha256=self._host.sha256(vm.qemu.initrd),
            append=vm.qemu.append,
        )
        return Launch(vm, launch_digest(self._firmware(vm.qemu.firmware), hashes))

    def _firmware(self, path: str) -> bytes:
        """The firmware as it is on the host, read once for each checksum."""
        checksum = self._host.sha256(path)
        if checksum not in self._firmwares:
            content = self._host.read_file(path)
            if hashlib.sha256(content).hexdigest() != checksum:
                raise LabError(f"{path} changed on the host while it was read")
            self._firmwares[checksum] = content
        return self._firmwares[checksum]
