"""An SEV platform in software: a whole chain whose every signature verifies, up to a root of its own.

Which signatures a KBS takes: the crate sev v0.3.0, src/certs/crypto.rs (usage, kind, hash and key id have to
fit). Keys of 2048 bits and SHA-256 are those of AMD's first generation.
"""

from __future__ import annotations

import secrets
import struct
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from lab.certificates.formats import (
    COORDINATE,
    PLATFORM_SIZE,
    SIGNATURE_SIZE,
    Algorithm,
    Usage,
    platform_body,
)

_API: Final = (1, 42)
_BITS: Final = 2048


class SoftwarePlatform:
    """The keys of a vendor, an owner and a chip that nobody else has."""

    def __init__(self) -> None:
        self._ark = rsa.generate_private_key(65537, _BITS)
        self._ask = rsa.generate_private_key(65537, _BITS)
        self._ids = {usage: secrets.token_bytes(16) for usage in (Usage.ARK, Usage.ASK)}
        self._keys = {
            usage: ec.generate_private_key(ec.SECP384R1())
            for usage in (Usage.PDH, Usage.PEK, Usage.OCA, Usage.CEK)
        }

    def chain(self, *, forged_chip: bool = False) -> bytes:
        """The file that `sevctl export --full` would write.

        With `forged_chip`, the chip's certificate is signed by another key than the one that it names.
        """
        bodies = {usage: self._platform_body(usage) for usage in self._keys}
        chip_signed = _rsa_signature(self._ark if forged_chip else self._ask, bodies[Usage.CEK])
        signatures = {
            Usage.PDH: [self._signed(Usage.PEK, bodies[Usage.PDH])],
            Usage.PEK: [self._signed(signer, bodies[Usage.PEK]) for signer in (Usage.OCA, Usage.CEK)],
            Usage.OCA: [self._signed(Usage.OCA, bodies[Usage.OCA])],
            Usage.CEK: [_slot(Usage.ASK, Algorithm.RSA_SHA256, chip_signed)],
        }
        platform = [
            (body + b"".join(signatures[usage])).ljust(PLATFORM_SIZE, b"\0") for usage, body in bodies.items()
        ]
        authority = [self._authority(Usage.ASK, self._ask), self._authority(Usage.ARK, self._ark)]
        return b"".join(platform + authority)

    def _platform_body(self, usage: Usage) -> bytes:
        algorithm = Algorithm.ECDH_SHA256 if usage is Usage.PDH else Algorithm.ECDSA_SHA256
        return platform_body(usage, algorithm, self._keys[usage].public_key(), _API)

    def _signed(self, signer: Usage, body: bytes) -> bytes:
        r, s = decode_dss_signature(self._keys[signer].sign(body, ec.ECDSA(hashes.SHA256())))
        return _slot(signer, Algorithm.ECDSA_SHA256, _little(r, COORDINATE) + _little(s, COORDINATE))

    def _authority(self, usage: Usage, key: rsa.RSAPrivateKey) -> bytes:
        numbers = key.public_key().public_numbers()
        body = struct.pack(
            "<I16s16sI16sII", 1, self._ids[usage], self._ids[Usage.ARK], usage, bytes(16), _BITS, _BITS
        )
        body += _little(numbers.e, _BITS // 8) + _little(numbers.n, _BITS // 8)
        return body + _rsa_signature(self._ark, body)


def _rsa_signature(key: rsa.RSAPrivateKey, body: bytes) -> bytes:
    digest = hashes.SHA256()
    return key.sign(body, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)[::-1]


def _slot(signer: Usage, algorithm: Algorithm, signature: bytes) -> bytes:
    return (struct.pack("<II", signer, algorithm) + signature).ljust(SIGNATURE_SIZE, b"\0")


def _little(number: int, size: int) -> bytes:
    return number.to_bytes(size, "little")
