"""AMD's own certificate format: ARK and ASK (version 1, RSA 2048 or 4096, PSS)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import BinaryIO, Final, Self

from cryptography.hazmat.primitives.asymmetric import rsa

from simlab.sev import signing
from simlab.sev.errors import SignatureError, TruncatedError, UnknownVersionError, WrongFieldError
from simlab.sev.keys import Algorithm, IssuerKey, SigningKey, Usage, rsa_algorithm

_VERSION: Final = 1
# version, key id, certifying key id, usage, reserved, bits of the exponent, bits of the modulus
_PREAMBLE: Final = struct.Struct("<I16s16sI16sII")


class TruncatedSignatureError(TruncatedError):
    """The certificate's file ends inside of its signature, as that of AMD's Naples ARK once did."""

    def __init__(self, certificate: AmdCertificate, missing_from: int) -> None:
        super().__init__("the signature of an AMD certificate")
        self.certificate = certificate
        """The certificate without its signature."""
        self.missing_from = missing_from
        """How many bytes of the signature there are."""


class ForgedVendorSignatureError(SignatureError):
    """The certificate names the ARK as its issuer, and the signature is not the ARK's."""


@dataclass(frozen=True)
class AmdCertificate:
    """An ARK or ASK: `body` is what the signature covers."""

    body: bytes
    signature: bytes

    @classmethod
    def build(
        cls, usage: Usage, key: rsa.RSAPublicKey, *, key_id: bytes, certifying_id: bytes
    ) -> AmdCertificate:
        """Make an unsigned certificate."""
        bits = key.key_size
        rsa_algorithm(bits)
        numbers = key.public_numbers()
        preamble = _PREAMBLE.pack(_VERSION, key_id, certifying_id, usage, bytes(16), bits, bits)
        exponent = numbers.e.to_bytes(bits // 8, "little")
        modulus = numbers.n.to_bytes(bits // 8, "little")
        return cls(preamble + exponent + modulus, bytes(bits // 8))

    @classmethod
    def read(cls, stream: BinaryIO) -> Self:
        """Read one certificate; the stream is left behind it. Raises FormatError."""
        version = stream.read(4)
        if len(version) < 4:
            raise TruncatedError("an AMD certificate")
        if int.from_bytes(version, "little") != _VERSION:
            raise UnknownVersionError("an AMD certificate has another version than 1")
        preamble = version + stream.read(_PREAMBLE.size - 4)
        if len(preamble) < _PREAMBLE.size:
            raise TruncatedError("an AMD certificate")
        *_, exponent_bits, modulus_bits = _PREAMBLE.unpack(preamble)
        if exponent_bits != modulus_bits:
            raise WrongFieldError("exponent and modulus of an AMD certificate differ in size")
        rsa_algorithm(modulus_bits)
        size = modulus_bits // 8
        key = stream.read(2 * size)
        if len(key) < 2 * size:
            raise TruncatedError("the key of an AMD certificate")
        signature = stream.read(size)
        if len(signature) < size:
            raise TruncatedSignatureError(cls(preamble + key, b""), len(signature))
        return cls(preamble + key, signature)

    def encode(self) -> bytes:
        """Return the certificate's bytes: 832 (2048 bits) or 1600 (4096 bits)."""
        return self.body + self.signature

    @property
    def usage(self) -> int:
        """`Usage.ARK` or `Usage.ASK`; another number is possible in a damaged certificate."""
        return int(_PREAMBLE.unpack_from(self.body)[3])

    @property
    def key_id(self) -> bytes:
        """The identifier of this certificate's key, 16 bytes."""
        return bytes(_PREAMBLE.unpack_from(self.body)[1])

    @property
    def certifying_id(self) -> bytes:
        """The identifier of the issuer's key, 16 bytes."""
        return bytes(_PREAMBLE.unpack_from(self.body)[2])

    @property
    def bits(self) -> int:
        """The size of the key in bits."""
        return int(_PREAMBLE.unpack_from(self.body)[6])

    @property
    def algorithm(self) -> Algorithm:
        """How the key signs."""
        return rsa_algorithm(self.bits)

    def issuer_key(self) -> IssuerKey:
        """Return the key as one that verifies signatures. Raises WrongFieldError when it is no RSA key."""
        size = self.bits // 8
        exponent = self.body[_PREAMBLE.size : _PREAMBLE.size + size]
        modulus = self.body[_PREAMBLE.size + size :]
        numbers = rsa.RSAPublicNumbers(int.from_bytes(exponent, "little"), int.from_bytes(modulus, "little"))
        try:
            key = numbers.public_key()
        except ValueError as error:
            raise WrongFieldError("the RSA key is none") from error
        return IssuerKey(self.usage, self.algorithm, key, self.key_id)

    def signed_by(self, signer: SigningKey) -> AmdCertificate:
        """Return the certificate with the signer's signature."""
        return replace(self, signature=signing.sign(signer, self.body))

    def verify(self, issuer: AmdCertificate) -> None:
        """Check that the ARK `issuer` signed this certificate. Raises SignatureError or WrongFieldError."""
        if issuer.usage != Usage.ARK:
            raise SignatureError("the issuer is not an ARK")
        if self.certifying_id != issuer.key_id:
            raise SignatureError("the certificate names another issuer")
        if self.bits != issuer.bits:
            raise SignatureError("issuer and certificate use different hashes")
        try:
            signing.verify(issuer.issuer_key(), self.body, self.signature)
        except SignatureError as error:
            raise ForgedVendorSignatureError(str(error)) from error
