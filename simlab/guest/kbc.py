"""What the attestation agent's key broker clients have in common.

Sources: attestation-agent v0.3.0, src/kbc_modules/mod.rs; guest-components v0.7.0,
attestation-agent/kbc/src/annotation_packet.rs and attestation-agent/deps/{crypto,resource_uri}.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from simlab.images import ocicrypt

if TYPE_CHECKING:
    from simlab.release.versions.release import Guest


class KbcError(Exception):
    """A KBC has no key, or cannot get it. The text goes to the guest's console; it names no secret."""


class Kbc(Protocol):
    """A key broker client in a guest."""

    def key(self, kid: str) -> bytes:
        """Get the key `kid`. Raises KbcError."""

    def resource(self, name: str) -> bytes:
        """Get a resource such as `Credential`. Raises KbcError."""


def unwrap(guest: Guest, kbc: Kbc, annotation: bytes) -> bytes:
    """Unwrap a layer's private options with the key that the annotation names.

    Only GCM notices a wrong key.

    Raises KbcError.
    """
    try:
        packet = ocicrypt.AnnotationPacket.from_json(annotation)
    except ValueError as error:
        raise KbcError(str(error)) from None
    key = kbc.key(_path(packet.kid) if guest.kids_are_uris else packet.kid)
    if packet.wrap_type not in guest.wrap_types:
        raise KbcError(f"Received unknown wrap type: {packet.wrap_type}")
    try:
        return ocicrypt.unwrap(packet, key)
    except ValueError:
        raise KbcError("Failed to decrypt") from None


def _path(kid: str) -> str:
    """What a KBC asks for: the path of a resource's URI, `kbs://HOST/REPOSITORY/TYPE/TAG`.

    Raises KbcError for what is no such URI.
    """
    uri = urlsplit(kid)
    if uri.scheme != "kbs":
        raise KbcError("scheme must be kbs" if uri.scheme else "invalid kbs resource uri")
    if uri.path.count("/") != 3:
        raise KbcError("invalid kbs resource uri, should be kbs://<addr-of-kbs>/<repo>/<type>/<tag>")
    return uri.path.removeprefix("/")
