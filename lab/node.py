"""What the node itself says of pods and images, beside what the Kubernetes API says."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.parsers.crictl import parse_images, parse_sandboxes
from lab.parsers.qemu import QemuArguments, parse_cmdline

if TYPE_CHECKING:
    from lab.host import Host

CRICTL = "crictl -r unix:///run/containerd/containerd.sock"


@dataclass(frozen=True)
class VirtualMachine:
    """The QEMU process in which a pod's sandbox runs."""

    pid: int
    sandbox: str
    qemu: QemuArguments


class Node:
    """containerd and the processes of one node."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def images_of(self, repository: str) -> list[str]:
        """Names of images in containerd's store whose repository ends in `repository` (guide: 示例一)."""
        listing = self._host.run(f"{CRICTL} images -o json", reads=True)
        return [
            name
            for image in parse_images(listing.stdout)
            for name in (*image.repo_tags, *image.repo_digests)
            if name.partition("@")[0].rpartition(":")[0].endswith(repository)
            or name.partition("@")[0].endswith(repository)
        ]

    def sandboxes(self, namespace: str, name: str, uid: str) -> list[str]:
        """Ids of the pod's sandboxes that containerd knows."""
        listing = self._host.run(
            f"{CRICTL} pods --namespace %s --name %s -o json", namespace, name, reads=True
        )
        found = parse_sandboxes(listing.stdout)
        return [sandbox for sandbox, owner in found.items() if owner == uid]

    def virtual_machine(self, namespace: str, name: str, uid: str) -> VirtualMachine | None:
        """The VM of the pod's sandbox, or None where no QEMU process runs for it.

        kata names it `sandbox-<id>` (kata-containers CC-0.3.0, src/runtime/virtcontainers/qemu.go).
        """
        for sandbox in self.sandboxes(namespace, name, uid):
            found = self._host.run(
                "grep --files-with-matches --null-data --fixed-strings --line-regexp -e %s -e %s "
                "/proc/[0-9]*/cmdline 2>/dev/null",
                f"sandbox-{sandbox}",
                f"sandbox-{sandbox},debug-threads=on",
                check=False,
                reads=True,
                quiet=True,
            )
            for path in found.lines:
                data = self._host.run("base64 --wrap=0 %s", path, check=False, reads=True, quiet=True)
                if data.exit_code != 0:
                    continue  # it ended in between
                arguments = parse_cmdline(base64.b64decode(data.stdout))
                return VirtualMachine(int(path.split("/")[2]), sandbox, arguments)
        return None
