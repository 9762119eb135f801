"""What a host has of an image that only a guest should have pulled: looked for in containerd's own folders.

`crictl` tells what containerd says that it has. The folders are a second witness: blobs of the image's layers
in its content store, and a file of the image (its entrypoint) in snapshots, in containers' roots on the host,
and in what kata shares with guests. Sources: containerd 1.6, content/local/store.go, plugins
`io.containerd.snapshotter.v1.*`, runtime/v2/bundle.go; kata-containers CC-0.3.0,
src/runtime/virtcontainers/kata_agent.go (kataHostSharedDir).
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lab.errors import NotProven
from lab.running_containerd import FOLDER, RunningContainerd

if TYPE_CHECKING:
    from lab.host import Host
    from lab.image_encryption import Registries
    from lab.record import Record

# Below containerd's own folder, which big disks move elsewhere.
CONTENT = "io.containerd.content.v1.content/blobs/sha256"
SNAPSHOTS = "io.containerd.snapshotter.v1.*/snapshots/*/fs"
RUNNING = (
    "/run/containerd/io.containerd.runtime.v2.task/k8s.io/*/rootfs",
    "/run/kata-containers/shared/sandboxes/*/*/*/rootfs",
)


@dataclass(frozen=True)
class Canary:
    """What tells an image on a host: paths of its layers' blobs, and a file that is in it."""

    image: str
    blobs: tuple[str, ...]
    file: str


class ImageTraces:
    """Looks for images on one host."""

    def __init__(self, host: Host, registries: Registries, record: Record) -> None:
        self._host = host
        self._registries = registries
        self._record = record

    def canary(self, image: str) -> Canary:
        """What to look for. Raises NotProven where the registry does not tell what is in the image."""
        manifest = self._registries.manifest(image)
        digests = [str(layer.get("digest")) for layer in manifest.get("layers") or []]
        if not digests:
            raise NotProven(f"the manifest of {image} names no layers")
        config = self._configuration(image, str((manifest.get("config") or {}).get("digest")))
        process = config.get("config") or {}
        program = [*(process.get("Entrypoint") or []), *(process.get("Cmd") or [])]
        file = next((str(part) for part in program if str(part).startswith("/")), None)
        if file is None:
            raise NotProven(f"{image} starts no program by its path: there is no file to look for")
        content = f"{self._folder}/{CONTENT}"
        return Canary(image, tuple(f"{content}/{digest.partition(':')[2]}" for digest in digests), file)

    @cached_property
    def _folder(self) -> str:
        running = RunningContainerd.look(self._host)
        return running.folder if running else FOLDER

    def of(self, canary: Canary) -> set[str]:
        """Paths on the host that are of the image."""
        blobs = " ".join("%s" for _ in canary.blobs)
        # What a shell must not take apart is quoted; the patterns in it are for the shell.
        roots = (f"{shlex.quote(self._folder)}/{SNAPSHOTS}", *RUNNING)
        files = " ".join(f"{root.replace('%', '%%')}%s" for root in roots)
        found = self._host.run(
            f"ls -d -- {blobs} {files} 2>/dev/null",
            *canary.blobs,
            *(canary.file for _ in roots),
            check=False,
            reads=True,
            quiet=True,
        )
        told = "\n".join([f"{len(canary.blobs)} layers, and {canary.file}:", *(found.lines or ["nothing"])])
        self._record.evidence(f"what the host has of {canary.image}", told)
        return set(found.lines)

    def require_absent(self, canary: Canary) -> set[str]:
        """What the host has of the image before a guest pulls it, which says nothing of who pulls it then.

        Such as layers that it shares with others, or a file of the same name in another image. Raises
        NotProven where it is all of the layers and the file: then no witness is left.
        """
        before = self.of(canary)
        if before.issuperset(canary.blobs) and any(path.endswith(canary.file) for path in before):
            raise NotProven(f"the host had the image before: {', '.join(sorted(before))}", owner="W-1.1")
        return before

    def _configuration(self, image: str, digest: str) -> dict[str, Any]:
        path = self._host.run("mktemp", quiet=True).stdout.strip()
        try:
            self._registries.download(image, digest, path)
            config: dict[str, Any] = json.loads(self._host.read_file(path))
        except ValueError:
            raise NotProven(f"the configuration {digest} of {image} is not JSON") from None
        finally:
            self._host.remove_file(path)
        return config
