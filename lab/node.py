"""What the node itself says of pods and images, beside what the Kubernetes API says."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.errors import NotProven
from lab.parsers.crictl import parse_images, parse_sandboxes, parse_used_images
from lab.parsers.qemu import QemuArguments, parse_cmdline

if TYPE_CHECKING:
    from collections.abc import Collection

    from lab.host import Host
    from lab.parsers.crictl import Image

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
        return [
            name
            for image in self._images()
            for name in image.names
            if repository_of(name) == repository_of(reference)
        ]

    def image_ids(self) -> list[str]:
        """Ids of all images in containerd's store."""
        return [image.id for image in self._images()]

    def remove_images(self, repository: str, *, but: Collection[str]) -> list[str]:
        """Remove a repository's images from containerd's store, but for these ids, and return their ids.

        One that a running container uses stays: its pod is somebody's.
        """
        found = [
            image
            for image in self._images()
            if image.id not in but and any(repository_of(name) == repository for name in image.names)
        ]
        used = parse_used_images(self._crictl("ps -o json")) if found else set()
        unused = [image.id for image in found if used.isdisjoint((image.id, *image.names))]
        for image in unused:
            self._crictl("rmi %s", image, reads=False)
        return unused

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
                if arguments := self._command_line(path):
                    return VirtualMachine(int(path.split("/")[2]), sandbox, arguments)
        return None

    def launched_with(self, session: str) -> QemuArguments | None:
        """The QEMU that was started with a launch session's files, whose folder has this name.

        While a launch waits for its secret, containerd does not tell of its sandbox yet.
        """
        found = self._host.run(
            "grep --files-with-matches --null-data --fixed-strings --file=- /proc/[0-9]*/cmdline 2>/dev/null",
            input=f"/{session}/",
            check=False,
            reads=True,
            quiet=True,
        )
        return next((arguments for path in found.lines if (arguments := self._command_line(path))), None)

    def _command_line(self, path: str) -> QemuArguments | None:
        data = self._host.run("base64 --wrap=0 %s", path, check=False, reads=True, quiet=True)
        if data.exit_code != 0:
            return None  # it ended in between
        return parse_cmdline(base64.b64decode(data.stdout))

    def _images(self) -> list[Image]:
        return parse_images(self._crictl("images -o json"))

    def _crictl(self, command: str, *args: str, reads: bool = True) -> str:
        answer = self._host.run(f"{CRICTL} {command}", *args, check=False, reads=reads)
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
