"""Encrypts a layer as `skopeo copy --encryption-key provider:attestation-agent:…` does.

The layer: ocicrypt, blockcipher/blockcipher_aes_ctr.go (AES-256 in counter mode, HMAC-SHA256 of the
ciphertext with the same key) and encryption.go (the names of annotations). The key's wrapping:
attestation-agent v0.3.0, sample_keyprovider/src/enc_mods/offline_fs_kbs/mod.rs, which the guide's own key and
image were made with (confidential-containers/documentation v0.3.0, quickstart.md, Create an Encrypted Image).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lab.counter_mode import counter_mode
from lab.layer_key import PACKET

if TYPE_CHECKING:
    from collections.abc import Mapping

PUBLIC_OPTIONS: Final = "org.opencontainers.image.enc.pubopts"
CIPHER: Final = "AES_256_CTR_HMAC_SHA256"
KEY_SIZE: Final = 32
NONCE_SIZE: Final = 16


@dataclass(frozen=True)
class EncryptedLayer:
    """A layer's ciphertext, and what its descriptor says of it."""

    data: bytes
    annotations: Mapping[str, str]


def encrypt(plain: bytes, kid: str, key: bytes, wrap_type: str) -> EncryptedLayer:
    """Encrypt a layer's blob under a fresh key, which only `key` unwraps: 32 bytes, known to guests as `kid`.

    `wrap_type` is what the guest's attestation agent calls AES-256 in counter mode.
    """
    layer_key, nonce, iv = (secrets.token_bytes(size) for size in (KEY_SIZE, NONCE_SIZE, NONCE_SIZE))
    data = counter_mode(layer_key, nonce, plain)
    private = {
        "symkey": _base64(layer_key),
        "digest": f"sha256:{hashlib.sha256(plain).hexdigest()}",
        "cipheroptions": {"nonce": _base64(nonce)},
    }
    public = {
        "cipher": CIPHER,
        "hmac": _base64(hmac.digest(layer_key, data, "sha256")),
        "cipheroptions": {},
    }
    packet = {
        "kid": kid,
        "wrapped_data": _base64(counter_mode(key, iv, json.dumps(private).encode())),
        "iv": _base64(iv),
        "wrap_type": wrap_type,
    }
    return EncryptedLayer(
        data,
        {
            PACKET: _base64(json.dumps(packet).encode()),
            PUBLIC_OPTIONS: _base64(json.dumps(public).encode()),
        },
    )


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
