"""The arithmetic under a SEV session: key derivation, MAC and cipher.

Source: AMD SEV API specification 55766, chapter 2 (NIST SP 800-108 KDF in counter mode with HMAC-SHA-256,
32-bit little-endian counter and length; AES-128-CTR); checked against the vectors in the tests of the `sev`
crate 0.3.0.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

KEY_SIZE: Final = 16
MAC_SIZE: Final = 32
NONCE_SIZE: Final = 16
IV_SIZE: Final = 16

MASTER_SECRET_LABEL: Final = b"sev-master-secret"
KEK_LABEL: Final = b"sev-kek"
KIK_LABEL: Final = b"sev-kik"


def mac(key: bytes, *parts: bytes) -> bytes:
    """HMAC-SHA-256 over the parts, 32 bytes."""
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


def same(left: bytes, right: bytes) -> bool:
    """Compare two MACs in constant time."""
    return hmac.compare_digest(left, right)


def derive(key: bytes, size: int, context: bytes, label: bytes) -> bytes:
    """Derive `size` bytes from a key, a context and a label."""
    blocks = -(-size // MAC_SIZE)
    length = (size * 8).to_bytes(4, "little")
    stream = b"".join(
        mac(key, counter.to_bytes(4, "little"), label, b"\0", context, length)
        for counter in range(1, blocks + 1)
    )
    return stream[:size]


def crypt(key: bytes, iv: bytes, data: bytes) -> bytes:
    """AES-128-CTR, which decrypts as it encrypts."""
    stream = Cipher(algorithms.AES(key), modes.CTR(iv)).encryptor()
    return stream.update(data) + stream.finalize()


def wrapping_keys(shared_secret: bytes, nonce: bytes) -> tuple[bytes, bytes]:
    """Return KEK and KIK: what wraps TEK and TIK on their way to the platform."""
    master = derive(shared_secret, KEY_SIZE, nonce, MASTER_SECRET_LABEL)
    return derive(master, KEY_SIZE, b"", KEK_LABEL), derive(master, KEY_SIZE, b"", KIK_LABEL)
