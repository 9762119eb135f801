"""The two binary formats: a platform's SEV certificates, and those of AMD's certificate authority.

All integers are little-endian, those of keys and signatures too.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from lab.errors import LabError

PLATFORM_SIZE: Final = 2084
PLATFORM_BODY: Final = 1044
SIGNATURE_SIZE: Final = 520
CA_HEADER: Final = 64
COORDINATE: Final = 72


class CertificateError(LabError):
    """Bytes that are no certificate of the kind that belongs in their place."""


class Usage(IntEnum):
    """What a key is for (appendix C, "Certificate Usage")."""

    ARK = 0x0000
    ASK = 0x0013
    OCA = 0x1001
    PEK = 0x1002
    PDH = 0x1003
    CEK = 0x1004


class Algorithm(IntEnum):
    """Kinds of keys and signatures (appendix C, "Algorithm")."""

    RSA_SHA256 = 0x0001
    ECDSA_SHA256 = 0x0002
    ECDH_SHA256 = 0x0003
    RSA_SHA384 = 0x0101
    ECDSA_SHA384 = 0x0102
    ECDH_SHA384 = 0x0103

    @property
    def hash(self) -> hashes.HashAlgorithm:
        """The digest that is signed."""
        return hashes.SHA384() if self & 0x100 else hashes.SHA256()

    @property
    def is_rsa(self) -> bool:
        """Whether it is RSA with PSS padding, and not an elliptic curve."""
        return self in {Algorithm.RSA_SHA256, Algorithm.RSA_SHA384}


PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
_P384: Final = 2
CURVES: Final[dict[int, ec.EllipticCurve]] = {1: ec.SECP256R1(), _P384: ec.SECP384R1()}


def platform_body(
    usage: Usage, algorithm: Algorithm, key: ec.EllipticCurvePublicKey, api: tuple[int, int]
) -> bytes:
    """The body of a platform's certificate, for a key on P-384, by firmware of this API version."""
    point = key.public_numbers()
    head = struct.pack("<IBBHIII", 1, *api, 0, usage, algorithm, _P384)
    coordinates = b"".join(each.to_bytes(COORDINATE, "little") for each in (point.x, point.y))
    return (head + coordinates).ljust(PLATFORM_BODY, b"\0")


@dataclass(frozen=True)
class Signature:
    """A signature, and the usage of the key that is said to have made it."""

    usage: Usage
    algorithm: Algorithm
    value: bytes


@dataclass(frozen=True)
class Certificate:
    """One certificate. `body` is what its signatures are over."""

    usage: Usage
    version: str
    data: bytes
    body: bytes
    key: PublicKey
    algorithm: Algorithm
    signatures: tuple[Signature, ...]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the body in hex: a certificate that is signed anew keeps it."""
        return hashlib.sha256(self.body).hexdigest()

    def has_signed(self, other: Certificate) -> bool:
        """Whether one of the other's signatures was made by this certificate's key."""
        return any(
            signature.usage is self.usage and self._made(signature, other.body)
            for signature in other.signatures
        )

    def _made(self, signature: Signature, body: bytes) -> bool:
        try:
            if isinstance(self.key, rsa.RSAPublicKey):
                self._verify_rsa(self.key, signature, body)
            else:
                self._verify_ecdsa(self.key, signature, body)
        except (InvalidSignature, ValueError):
            return False
        return True

    @staticmethod
    def _verify_rsa(key: rsa.RSAPublicKey, signature: Signature, body: bytes) -> None:
        if not signature.algorithm.is_rsa:
            raise InvalidSignature
        digest = signature.algorithm.hash
        size = key.key_size // 8
        if any(signature.value[size:]):
            raise InvalidSignature
        pss = padding.PSS(padding.MGF1(digest), digest.digest_size)
        key.verify(signature.value[:size][::-1], body, pss, digest)

    @staticmethod
    def _verify_ecdsa(key: ec.EllipticCurvePublicKey, signature: Signature, body: bytes) -> None:
        if signature.algorithm not in {Algorithm.ECDSA_SHA256, Algorithm.ECDSA_SHA384}:
            raise InvalidSignature
        r = int.from_bytes(signature.value[:COORDINATE], "little")
        s = int.from_bytes(signature.value[COORDINATE : 2 * COORDINATE], "little")
        key.verify(encode_dss_signature(r, s), body, ec.ECDSA(signature.algorithm.hash))


def platform_certificate(data: bytes, expected: Usage) -> Certificate:
    """The PDH, PEK, OCA or CEK in `data`. Raises CertificateError for anything else."""
    if len(data) < PLATFORM_SIZE:
        raise CertificateError(f"the {expected.name} is truncated: {len(data)} of {PLATFORM_SIZE} bytes")
    version, major, minor, _, usage, algorithm = struct.unpack_from("<IBBHII", data)
    _expect(expected, version, usage)
    known = _algorithm(expected, algorithm)
    body = data[:PLATFORM_BODY]
    key = _rsa_of_platform(expected, body) if known.is_rsa else _curve_point(expected, body)
    signatures = [
        _signature(data[offset : offset + SIGNATURE_SIZE])
        for offset in (PLATFORM_BODY, PLATFORM_BODY + SIGNATURE_SIZE)
    ]
    return Certificate(
        usage=expected,
        version=f"{major}.{minor}",
        data=data[:PLATFORM_SIZE],
        body=body,
        key=key,
        algorithm=known,
        signatures=tuple(signature for signature in signatures if signature),
    )


def ca_certificate(data: bytes, expected: Usage) -> Certificate:
    """The ASK or ARK at the start of `data`. Raises CertificateError for anything else."""
    if len(data) < CA_HEADER:
        raise CertificateError(f"the {expected.name} is truncated: {len(data)} bytes")
    version, _, signer, usage, _, exponent_bits, modulus_bits = struct.unpack_from("<I16s16sI16sII", data)
    _expect(expected, version, usage)
    if exponent_bits != modulus_bits or modulus_bits not in {2048, 4096}:
        raise CertificateError(f"the {expected.name} has a key of {modulus_bits} bits, allowed 2048 and 4096")
    size = modulus_bits // 8
    end = CA_HEADER + 3 * size
    if len(data) < end:
        raise CertificateError(f"the {expected.name} is truncated: {len(data)} of {end} bytes")
    exponent = int.from_bytes(data[CA_HEADER : CA_HEADER + size], "little")
    modulus = int.from_bytes(data[CA_HEADER + size : CA_HEADER + 2 * size], "little")
    algorithm = Algorithm.RSA_SHA256 if modulus_bits == 2048 else Algorithm.RSA_SHA384
    # The format names a signature's maker by key id only; both certificates are signed by the ARK.
    signature = Signature(Usage.ARK, algorithm, data[CA_HEADER + 2 * size : end])
    return Certificate(
        usage=expected,
        version=f"signed by {signer.hex()}",
        data=data[:end],
        body=data[: CA_HEADER + 2 * size],
        key=_rsa(expected, exponent, modulus),
        algorithm=algorithm,
        signatures=(signature,),
    )


def _expect(expected: Usage, version: int, usage: int) -> None:
    if version != 1 or usage != expected:
        found = Usage(usage).name if usage in set(Usage) else f"usage {usage:#x}"
        raise CertificateError(f"there is no {expected.name} in its place: found {found}, version {version}")


def _algorithm(expected: Usage, value: int) -> Algorithm:
    if value not in set(Algorithm):
        raise CertificateError(f"the {expected.name} has a key of the unknown algorithm {value:#x}")
    return Algorithm(value)


def _rsa(expected: Usage, exponent: int, modulus: int) -> rsa.RSAPublicKey:
    try:
        return rsa.RSAPublicNumbers(exponent, modulus).public_key()
    except ValueError as error:
        raise CertificateError(f"the {expected.name} holds no RSA key: {error}") from None


def _rsa_of_platform(expected: Usage, body: bytes) -> rsa.RSAPublicKey:
    # modulus size, exponent, modulus
    exponent = int.from_bytes(body[20:532], "little")
    modulus = int.from_bytes(body[532:1044], "little")
    return _rsa(expected, exponent, modulus)


def _curve_point(expected: Usage, body: bytes) -> ec.EllipticCurvePublicKey:
    (group,) = struct.unpack_from("<I", body, 16)
    if group not in CURVES:
        raise CertificateError(f"the {expected.name} has a key on the unknown curve {group:#x}")
    x = int.from_bytes(body[20 : 20 + COORDINATE], "little")
    y = int.from_bytes(body[20 + COORDINATE : 20 + 2 * COORDINATE], "little")
    try:
        return ec.EllipticCurvePublicNumbers(x, y, CURVES[group]).public_key()
    except ValueError as error:
        raise CertificateError(f"the {expected.name} holds no point of its curve: {error}") from None


def _signature(slot: bytes) -> Signature | None:
    usage, algorithm = struct.unpack_from("<II", slot)
    if usage not in set(Usage) or algorithm not in set(Algorithm):
        return None  # an empty slot, or one that nobody can check
    return Signature(Usage(usage), Algorithm(algorithm), slot[8:])
