"""Usages, algorithms, and the keys that sign certificates."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes

from simlab.sev.errors import WrongFieldError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa


class Usage(IntEnum):
    """What a key is for (55766, appendix C; the ARK's and ASK's are of AMD's own certificate format)."""

    ARK = 0x0000
    ASK = 0x0013
    INVALID = 0x1000
    OCA = 0x1001
    PEK = 0x1002
    PDH = 0x1003
    CEK = 0x1004


class Algorithm(IntEnum):
    """How a key is used (55766, appendix C)."""

    NONE = 0x0000
    RSA_SHA256 = 0x0001
    ECDSA_SHA256 = 0x0002
    ECDH_SHA256 = 0x0003
    RSA_SHA384 = 0x0101
    ECDSA_SHA384 = 0x0102
    ECDH_SHA384 = 0x0103


SIGNING = frozenset(
    {Algorithm.RSA_SHA256, Algorithm.RSA_SHA384, Algorithm.ECDSA_SHA256, Algorithm.ECDSA_SHA384}
)
RSA = frozenset({Algorithm.RSA_SHA256, Algorithm.RSA_SHA384})
_SHA384 = frozenset({Algorithm.RSA_SHA384, Algorithm.ECDSA_SHA384, Algorithm.ECDH_SHA384})


def hash_of(algorithm: Algorithm) -> hashes.SHA256 | hashes.SHA384:
    """Return the hash that belongs to an algorithm."""
    return hashes.SHA384() if algorithm in _SHA384 else hashes.SHA256()


def rsa_algorithm(bits: int) -> Algorithm:
    """RSA 2048 signs with SHA-256 (Naples), 4096 with SHA-384 (Rome and later); else WrongFieldError."""
    match bits:
        case 2048:
            return Algorithm.RSA_SHA256
        case 4096:
            return Algorithm.RSA_SHA384
        case _:
            raise WrongFieldError(f"no AMD key has {bits} bits")


@dataclass(frozen=True)
class IssuerKey:
    """A public key with which a certificate's signature is verified.

    `identifier` is set for the ARK and the ASK, whose certificates name their issuer by it.
    """

    usage: int
    algorithm: Algorithm
    key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey
    identifier: bytes | None = None


@dataclass(frozen=True)
class SigningKey:
    """A private key that signs certificates."""

    usage: Usage
    algorithm: Algorithm
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
