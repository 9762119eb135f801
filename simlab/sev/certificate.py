"""The certificates of a platform: PDH, PEK, OCA and CEK (55766, appendix C; 2084 bytes, version 1)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import BinaryIO, Final, Self

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from simlab.sev import signing
from simlab.sev.errors import SignatureError, TruncatedError, UnknownVersionError, WrongFieldError
from simlab.sev.keys import RSA, SIGNING, Algorithm, IssuerKey, SigningKey, Usage

SIZE: Final = 2084
_VERSION: Final = 1
# version, API major, API minor, reserved, usage, algorithm; then the key
_HEAD: Final = struct.Struct("<IBBHII")
_KEY_SIZE: Final = 1028
_BODY_SIZE: Final = _HEAD.size + _KEY_SIZE
_SLOT: Final = struct.Struct("<II512s")

_ECC: Final = struct.Struct("<I72s72s")
_RSA: Final = struct.Struct("<I512s512s")
_CURVES: Final[dict[int, ec.EllipticCurve]] = {1: ec.SECP256R1(), 2: ec.SECP384R1()}
_P384: Final = 2

_SIGNERS: Final = frozenset({Usage.ARK, Usage.ASK, Usage.OCA, Usage.PEK, Usage.PDH, Usage.CEK})


@dataclass(frozen=True)
class Signature:
    """One of a certificate's two signature slots."""

    usage: int = Usage.INVALID
    algorithm: int = Algorithm.NONE
    value: bytes = bytes(512)

    @property
    def empty(self) -> bool:
        """Whether the slot holds no signature."""
        return self.usage not in _SIGNERS or self.algorithm not in SIGNING

    def encode(self) -> bytes:
        """Return the slot's 520 bytes."""
        return _SLOT.pack(self.usage, self.algorithm, self.value)


@dataclass(frozen=True)
class Certificate:
    """One certificate: `body` is what the signatures cover."""

    body: bytes
    signatures: tuple[Signature, Signature] = (Signature(), Signature())

    @classmethod
    def build(
        cls, usage: Usage, key: ec.EllipticCurvePublicKey, api: tuple[int, int] = (0, 0)
    ) -> Certificate:
        """Make an unsigned certificate for a P-384 key. `api` is the firmware's version."""
        algorithm = Algorithm.ECDH_SHA256 if usage is Usage.PDH else Algorithm.ECDSA_SHA256
        point = key.public_numbers()
        head = _HEAD.pack(_VERSION, *api, 0, usage, algorithm)
        coordinates = _ECC.pack(_P384, point.x.to_bytes(72, "little"), point.y.to_bytes(72, "little"))
        return cls(head + coordinates.ljust(_KEY_SIZE, b"\0"))

    @classmethod
    def read(cls, stream: BinaryIO) -> Self:
        """Read one certificate; the stream is left behind it. Raises FormatError."""
        version = stream.read(4)
        if len(version) < 4:
            raise TruncatedError("a SEV certificate")
        if int.from_bytes(version, "little") != _VERSION:
            raise UnknownVersionError("a SEV certificate has another version than 1")
        rest = stream.read(SIZE - 4)
        if len(rest) < SIZE - 4:
            raise TruncatedError("a SEV certificate")
        data = version + rest
        first = Signature(*_SLOT.unpack_from(data, _BODY_SIZE))
        second = Signature(*_SLOT.unpack_from(data, _BODY_SIZE + _SLOT.size))
        return cls(data[:_BODY_SIZE], (first, second))

    def encode(self) -> bytes:
        """Return the certificate's 2084 bytes."""
        return self.body + self.signatures[0].encode() + self.signatures[1].encode()

    @property
    def usage(self) -> int:
        """What the key is for; a number outside of `Usage` is possible in a damaged certificate."""
        return int(_HEAD.unpack_from(self.body)[4])

    @property
    def algorithm(self) -> Algorithm:
        """How the key is used. Raises WrongFieldError for an unknown one."""
        try:
            return Algorithm(_HEAD.unpack_from(self.body)[5])
        except ValueError as error:
            raise WrongFieldError("the key's algorithm is unknown") from error

    @property
    def api(self) -> tuple[int, int]:
        """The API version of the firmware that made the certificate."""
        major, minor = _HEAD.unpack_from(self.body)[1:3]
        return int(major), int(minor)

    def issuer_key(self) -> IssuerKey:
        """Return the certificate's key as one that verifies signatures. Raises WrongFieldError."""
        if self.algorithm in RSA:
            return IssuerKey(self.usage, self.algorithm, self._rsa_key())
        return IssuerKey(self.usage, self.algorithm, self.ecc_key())

    def ecc_key(self) -> ec.EllipticCurvePublicKey:
        """Return the elliptic curve key. Raises WrongFieldError when the curve or the point is none."""
        curve_id, x, y = _ECC.unpack_from(self.body, _HEAD.size)
        curve = _CURVES.get(curve_id)
        if curve is None or self.algorithm in RSA or self.algorithm is Algorithm.NONE:
            raise WrongFieldError("the key is not on a curve that SEV uses")
        size = curve.key_size // 8
        numbers = ec.EllipticCurvePublicNumbers(
            int.from_bytes(x[:size], "little"), int.from_bytes(y[:size], "little"), curve
        )
        try:
            return numbers.public_key()
        except ValueError as error:
            raise WrongFieldError("the key is not a point of its curve") from error

    def _rsa_key(self) -> rsa.RSAPublicKey:
        bits, exponent, modulus = _RSA.unpack_from(self.body, _HEAD.size)
        if bits not in (2048, 4096):
            raise WrongFieldError(f"no SEV key has {bits} bits")
        numbers = rsa.RSAPublicNumbers(
            int.from_bytes(exponent[: bits // 8], "little"), int.from_bytes(modulus[: bits // 8], "little")
        )
        try:
            return numbers.public_key()
        except ValueError as error:
            raise WrongFieldError("the RSA key is none") from error

    def signed_by(self, signer: SigningKey) -> Certificate:
        """Return the certificate, signed in its first empty slot. Raises WrongFieldError without one."""
        value = signing.sign(signer, self.body).ljust(512, b"\0")
        signature = Signature(signer.usage, signer.algorithm, value)
        first, second = self.signatures
        if first.empty:
            return replace(self, signatures=(signature, second))
        if second.empty:
            return replace(self, signatures=(first, signature))
        raise WrongFieldError("both signatures of the certificate are taken")

    def verify(self, issuer: IssuerKey) -> None:
        """Check that one of the signatures is the issuer's. Raises SignatureError."""
        for signature in self.signatures:
            if signature.empty or (signature.usage, signature.algorithm) != (issuer.usage, issuer.algorithm):
                continue
            try:
                signing.verify(issuer, self.body, signature.value)
            except SignatureError:
                continue
            return
        raise SignatureError("no signature of the certificate is its issuer's")
