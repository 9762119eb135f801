"""Pulling an image inside the guest: image-rs v0.3.0 or v0.7.0 as kata's agent uses it.

Sources: kata CC-0.3.0, CC-0.7.0 src/agent/src/image_rpc.rs; image-rs src/image.rs, src/pull.rs,
src/decrypt.rs, src/stream.rs (texts of errors); oci-distribution 0.9.4 src/errors.rs, and src/client.rs: a
blob is what the registry gives, its status and its digest are not looked at (`async_pull_blob`).
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import shutil
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from simlab.artifacts import initrd
from simlab.guest.kbc import KbcError
from simlab.images import layer, oci, ocicrypt
from simlab.images.reference import Reference
from simlab.images.registry_client import Manifest, RegistryClient, RegistryError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from simlab.guest.attestation_agent import AttestationAgent
    from simlab.guest.boot import Booted

_log = logging.getLogger(__name__)

_DOWNLOAD_SECONDS: Final = 30.0
_GZIP: Final = (oci.LAYER_GZIP, oci.DOCKER_LAYER_GZIP)


class ImageError(Exception):
    """The image cannot be had; the text is what the agent answers."""


@dataclass(frozen=True)
class PulledImage:
    """An image in the guest: its unpacked layers, and its configuration's process."""

    rootfs: Path
    args: tuple[str, ...]
    env: tuple[str, ...]
    cwd: str
    image_id: str
    digest: str
    size: int


class ImageService:
    """Pulls into `folder`, which stands for the guest's memory. Its methods block."""

    def __init__(self, system: Booted, attestation_agent: AttestationAgent, folder: Path) -> None:
        self._system = system
        self._attestation_agent = attestation_agent
        self._folder = folder
        self._client = RegistryClient(system.ca_roots, timeout=_DOWNLOAD_SECONDS)

    def pull(self, image: str) -> PulledImage:
        """Pull, decrypt and unpack `image`; it stays, so that another pull of it replaces it.

        Raises ImageError.
        """
        rootfs = self._folder / hashlib.sha256(image.encode()).hexdigest()[:16]
        shutil.rmtree(rootfs, ignore_errors=True)
        rootfs.mkdir(parents=True)
        if image.rpartition("/")[2].startswith("pause:"):
            return self._pause(rootfs)
        try:
            reference = Reference.parse(image)
        except ValueError as error:
            raise ImageError(str(error)) from None
        self._ask_credential()
        manifest, config = self._manifest(reference)
        if self._system.config.enable_signature_verification:
            # The policy is a resource of a KBC; none that serves one is built into these guests.
            raise ImageError("Security validate failed: failed to get the image security policy")
        self._unpack_layers(reference, manifest, config, rootfs)
        process = config.get("config") or {}
        return PulledImage(
            rootfs=rootfs,
            args=(*(process.get("Entrypoint") or []), *(process.get("Cmd") or [])),
            env=tuple(process.get("Env") or []),
            cwd=process.get("WorkingDir") or "/",
            image_id=manifest.content["config"]["digest"],
            digest=manifest.digest,
            size=sum(described["size"] for described in manifest.content["layers"]),
        )

    def _ask_credential(self) -> None:
        """Ask the KBC for a registry login, as image-rs does where it has a KBC; it can do without."""
        parameters = self._system.config.aa_kbc_params
        if not parameters:
            return
        try:
            self._attestation_agent.resource(parameters, self._system.guest.credential)
        except KbcError as error:
            _log.warning("no registry credential: %s", error)

    def _manifest(self, reference: Reference) -> tuple[Manifest, dict[str, Any]]:
        try:
            manifest = self._client.manifest(reference)
            config = json.loads(self._client.blob(reference, manifest.content["config"]["digest"]))
        except (UnreachableError, RegistryError) as error:
            raise ImageError(f"failed to pull manifest {_text(error)}") from None
        return manifest, config

    def _unpack_layers(
        self, reference: Reference, manifest: Manifest, config: Mapping[str, Any], rootfs: Path
    ) -> None:
        described, diff_ids = manifest.content["layers"], config["rootfs"]["diff_ids"]
        if len(described) != len(diff_ids):
            raise ImageError("Pulled number of layers mismatch with image config diff_ids")
        for description, diff_id in zip(described, diff_ids, strict=True):
            try:
                blob = self._client.body(reference, description["digest"])
            except (UnreachableError, RegistryError) as error:
                raise ImageError(f"failed to async pull blob {_text(error)}") from None
            try:
                layer.unpack(self._plain_tar(description, blob, diff_id), rootfs)
            except (ImageError, ValueError) as error:
                raise ImageError(f"{self._system.guest.layer_failed}{error}") from None

    def _plain_tar(self, description: Mapping[str, Any], blob: bytes, diff_id: str) -> bytes:
        media_type = description["mediaType"]
        if media_type == oci.LAYER_GZIP_ENCRYPTED:
            blob = self._decrypt(description.get("annotations", {}), blob, diff_id)
        elif media_type == oci.LAYER:
            return _checked(blob, diff_id)
        elif media_type not in _GZIP:
            raise ImageError(f"unhandled media type: {media_type}")
        try:
            return _checked(zlib.decompress(blob, wbits=31), diff_id)
        except zlib.error:
            raise _unreadable(diff_id, _no_gzip(blob)) from None

    def _decrypt(self, annotations: dict[str, str], blob: bytes, diff_id: str) -> bytes:
        options = self._unwrap(annotations)
        if options is None:
            raise ImageError(f"failed to get decrypt key {self._system.guest.no_key}")
        try:
            return ocicrypt.decrypt_layer(blob, annotations, options)
        except ocicrypt.TamperedError as error:
            # Noticed at the end of the stream, when most of it is unpacked.
            raise _unreadable(diff_id, f'kind: Other, error: "{error}"') from None
        except ocicrypt.DecryptionError as error:
            raise ImageError(
                f"failed to async_get_plaintext_layer: failed to async decrypt layer {error}"
            ) from None

    def _unwrap(self, annotations: Mapping[str, str]) -> bytes | None:
        """Try each annotation of a key provider; None if no key was had. Causes go to the console only."""
        for name, value in annotations.items():
            if not name.startswith(ocicrypt.PROVIDER_PREFIX):
                continue
            for packet in value.split(","):
                try:
                    return self._attestation_agent.unwrap(
                        self._system.config.aa_kbc_params, base64.b64decode(packet)
                    )
                except KbcError as error:
                    _log.warning("attestation-agent: AA-KBC key provider failed: %s", error)
        return None

    def _pause(self, rootfs: Path) -> PulledImage:
        """Unpack the pause bundle, which is in the guest's own root."""
        program = self._system.root.get(initrd.PAUSE)
        if program is None:
            raise ImageError("Pause image not present in rootfs")
        path = rootfs / "pause"
        path.write_bytes(program.data)
        path.chmod(program.mode)
        return PulledImage(rootfs, ("/pause",), (), "/", "", "", len(program.data))


def _checked(tar: bytes, diff_id: str) -> bytes:
    found = layer.digest(tar)
    if found != diff_id:
        raise ImageError(f'unequal uncompressed digest "{found}" config diff_id "{diff_id}"')
    return tar


def _unreadable(diff_id: str, cause: str) -> ImageError:
    """A layer whose stream breaks off, in image-rs' words around those of a Rust `io::Error`."""
    return ImageError(f"layer digest {diff_id}: hasher sha256 : channel: read failed Custom {{ {cause} }}")


def _no_gzip(blob: bytes) -> str:
    """async-compression 0.3.15, src/codec/gzip/header.rs; flate2's DecompressError."""
    if blob.startswith(b"\x1f\x8b"):
        return "kind: InvalidInput, error: DecompressError(General { msg: None })"
    return 'kind: InvalidData, error: "Invalid gzip header"'


def _text(error: UnreachableError | RegistryError) -> str:
    """An error in oci-distribution's words."""
    if isinstance(error, UnreachableError):
        # hyper 0.14, src/client/connect/http.rs
        where = "tcp connect error: " if "(os error" in error.reason else ""
        return f"error sending request for url ({error.url}): error trying to connect: {where}{error.reason}"
    if error.status == 401:
        return f"Not authorized: url {error.url}"
    if error.status >= 500:
        return f"Server error: url {error.url}, code: {error.status}, message: {error.message}"
    return f"Registry error: url {error.url}, envelope: OCI API errors: [OCI API error: {error.message}]"
