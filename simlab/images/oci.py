"""Images as the OCI image specification 1.0 has them: configuration, manifest, blobs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from simlab.images.layer import digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
INDEX: Final = "application/vnd.oci.image.index.v1+json"
CONFIG: Final = "application/vnd.oci.image.config.v1+json"
LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
LAYER_GZIP: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
LAYER_GZIP_ENCRYPTED: Final = "application/vnd.oci.image.layer.v1.tar+gzip+encrypted"

DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_MANIFEST_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER_GZIP: Final = "application/vnd.docker.image.rootfs.diff.tar.gzip"

_CREATED: Final = "2022-11-22T00:00:00Z"


@dataclass(frozen=True)
class Layer:
    """A layer as it is stored: `blob` may be encrypted; `diff_id` is the digest of the plain tar."""

    blob: bytes
    diff_id: str
    media_type: str = LAYER_GZIP
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Image:
    """A manifest and the blobs that it names, by digest."""

    manifest: bytes
    media_type: str
    blobs: Mapping[str, bytes]

    @property
    def digest(self) -> str:
        """Digest of the manifest."""
        return digest(self.manifest)


def build(layers: Sequence[Layer], process: Mapping[str, Any], *, docker: bool = False) -> Image:
    """An image for linux/amd64 whose configuration's `config` is `process` (Cmd, Entrypoint, Env …).

    With `docker` the media types are Docker's (schema 2), as `docker push` writes them.
    """
    config = _json(
        {
            "created": _CREATED,
            "architecture": "amd64",
            "os": "linux",
            "config": dict(process),
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
            "history": [{"created": _CREATED, "created_by": "COPY / /"} for _ in layers],
        }
    )
    manifest_type = DOCKER_MANIFEST if docker else MANIFEST
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": manifest_type,
            "config": _descriptor(config, DOCKER_CONFIG if docker else CONFIG),
            "layers": [_layer_descriptor(layer, docker=docker) for layer in layers],
        }
    )
    blobs = {digest(config): config} | {digest(layer.blob): layer.blob for layer in layers}
    return Image(manifest, manifest_type, blobs)


def index(image: Image) -> bytes:
    """An index with the image for linux/amd64, and one for another platform that nobody here has."""
    absent = _descriptor(b"for another platform", MANIFEST) | {"size": 527}
    present = _descriptor(image.manifest, image.media_type)
    return _json(
        {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [
                absent | {"platform": {"architecture": "arm64", "os": "linux", "variant": "v8"}},
                present | {"platform": {"architecture": "amd64", "os": "linux"}},
            ],
        }
    )


def _layer_descriptor(layer: Layer, *, docker: bool) -> dict[str, Any]:
    media_type = DOCKER_LAYER_GZIP if docker and layer.media_type == LAYER_GZIP else layer.media_type
    described = _descriptor(layer.blob, media_type)
    return described | ({"annotations": dict(layer.annotations)} if layer.annotations else {})


def _descriptor(data: bytes, media_type: str) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest(data), "size": len(data)}


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
