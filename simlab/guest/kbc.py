"""What the attestation agent's key broker clients have in common.

Source: attestation-agent v0.3.0, src/kbc_modules/mod.rs.
"""

from __future__ import annotations

from typing import Protocol

from simlab.images import ocicrypt


class KbcError(Exception):
    """A KBC has no key, or cannot get it. The text goes to the guest's console; it names no secret."""


class Kbc(Protocol):
    """A key broker client in a guest."""

    def key(self, kid: str) -> bytes:
        """Get the key `kid`. Raises KbcError."""

    def resource(self, name: str) -> bytes:
        """Get a resource such as `Credential`. Raises KbcError."""


def unwrap(kbc: Kbc, annotation: bytes) -> bytes:
    """Unwrap a layer's private options with the key that the annotation names; a wrong key is not noticed.

    Raises KbcError.
    """
    try:
        packet = ocicrypt.AnnotationPacket.from_json(annotation)
    except ValueError as error:
        raise KbcError(str(error)) from None
    key = kbc.key(packet.kid)
    if packet.wrap_type != ocicrypt.WRAP_TYPE:
        raise KbcError(f"Received unknown wrap type: {packet.wrap_type}")
    try:
        return ocicrypt.ctr(key, packet.iv, packet.wrapped_data)
    except ValueError:
        raise KbcError("Failed to decrypt") from None
