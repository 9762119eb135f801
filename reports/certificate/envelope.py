"""The signed envelope: DSSE v1.0 (secure-systems-lab/dsse, protocol.md and envelope.md)."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reports.certificate.refusal import Refusal

if TYPE_CHECKING:
    from reports.certificate.keys import PrivateKey, PublicKey

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"


def encoded(payload_type: str, payload: bytes) -> bytes:
    """What a signature is over: DSSE's pre-authentication encoding, so that the type is signed as well."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


@dataclass(frozen=True)
class Signature:
    """A signature, and the id of the key that is said to have made it."""

    keyid: str
    value: bytes


@dataclass(frozen=True)
class Envelope:
    """A payload with its signatures."""

    payload: bytes
    payload_type: str = PAYLOAD_TYPE
    signatures: tuple[Signature, ...] = ()

    def signed(self, key: PrivateKey) -> Envelope:
        """The same envelope with a signature more. Raises Refusal where the key has signed it before."""
        keyid = key.public.id
        if any(signature.keyid == keyid for signature in self.signatures):
            raise Refusal(f"the key {keyid} has signed it already; a countersignature is another's")
        made = Signature(keyid, key.sign(encoded(self.payload_type, self.payload)))
        return Envelope(self.payload, self.payload_type, (*self.signatures, made))

    def signature_of(self, key: PublicKey) -> bool:
        """Whether `key` made one of the signatures."""
        data = encoded(self.payload_type, self.payload)
        return any(each.keyid == key.id and key.made(each.value, data) for each in self.signatures)

    def document(self) -> bytes:
        """The envelope as a file: JSON, in one form only, so that no byte of it can change unseen."""
        content = {
            "payload": base64.b64encode(self.payload).decode(),
            "payloadType": self.payload_type,
            "signatures": [
                {"keyid": each.keyid, "sig": base64.b64encode(each.value).decode()}
                for each in self.signatures
            ],
        }
        return json.dumps(content, indent=1).encode() + b"\n"

    @classmethod
    def read(cls, document: Any, data: bytes) -> Envelope:
        """The envelope that `document`, parsed from `data`, is. Raises Refusal."""
        try:
            envelope = cls(
                payload=base64.b64decode(document["payload"], validate=True),
                payload_type=document["payloadType"],
                signatures=tuple(
                    Signature(each["keyid"], base64.b64decode(each["sig"], validate=True))
                    for each in document["signatures"]
                ),
            )
            same = envelope.document() == data
        except (KeyError, TypeError, AttributeError, ValueError, binascii.Error) as error:
            raise Refusal(f"it is no DSSE envelope: {type(error).__name__} {error}") from None
        if not same:
            raise Refusal("it is no DSSE envelope in the form that `reports sign` writes")
        return envelope
