"""The full certificate chain, in the order of `sevctl export --full`: PDH, PEK, OCA, CEK, ASK, ARK.

Source: sevctl 0.4.1 (src/main.rs, export) and the `sev` crate 0.3.0 (src/certs/chain.rs and the two chains
under it).
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import BinaryIO, Self

from simlab.sev.amd import AmdCertificate
from simlab.sev.certificate import Certificate
from simlab.sev.errors import WrongFieldError
from simlab.sev.keys import Usage


@dataclass(frozen=True)
class PlatformChain:
    """What the platform itself exports; the ASK signs the CEK elsewhere (AMD's key distribution service)."""

    pdh: Certificate
    pek: Certificate
    oca: Certificate
    cek: Certificate

    @classmethod
    def read(cls, stream: BinaryIO) -> Self:
        """Read four certificates. Raises FormatError, also when one has another's usage."""
        return cls(*(_platform_certificate(stream, usage) for usage in _PLATFORM_ORDER))

    def encode(self) -> bytes:
        """Return the four certificates as `sevctl export` writes them."""
        return b"".join(part.encode() for part in (self.pdh, self.pek, self.oca, self.cek))

    def verify(self) -> None:
        """Check OCA (by itself), PEK (by OCA and CEK), PDH (by PEK).

        Raises SignatureError or WrongFieldError.
        """
        self.oca.verify(self.oca.issuer_key())
        self.pek.verify(self.oca.issuer_key())
        self.pek.verify(self.cek.issuer_key())
        self.pdh.verify(self.pek.issuer_key())


@dataclass(frozen=True)
class VendorChain:
    """The vendor's signing key and root."""

    ask: AmdCertificate
    ark: AmdCertificate

    @classmethod
    def read(cls, stream: BinaryIO) -> Self:
        """Read two certificates. Raises FormatError, also when one has the other's usage."""
        return cls(*(_vendor_certificate(stream, usage) for usage in (Usage.ASK, Usage.ARK)))

    def encode(self) -> bytes:
        """Return the two certificates as AMD publishes them: ASK, then ARK."""
        return self.ask.encode() + self.ark.encode()

    def verify(self) -> None:
        """Check ARK (by itself) and ASK (by ARK). Raises SignatureError or WrongFieldError."""
        self.ark.verify(self.ark)
        self.ask.verify(self.ark)


@dataclass(frozen=True)
class Chain:
    """The chain from a platform's PDH up to a vendor's root."""

    platform: PlatformChain
    vendor: VendorChain

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a chain; what follows it is ignored. Raises FormatError."""
        stream = io.BytesIO(data)
        return cls(PlatformChain.read(stream), VendorChain.read(stream))

    def encode(self) -> bytes:
        """Return the chain as `sevctl export --full` writes it."""
        return self.platform.encode() + self.vendor.encode()

    def verify(self) -> Certificate:
        """Check every signature, and return the PDH. Says nothing of whose root it is.

        Raises SignatureError or WrongFieldError.
        """
        self.vendor.verify()
        self.platform.cek.verify(self.vendor.ask.issuer_key())
        self.platform.verify()
        return self.platform.pdh


_PLATFORM_ORDER = (Usage.PDH, Usage.PEK, Usage.OCA, Usage.CEK)


def _platform_certificate(stream: BinaryIO, usage: Usage) -> Certificate:
    certificate = Certificate.read(stream)
    if certificate.usage != usage:
        raise WrongFieldError(f"a certificate is not a {usage.name}")
    return certificate


def _vendor_certificate(stream: BinaryIO, usage: Usage) -> AmdCertificate:
    certificate = AmdCertificate.read(stream)
    if certificate.usage != usage:
        raise WrongFieldError(f"a certificate is not an {usage.name}")
    return certificate
