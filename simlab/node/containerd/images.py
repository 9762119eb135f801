"""containerd's images on the host: pulled over HTTPS, kept as blobs, unpacked."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import shutil
import threading
import urllib.parse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from simlab.images import layer
from simlab.images.reference import Reference
from simlab.images.registry_client import RegistryClient, RegistryError, UnreachableError
from simlab.node.containerd import state
from simlab.node.rpc import RpcError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from simlab.node.host import Host

_ROOT: Final = "/var/lib/containerd"
_BLOBS: Final = f"{_ROOT}/io.containerd.content.v1.content/blobs/sha256"
_SNAPSHOTS: Final = f"{_ROOT}/io.containerd.snapshotter.v1.overlayfs/snapshots"
_CA_BUNDLES: Final = ("/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/certs/ca-certificates.crt")
_NOT_FOUND: Final = 404


@dataclass(frozen=True)
class HostImage:
    """An image of the host: `image_id` is its configuration's digest, `reference` names its manifest."""

    image_id: str
    reference: str
    config: Mapping[str, Any]


class HostImages:
    """Images that containerd pulled."""

    def __init__(self, host: Host) -> None:
        self._host = host
        # Pulls run in threads, several at a time.
        self._recording = threading.Lock()

    def find(self, image: str) -> HostImage | None:
        """The image that a pod's `image` text names, if it was pulled."""
        wanted = str(Reference.parse(image))
        for item in state.read(self._host, "images"):
            if wanted in (*item["repoTags"], *item["repoDigests"]):
                config = json.loads(self._blob_path(item["id"]).read_bytes())
                return HostImage(item["id"], item["repoDigests"][0], config.get("config") or {})
        return None

    async def pull(self, image: str) -> HostImage:
        """Pull and unpack an image. Raises RpcError with containerd 1.6's texts."""
        return await asyncio.to_thread(self._pull, image)

    def make_rootfs(self, image: HostImage, folder: Path) -> None:
        """Give a container a root directory of its own."""
        shutil.copytree(self._snapshot(image.image_id), folder, symlinks=True)

    def _pull(self, text: str) -> HostImage:
        try:
            reference = Reference.parse(text)
        except ValueError:
            raise RpcError(
                "Unknown", f'failed to parse image reference "{text}": invalid reference format'
            ) from None
        client = RegistryClient(self._ca_roots())
        failed = f'failed to pull and unpack image "{reference}"'
        try:
            manifest = client.manifest(reference)
            blobs = [manifest.content["config"]["digest"]]
            blobs += [item["digest"] for item in manifest.content["layers"]]
            for digest in blobs:
                self._store_blob(digest, client.blob(reference, digest))
        except UnreachableError as error:
            reason = f'failed to do request: Head "{error.url}": {_as_go(error)}'
            raise RpcError(
                "Unknown", f'{failed}: failed to resolve reference "{reference}": {reason}'
            ) from None
        except RegistryError as error:
            resolve = f'{failed}: failed to resolve reference "{reference}"'
            if error.status == _NOT_FOUND:
                raise RpcError("NotFound", f"{resolve}: {reference}: not found") from None
            reason = f"unexpected status code {error.url}: {error.status} {error.code}"
            raise RpcError("Unknown", f"{resolve}: {reason}") from None
        config = json.loads(self._blob_path(blobs[0]).read_bytes())
        self._unpack(blobs[0], manifest.content["layers"], config["rootfs"]["diff_ids"], failed)
        by_digest = f"{reference.name}@{manifest.digest}"
        size = sum(self._blob_path(digest).stat().st_size for digest in blobs)
        self._record(blobs[0], str(reference), by_digest, size)
        self._record_contents(blobs)
        return HostImage(blobs[0], by_digest, config.get("config") or {})

    def _unpack(self, image_id: str, layers: list[dict[str, Any]], diff_ids: list[str], failed: str) -> None:
        root = self._snapshot(image_id)
        if root.exists():
            return
        half = root.with_name("unpacking")
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(parents=True)
        try:
            for item, diff_id in zip(layers, diff_ids, strict=True):
                media_type = item["mediaType"]
                if media_type.endswith("+encrypted"):
                    # containerd has a stream processor for it by default, and the host no program behind it.
                    raise RpcError(
                        "Unknown",
                        f"{failed}: failed to extract layer {diff_id}: failed to get stream processor for"
                        f' {media_type}: exec: "ctd-decoder": executable file not found in $PATH: unknown',
                    )
                blob = self._blob_path(item["digest"]).read_bytes()
                layer.unpack(gzip.decompress(blob) if media_type.endswith("gzip") else blob, half)
            half.rename(root)
        except (OSError, ValueError) as error:
            raise RpcError(
                "Unknown", f"{failed}: failed to extract layer {diff_id}: {error}: unknown"
            ) from None
        finally:
            shutil.rmtree(half, ignore_errors=True)

    def _record(self, image_id: str, tag: str, by_digest: str, size: int) -> None:
        with self._recording:
            self._record_alone(image_id, tag, by_digest, size)

    def _record_alone(self, image_id: str, tag: str, by_digest: str, size: int) -> None:
        items = state.read(self._host, "images")
        for item in items:
            item["repoTags"] = [known for known in item["repoTags"] if known != tag]
        entry = next((item for item in items if item["id"] == image_id), None)
        if entry is None:
            entry = {"id": image_id, "repoTags": [], "repoDigests": [], "size": str(size)}
            items.append(entry)
        if "@" not in tag:
            entry["repoTags"].append(tag)
        if by_digest not in entry["repoDigests"]:
            entry["repoDigests"].append(by_digest)
        state.write(self._host, "images", items)

    def _record_contents(self, blobs: list[str]) -> None:
        with self._recording:
            others = [item for item in state.read(self._host, "contents") if item["id"] != blobs[0]]
            state.write(self._host, "contents", [*others, {"id": blobs[0], "blobs": blobs}])

    def _store_blob(self, digest: str, data: bytes) -> None:
        path = self._blob_path(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def _blob_path(self, digest: str) -> Path:
        return self._host.local(f"{_BLOBS}/{digest.removeprefix('sha256:')}")

    def _snapshot(self, image_id: str) -> Path:
        return self._host.local(f"{_SNAPSHOTS}/{image_id.removeprefix('sha256:')[:12]}/fs")

    def _ca_roots(self) -> str:
        return next((text for path in _CA_BUNDLES if (text := self._host.read_text(path))), "")


def _as_go(error: UnreachableError) -> str:
    """The cause as Go's net package words it."""
    if error.reason.startswith("certificate"):
        return "x509: certificate signed by unknown authority"
    if "name resolution" in error.reason or "not known" in error.reason:
        return f"dial tcp: lookup {urllib.parse.urlsplit(error.url).hostname}: no such host"
    cause = re.sub(r" \(os error \d+\)$", "", error.reason).lower()
    return f"dial tcp: {'i/o timeout' if cause == 'operation timed out' else f'connect: {cause}'}"
