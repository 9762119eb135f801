"""Layer encryption as ocicrypt does it, with the attestation agent as key provider.

Sources: ocicrypt-rs v0.3.0 `src/encryption.rs`, `src/blockcipher/` (the layer: AES-256-CTR, HMAC-SHA256
over the ciphertext with the same key, private and public options as JSON); attestation-agent v0.3.0
`sample_keyprovider/src/enc_mods/offline_fs_kbs/` and `src/kbc_modules/*_sev_kbc/` (the private options
wrapped by AES-256-CTR, which authenticates nothing: a wrong key is noticed only when the options are read);
guest-components v0.7.0 `attestation-agent/deps/crypto`, `attestation-agent/coco_keyprovider` (wrapped by
AES-256-GCM too).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PROVIDER_ANNOTATION: Final = "org.opencontainers.image.enc.keys.provider.attestation-agent"
PROVIDER_PREFIX: Final = "org.opencontainers.image.enc.keys.provider."
PUBLIC_OPTIONS_ANNOTATION: Final = "org.opencontainers.image.enc.pubopts"

LAYER_CIPHER: Final = "AES_256_CTR_HMAC_SHA256"
WRAP_TYPE: Final = "aes_256_ctr"
GCM: Final = "A256GCM"
KEY_SIZE: Final = 32
_NONCE_SIZE: Final = 16
_GCM_NONCE_SIZE: Final = 12


class DecryptionError(Exception):
    """A layer, or its options, cannot be decrypted; the text is ocicrypt-rs' own."""


class TamperedError(DecryptionError):
    """The layer is not the one that was encrypted."""


@dataclass(frozen=True)
class AnnotationPacket:
    """What the key provider writes into the annotation; binary values as bytes."""

    kid: str
    wrapped_data: bytes
    iv: bytes
    wrap_type: str

    def to_json(self) -> bytes:
        """The packet as it goes, base64-encoded once more, into the annotation."""
        return json.dumps(
            {
                "kid": self.kid,
                "wrapped_data": base64.b64encode(self.wrapped_data).decode(),
                "iv": base64.b64encode(self.iv).decode(),
                "wrap_type": self.wrap_type,
            }
        ).encode()

    @classmethod
    def from_json(cls, data: bytes) -> AnnotationPacket:
        """Raise ValueError for anything that is not such a packet."""
        try:
            fields = json.loads(data)
            return cls(
                kid=fields["kid"],
                wrapped_data=base64.b64decode(fields["wrapped_data"], validate=True),
                iv=base64.b64decode(fields["iv"], validate=True),
                wrap_type=fields["wrap_type"],
            )
        except (KeyError, TypeError, binascii.Error) as error:
            raise ValueError(f"Failed to parse annotation: {error}") from None


def encrypt_layer(
    plain: bytes, kid: str, wrapping_key: bytes, wrap_type: str = WRAP_TYPE
) -> tuple[bytes, dict[str, str]]:
    """Encrypt a layer blob with a fresh key, itself wrapped by `wrapping_key`: ciphertext and annotations."""
    key, nonce = os.urandom(KEY_SIZE), os.urandom(_NONCE_SIZE)
    ciphertext = ctr(key, nonce, plain)
    private = {
        "symkey": base64.b64encode(key).decode(),
        "cipheroptions": {"nonce": base64.b64encode(nonce).decode()},
        "digest": f"sha256:{hashlib.sha256(plain).hexdigest()}",
    }
    public = {
        "cipher": LAYER_CIPHER,
        "cipheroptions": {},
        "hmac": base64.b64encode(hmac.digest(key, ciphertext, "sha256")).decode(),
    }
    packet = _wrap(json.dumps(private).encode(), kid, wrapping_key, wrap_type)
    return ciphertext, {
        PROVIDER_ANNOTATION: base64.b64encode(packet.to_json()).decode(),
        PUBLIC_OPTIONS_ANNOTATION: base64.b64encode(json.dumps(public).encode()).decode(),
    }


def decrypt_layer(ciphertext: bytes, annotations: dict[str, str], private_options: bytes) -> bytes:
    """Decrypt a layer blob with its unwrapped private options.

    Raises DecryptionError where the options are no options (a wrong key unwrapped them), and TamperedError
    where the layer's authentication fails.
    """
    public = _options(base64.b64decode(annotations[PUBLIC_OPTIONS_ANNOTATION]))
    private = _options(private_options)
    if public["cipher"] != LAYER_CIPHER:
        raise DecryptionError(f"unsupported cipher type {public['cipher']}")
    key = base64.b64decode(private["symkey"])
    if len(key) != KEY_SIZE:
        raise DecryptionError(f"invalid key length of {len(key)} bytes; expect {KEY_SIZE} bytes")
    if not hmac.compare_digest(hmac.digest(key, ciphertext, "sha256"), base64.b64decode(public["hmac"])):
        raise TamperedError("failed decrypt byte stream")
    return ctr(key, base64.b64decode(private["cipheroptions"]["nonce"]), ciphertext)


def _wrap(options: bytes, kid: str, key: bytes, wrap_type: str) -> AnnotationPacket:
    if wrap_type == GCM:
        iv = os.urandom(_GCM_NONCE_SIZE)
        return AnnotationPacket(kid, AESGCM(key).encrypt(iv, options, None), iv, wrap_type)
    iv = os.urandom(_NONCE_SIZE)
    return AnnotationPacket(kid, ctr(key, iv, options), iv, wrap_type)


def unwrap(packet: AnnotationPacket, key: bytes) -> bytes:
    """A layer's private options. Raises ValueError where the key is of another size, or GCM notices it."""
    if packet.wrap_type != GCM:
        return ctr(key, packet.iv, packet.wrapped_data)
    try:
        return AESGCM(key).decrypt(packet.iv, packet.wrapped_data, None)
    except InvalidTag:
        raise ValueError("aead::Error") from None


def ctr(key: bytes, iv: bytes, data: bytes) -> bytes:
    """AES-256-CTR, which is its own inverse. Raises ValueError for a key or IV of another size."""
    if len(key) != KEY_SIZE:
        raise ValueError("AES-256 needs a key of 32 bytes")
    transform = Cipher(algorithms.AES(key), modes.CTR(iv)).encryptor()
    return transform.update(data) + transform.finalize()


def _options(data: bytes) -> dict[str, Any]:
    try:
        options = json.loads(data)
    except json.JSONDecodeError as error:
        raise DecryptionError(f"expected value at line {error.lineno} column {error.colno}") from None
    except UnicodeDecodeError:
        # serde_json reads bytes, so it stumbles over the first one that cannot begin a value.
        raise DecryptionError("expected value at line 1 column 1") from None
    if not isinstance(options, dict):
        raise DecryptionError(
            "invalid type: expected struct PrivateLayerBlockCipherOptions at line 1 column 1"
        )
    return options
