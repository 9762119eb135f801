"""Whether an image in a registry is encrypted, and for which key: read from its manifest, by the host's curl.

A pod that runs proves that the guest got a key only if its image needs one. Layers: containers/ocicrypt,
spec/spec.go (media types that end in `+encrypted`); the annotation: attestation-agent v0.3.0,
src/kbc_modules/mod.rs (AnnotationPacket).
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.errors import CommandFailed, DeadlineExceeded, NotProven
from lab.registry_http import RegistryHttp

if TYPE_CHECKING:
    from lab.host import Host

PACKET = "org.opencontainers.image.enc.keys.provider.attestation-agent"
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


def what_is_not_encrypted(manifest: dict[str, Any], kid: str) -> str | None:
    """What in an image's manifest is not encrypted for the key `kid`, in one line; None where all is."""
    layers = manifest.get("layers") or []
    plain = [layer for layer in layers if not str(layer.get("mediaType")).endswith("+encrypted")]
    if plain or not layers:
        return f"{len(plain)} of its {len(layers)} layers are not encrypted"
    for layer in layers:
        packet = (layer.get("annotations") or {}).get(PACKET, "")
        try:
            found = json.loads(base64.b64decode(packet))["kid"]
        except (ValueError, TypeError, KeyError):
            return f"the layer {layer.get('digest')} is not encrypted for the attestation agent"
        if found != kid:
            return f"the layer {layer.get('digest')} is encrypted for the key {found!r}, not {kid!r}"
    return None


class Registries:
    """Manifests, fetched over the host's own way to the registries."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._proved: set[tuple[str, str]] = set()
        self._refused: dict[tuple[str, str], str] = {}

    def require_encrypted(self, image: str, kid: str) -> None:
        """Raise NotProven where an image is not encrypted for this key; a registry is asked once in a run."""
        asked = (image, kid)
        if asked in self._proved:
            return
        if asked not in self._refused:
            try:
                wrong = what_is_not_encrypted(self.manifest(image), kid)
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

    def download(self, image: str, digest: str, path: str, seconds: float) -> None:
        """Put a blob of an image into a file on the host.

        Raises NotProven where the registry does not give it.
        """
        reference = Reference.parse(image)
        url = f"https://{reference.registry}/v2/{reference.repository}/blobs/{digest}"
        try:
            answer = RegistryHttp(self._host).ask(url, to=path, deadline=seconds)
        except (CommandFailed, DeadlineExceeded, LookupError, ValueError) as error:
            raise NotProven(f"{digest} of {image} cannot be downloaded: {error}") from None
        if answer.status != 200:
            raise NotProven(f"{digest} of {image} cannot be downloaded: {answer}")


def _fetch(http: RegistryHttp, reference: Reference, version: str) -> dict[str, Any]:
    url = reference.url(version)
    answer = http.ask(url, f"Accept: {ACCEPT}")
    if answer.status != 200:
        raise ValueError(f"{url} answers with status {answer.status}")
    manifest: dict[str, Any] = json.loads(answer.body)
    return manifest


def _amd64(index: dict[str, Any]) -> str:
    for entry in index["manifests"]:
        if (entry.get("platform") or {}).get("architecture") == "amd64":
            return str(entry["digest"])
    raise LookupError("its index has no image for amd64")
