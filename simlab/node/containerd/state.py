"""containerd's lists as files on the host, for `crictl` to read.

Each file under `/var/lib/containerd/simlab` is a JSON list of objects that have the fields of the CRI
messages (`k8s.io/cri-api` v1 `api.proto`), named as `crictl … -o json` prints them:

- `images.json`: `id`, `repoTags`, `repoDigests`, `size` (bytes, text)
- `contents.json`: of each image its `id` and the digests of its `blobs`, which a removal collects
- `sandboxes.json`: `id`, `metadata` (`name`, `namespace`, `uid`, `attempt`), `state`, `createdAt` (ns,
  text), `labels`, `annotations`, `runtimeHandler`
- `containers.json`: `id`, `podSandboxId`, `metadata` (`name`, `attempt`), `image` (`image`), `imageRef`,
  `state`, `createdAt`, `labels`, `logPath`, `exitCode`
- `config.json`: the CRI plugin's configuration and, of the program, whether it is CoCo's `confidential` one
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from simlab.node.host import Host

FOLDER: Final = "/var/lib/containerd/simlab"


def read(host: Host, name: str) -> list[dict[str, Any]]:
    """The list in NAME.json; empty when there is none."""
    items: list[dict[str, Any]] = json.loads(host.read_text(f"{FOLDER}/{name}.json", "[]"))
    return items


def write(host: Host, name: str, items: list[dict[str, Any]]) -> None:
    """Replace the list in NAME.json; a reader sees the old or the new one, whole."""
    path = host.local(f"{FOLDER}/{name}.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".tmp")
    new.write_text(json.dumps(items, indent=1))
    new.replace(path)
