"""An encrypted image of the suite's own, from a plain one (guide: 制作一个新的加密镜像并部署)."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lab.encrypted_layer import KEY_SIZE, encrypt
from lab.errors import NotProven
from lab.guest_registry import MANIFEST
from lab.journal import STATE
from lab.layer_key import WrappingKey
from lab.secret import Secret
from lab.workload import nonce

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.borrowing import Borrowing
    from lab.broker import Broker
    from lab.guest_registry import GuestRegistry
    from lab.host import Host
    from lab.image_encryption import Registries
    from lab.labfile import LabFile
    from lab.profile import Profile, StockKbs
    from lab.record import Record

CONFIG: Final = "application/vnd.oci.image.config.v1+json"

# The plain kinds of layers that image-rs also knows encrypted (v0.3.0, src/decrypt.rs), and what they become.
ENCRYPTED: Final = {
    "application/vnd.oci.image.layer.v1.tar": "application/vnd.oci.image.layer.v1.tar+encrypted",
    "application/vnd.oci.image.layer.v1.tar+gzip": "application/vnd.oci.image.layer.v1.tar+gzip+encrypted",
    "application/vnd.docker.image.rootfs.diff.tar.gzip": (
        "application/vnd.oci.image.layer.v1.tar+gzip+encrypted"
    ),
}

# A first process that ends at once when it is asked to.
COMMAND: Final = ["/bin/sh", "-c", "trap 'exit 0' TERM; tail -f /dev/null & wait"]

# Layers go through the runner, which encrypts them.
LARGEST: Final = 64 << 20


@dataclass(frozen=True)
class OwnImage:
    """An image in the guests' registry by its digest, and the key in the KBS that it is encrypted with."""

    reference: str
    key_id: str


def own_key(stock: StockKbs) -> tuple[str, str]:
    """Id of a new key, beside the stock one's, and the `kid` by which guests ask for it."""
    folder = "".join(stock.key_id.rpartition("/")[:2])
    key_id = f"{folder}conformance-{nonce()}"
    return key_id, stock.kid.removesuffix(stock.key_id) + key_id


class OwnImages:
    """Makes such images; the scenario gives image and key back. `learn` hides a secret from all output."""

    def __init__(
        self,
        *,
        lab: LabFile,
        profile: Profile,
        registry: GuestRegistry,
        registries: Registries,
        host: Host,
        broker: Broker,
        borrowing: Borrowing,
        record: Record,
        learn: Callable[[Secret], None],
        folder: str,
    ) -> None:
        self._base = lab.images.busybox or profile.images.busybox
        self._stock = profile.kbs
        self._registry = registry
        self._registries = registries
        self._host = host
        self._broker = broker
        self._borrowing = borrowing
        self._record = record
        self._learn = learn
        self._folder = folder

    def make(self) -> OwnImage:
        """Encrypt the plain image with a new key, put the key into the KBS and the image into the registry.

        Raises NotProven where there is no such registry, or no plain image to begin with.
        """
        repository = self._registry.repository
        key_id, kid = own_key(self._stock)
        key = secrets.token_bytes(KEY_SIZE)
        blobs, manifest = self._encrypted(kid, key)
        self._borrowing.secrets({key_id: self._secret(key)})
        digest = digest_of(manifest)
        files = {name: self._on_host(data) for name, data in blobs.items()}
        on_host = self._on_host(manifest)
        self._borrowing.image(repository, digest)
        self._registry.push(files, (digest, on_host))
        image = OwnImage(f"{repository}@{digest}", key_id)
        self._record.evidence(
            f"encrypted image {image.reference}", {"made from": self._base, **json.loads(manifest)}
        )
        # The very manifest that guests will pull.
        self._registries.require_encrypted(image.reference, kid, WrappingKey(key, self._stock.wrap_type))
        return image

    def replace_key(self, image: OwnImage) -> None:
        """Give the KBS another key of the same id."""
        self._broker.database.replace_secret(image.key_id, self._secret(secrets.token_bytes(KEY_SIZE)))

    def _secret(self, key: bytes) -> Secret:
        secret = Secret(base64.b64encode(key).decode())
        self._learn(secret)
        return secret

    def _encrypted(self, kid: str, key: bytes) -> tuple[dict[str, bytes], bytes]:
        """Blobs by digest, and the manifest."""
        plain = self._registries.manifest(self._base)
        _require_suitable(self._base, plain)
        base_config = json.loads(self._download(plain["config"]["digest"]))
        blobs, described = {}, []
        for each in plain["layers"]:
            media_type = each["mediaType"]
            layer = encrypt(self._download(each["digest"]), kid, key, self._stock.wrap_type)
            descriptor = _descriptor(layer.data, ENCRYPTED[media_type])
            described.append(descriptor | {"annotations": layer.annotations})
            blobs[digest_of(layer.data)] = layer.data
        config = _json(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {"Env": base_config.get("config", {}).get("Env") or [], "Cmd": COMMAND},
                "rootfs": base_config["rootfs"],
            }
        )
        blobs[digest_of(config)] = config
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": _descriptor(config, CONFIG),
            "layers": described,
        }
        return blobs, _json(manifest)

    def _download(self, digest: str) -> bytes:
        path = self._on_host(b"")
        self._registries.download(self._base, digest, path)
        data = self._host.read_file(path)
        if (found := digest_of(data)) != digest:
            raise NotProven(f"a blob of {self._base} is {found}, and should be {digest}")
        return data

    def _on_host(self, data: bytes) -> str:
        path = f"{STATE}/run/{self._folder}/blob-{nonce()}"
        self._borrowing.new_file(path, data)
        return path


def digest_of(data: bytes) -> str:
    """An OCI digest."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _require_suitable(image: str, manifest: dict[str, Any]) -> None:
    """Raise NotProven for an image that guests could not decrypt, or that is too large to encrypt here."""
    layers = manifest.get("layers") or []
    unknown = [str(layer.get("mediaType")) for layer in layers if layer.get("mediaType") not in ENCRYPTED]
    size = sum(int(layer.get("size", 0)) for layer in layers)
    if unknown or not layers:
        raise NotProven(f"{image} has no layers that can be encrypted: {', '.join(unknown) or 'none at all'}")
    if size > LARGEST:
        raise NotProven(
            f"the layers of {image} have {size} bytes, more than the {LARGEST} that are encrypted here:"
            " name a smaller image as images.busybox"
        )


def _descriptor(data: bytes, media_type: str) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(data), "size": len(data)}


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode()
