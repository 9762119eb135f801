"""AES in counter mode, as layers, their keys and the keys of launch sessions are encrypted."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


def counter_mode(key: bytes, iv: bytes, data: bytes) -> bytes:
    """AES, of the key's size, in counter mode, which undoes itself."""
    encryptor = Cipher(algorithms.AES(key), modes.CTR(iv)).encryptor()
    return encryptor.update(data) + encryptor.finalize()
