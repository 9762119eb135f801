"""Whether a registry has an image whole, encrypted, and for which key: read by the host's curl.

A pod that runs proves that the guest got a key only if its image needs one; one that does not run proves
something of key and guest only if they are given the image that the key is for. Layers: containers/ocicrypt,
spec/spec.go (media types that end in `+encrypted`); the annotation: attestation-agent v0.3.0,
src/kbc_modules/mod.rs (AnnotationPacket).
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.errors import CommandFailed, DeadlineExceeded, NotProven
from lab.layer_key import PACKET, unwrapped
from lab.registry_http import RegistryHttp

if TYPE_CHECKING:
    from lab.host import Host
    from lab.layer_key import WrappingKey
    from lab.registry_http import HttpAnswer

ACCEPT = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "oci.image.manifest.v1",
        "oci.image.index.v1",
        "docker.distribution.manifest.v2",
        "docker.distribution.manifest.list.v2",
    )
)
DOCKER_HUB = "registry-1.docker.io"


@dataclass(frozen=True)
class Reference:
    """Where a registry keeps an image: https://`registry`/v2/`repository`/manifests/`version`."""

    registry: str
    repository: str
    version: str

    @classmethod
    def parse(cls, text: str) -> Reference:
        """The parts of an image's reference as it stands in a pod, with its defaults."""
        name, _, version = text.partition("@")
        if not version and ":" in name.rpartition("/")[2]:
            name, _, version = name.rpartition(":")
        first, slash, rest = name.partition("/")
        if not slash or not (set(first) & {".", ":"} or first == "localhost"):
            first, rest = "docker.io", name if slash else f"library/{name}"
        return cls(DOCKER_HUB if first == "docker.io" else first, rest, version or "latest")

    def url(self, version: str) -> str:
        """Address of the manifest of a version: a tag or a digest."""
        return f"https://{self.registry}/v2/{self.repository}/manifests/{version}"


def what_is_not_encrypted(manifest: dict[str, Any], kid: str, key: WrappingKey | None = None) -> str | None:
    """What in an image's manifest is not encrypted for the key `kid`, in one line; None where all is.

    With `key`, the key itself must open what that is wrapped with as `key` is used: an image may name a key
    and need another of the same name.
    """
    layers = manifest.get("layers") or []
    plain = [layer for layer in layers if not str(layer.get("mediaType")).endswith("+encrypted")]
    if plain or not layers:
        return f"{len(plain)} of its {len(layers)} layers are not encrypted"
    for layer in layers:
        annotation = (layer.get("annotations") or {}).get(PACKET, "")
        try:
            packet = json.loads(base64.b64decode(annotation))
            found = packet["kid"]
        except (ValueError, TypeError, KeyError):
            return f"the layer {layer.get('digest')} is not encrypted for the attestation agent"
        if found != kid:
            return f"the layer {layer.get('digest')} is encrypted for the key {found!r}, not {kid!r}"
        if key is not None and not unwrapped(packet, key):
            return f"the layer {layer.get('digest')} names the key {kid!r}, and that key does not open it"
    return None


class Registries:
    """Manifests and blobs, fetched over the host's own way to the registries.

    `seconds` is how long a blob may take.
    """

    def __init__(self, host: Host, *, seconds: float) -> None:
        self._host = host
        self._seconds = seconds
        self._proved: set[tuple[str, str]] = set()
        self._refused: dict[tuple[str, str], str] = {}

    def require_encrypted(self, image: str, kid: str, key: WrappingKey | None = None) -> None:
        """Raise NotProven where an image is not encrypted for this key, or its registry has not all of it.

        A registry is asked once in a run.
        """
        asked = (image, kid)
        if asked in self._proved:
            return
        if asked not in self._refused:
            try:
                manifest = self.manifest(image)
                wrong = what_is_not_encrypted(manifest, kid, key)
                if wrong is None:
                    self._require_blobs(image, manifest)
            except NotProven as error:
                wrong = error.cause
            if wrong is None:
                self._proved.add(asked)
                return
            self._refused[asked] = f"a pod of {image} proves nothing: {wrong}"
        raise NotProven(self._refused[asked])

    def manifest(self, image: str) -> dict[str, Any]:
        """The manifest of an image for amd64. Raises NotProven where the registry does not give it."""
        reference, http = Reference.parse(image), RegistryHttp(self._host)
        try:
            found = _fetch(http, reference, reference.version)
            if "manifests" in found:
                found = _fetch(http, reference, _amd64(found))
        except (CommandFailed, DeadlineExceeded, LookupError, ValueError) as error:
            raise NotProven(f"the manifest of {image} cannot be read: {error}") from None
        return found

    def download(self, image: str, digest: str, path: str) -> HttpAnswer:
        """Put a blob of an image into a file on the host.

        Raises NotProven where the registry does not give it.
        """
        reference = Reference.parse(image)
        url = f"https://{reference.registry}/v2/{reference.repository}/blobs/{digest}"
        try:
            answer = RegistryHttp(self._host).ask(url, to=path, deadline=self._seconds)
        except (CommandFailed, DeadlineExceeded, LookupError, ValueError) as error:
            raise NotProven(f"{digest} of {image} cannot be downloaded: {error}") from None
        if answer.status != 200:
            raise NotProven(f"{digest} of {image} cannot be downloaded: {answer}")
        return answer

    def _require_blobs(self, image: str, manifest: dict[str, Any]) -> None:
        """A guest that cannot pull is waited for, as that may heal; what its registry lacks is no guest's."""
        for blob in (manifest.get("config") or {}, *manifest["layers"]):
            answer = self.download(image, str(blob.get("digest")), "/dev/null")
            sent, size = answer.headers.get("content-length"), blob.get("size")
            if None not in (sent, size) and sent != str(size):
                raise NotProven(f"{blob['digest']} of {image} has {sent} bytes, and should have {size}")


def _fetch(http: RegistryHttp, reference: Reference, version: str) -> dict[str, Any]:
    url = reference.url(version)
    answer = http.ask(url, f"Accept: {ACCEPT}")
    if answer.status != 200:
        raise ValueError(f"{url} answers with status {answer.status}")
    manifest: dict[str, Any] = json.loads(answer.body)
    listed = (
        [manifest.get(name) or [] for name in ("manifests", "layers")] if isinstance(manifest, dict) else [0]
    )
    if not all(isinstance(each, list) and all(isinstance(one, dict) for one in each) for each in listed):
        raise ValueError(f"{url} answers with JSON that is no manifest")
    return manifest


def _amd64(index: dict[str, Any]) -> str:
    for entry in index["manifests"]:
        if (entry.get("platform") or {}).get("architecture") == "amd64":
            return str(entry["digest"])
    raise LookupError("its index has no image for amd64")
