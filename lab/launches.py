"""What the running VMs of pods were launched from, and the launch digest that follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.measurement import launch_digest

if TYPE_CHECKING:
    from lab.artefacts import Artefacts
    from lab.node import Node, VirtualMachine


@dataclass(frozen=True)
class Launch:
    """What a running VM was started from, and its launch digest in base64."""

    vm: VirtualMachine
    digest: str


class Launches:
    """Measures launches from live QEMU processes and the files on the host."""

    def __init__(self, *, node: Node, artefacts: Artefacts) -> None:
        self._node = node
        self._artefacts = artefacts

    def of(self, namespace: str, name: str, uid: str) -> Launch | None:
        """The launch of a pod's VM; None where no SEV guest runs for it."""
        vm = self._node.virtual_machine(namespace, name, uid)
        if vm is None or vm.qemu.sev_guest is None:
            return None
        digest = launch_digest(
            self._artefacts.content(vm.qemu.firmware),
            self._artefacts.content(vm.qemu.kernel),
            self._artefacts.content(vm.qemu.initrd),
            vm.qemu.append,
        )
        return Launch(vm, digest)
