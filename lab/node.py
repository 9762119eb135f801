"""What the node itself says of pods and images, beside what the Kubernetes API says."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.errors import NotProven
from lab.parsers.crictl import parse_images, parse_sandboxes
from lab.parsers.qemu import QemuArguments, parse_cmdline

if TYPE_CHECKING:
    from lab.host import Host

# crictl waits 2 s by default, which a busy containerd exceeds (cri-tools, docs/crictl.md).
CRICTL = "crictl --timeout 30s -r unix:///run/containerd/containerd.sock"


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

    def images_of(self, reference: str) -> list[str]:
        """Names of images in containerd's store from the reference's repository, of any registry and tag.

        As the guide looks for them (示例一): `crictl … image ls | grep bitnami/nginx`.
        """
        repository = repository_of(reference)
        return [
            name
            for image in parse_images(self._crictl("images -o json"))
            for name in (*image.repo_tags, *image.repo_digests)
            if repository_of(name) == repository
        ]

    def sandboxes(self, namespace: str, name: str, uid: str) -> list[str]:
        """Ids of the pod's sandboxes that containerd knows."""
        found = parse_sandboxes(self._crictl("pods --namespace %s --name %s -o json", namespace, name))
        return [sandbox for sandbox, owner in found.items() if owner == uid]

    def virtual_machine(self, namespace: str, name: str, uid: str) -> VirtualMachine | None:
        """The VM of the pod's sandbox, or None where no QEMU process runs for it.

        kata names it `sandbox-<id>` (kata-containers CC-0.3.0, src/runtime/virtcontainers/qemu.go).
        """
        for sandbox in self.sandboxes(namespace, name, uid):
            # The names come by stdin: among grep's own arguments they would be found there, too.
            found = self._host.run(
                "grep --files-with-matches --null-data --fixed-strings --line-regexp --file=- "
                "/proc/[0-9]*/cmdline 2>/dev/null",
                input=f"sandbox-{sandbox}\nsandbox-{sandbox},debug-threads=on\n",
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

    def _crictl(self, command: str, *args: str) -> str:
        answer = self._host.run(f"{CRICTL} {command}", *args, check=False, reads=True)
        if not answer.succeeded:
            raise NotProven(f"containerd does not answer crictl: {answer.stderr.strip()}", owner="C-4.3")
        return answer.stdout


def repository_of(reference: str) -> str:
    """An image's repository without its registry.

    >>> repository_of("docker.io/bitnami/nginx:1.22.0")
    'bitnami/nginx'
    """
    folder, slash, name = reference.partition("@")[0].rpartition("/")
    repository = f"{folder}{slash}{name.partition(':')[0]}"
    registry, _, rest = repository.partition("/")
    # Only a registry has a dot or a port, or is localhost (distribution's reference grammar).
    return rest if rest and (registry == "localhost" or not {".", ":"}.isdisjoint(registry)) else repository
