"""The links of a chain, from the vendor's root to the PDH."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.asymmetric import ec

from lab.certificates.formats import (
    PLATFORM_SIZE,
    Algorithm,
    Certificate,
    CertificateError,
    Usage,
    ca_certificate,
    platform_certificate,
)
from lab.record import PlatformIdentity

if TYPE_CHECKING:
    from lab.certificates.roots import Roots

PLATFORM: Final = (Usage.PDH, Usage.PEK, Usage.OCA, Usage.CEK)

# Signer and signed (document 55766, section 2.1): the PEK needs both its owner's and its chip's signature.
LINKS: Final = (
    (Usage.ARK, Usage.ARK),
    (Usage.ARK, Usage.ASK),
    (Usage.ASK, Usage.CEK),
    (Usage.OCA, Usage.OCA),
    (Usage.OCA, Usage.PEK),
    (Usage.CEK, Usage.PEK),
    (Usage.PEK, Usage.PDH),
)


@dataclass(frozen=True)
class ChainReport:
    """What a chain is worth: `broken` names each link that does not hold, and is empty for a good chain."""

    certificates: tuple[Certificate, ...]
    broken: list[str]

    def identity(self, data: bytes) -> PlatformIdentity:
        """The platform that this chain names, whose bytes are `data` and were read without an error."""
        bodies = {certificate.usage: certificate.fingerprint for certificate in self.certificates}
        return PlatformIdentity(
            chain=hashlib.sha256(data).hexdigest(),
            ark=bodies[Usage.ARK],
            cek=bodies[Usage.CEK],
            pdh=bodies[Usage.PDH],
        )

    def summary(self) -> dict[str, Any]:
        """For the evidence."""
        return {
            "certificates": [
                {
                    "usage": certificate.usage.name,
                    "version": certificate.version,
                    "key": f"{certificate.algorithm.name}, {certificate.key.key_size} bits",
                    "fingerprint": certificate.fingerprint,
                    "signed by": [signature.usage.name for signature in certificate.signatures],
                }
                for certificate in self.certificates
            ],
            "broken": self.broken,
        }


def verify_chain(data: bytes, roots: Roots) -> ChainReport:
    """Verify a full chain, up to one of the roots. For bad bytes the report says what is wrong."""
    try:
        certificates = _parse(data)
    except CertificateError as error:
        return ChainReport((), [str(error)])
    by_usage = {certificate.usage: certificate for certificate in certificates}
    broken = [
        f"the {signed.name} is not signed by {'itself' if signer is signed else f'the {signer.name}'}"
        for signer, signed in LINKS
        if not by_usage[signer].has_signed(by_usage[signed])
    ]
    if refusal := roots.refuse(by_usage[Usage.ARK]):
        broken.append(refusal)
    broken += _wrong_pdh(by_usage[Usage.PDH])
    return ChainReport(certificates, broken)


def pdh_of(data: bytes) -> bytes:
    """The PDH's bytes in an exported chain, full or not. Raises CertificateError where there is none."""
    platform_certificate(data[:PLATFORM_SIZE], Usage.PDH)
    return data[:PLATFORM_SIZE]


def _parse(data: bytes) -> tuple[Certificate, ...]:
    certificates = []
    rest = data
    for usage in PLATFORM:
        certificates.append(platform_certificate(rest, usage))
        rest = rest[PLATFORM_SIZE:]
    for usage in (Usage.ASK, Usage.ARK):
        certificates.append(ca_certificate(rest, usage))
        rest = rest[len(certificates[-1].data) :]
    if rest:
        raise CertificateError(f"{len(rest)} bytes follow the ARK, which should end the chain")
    return tuple(certificates)


def _wrong_pdh(pdh: Certificate) -> list[str]:
    exchanges = pdh.algorithm in {Algorithm.ECDH_SHA256, Algorithm.ECDH_SHA384}
    if exchanges and isinstance(pdh.key, ec.EllipticCurvePublicKey) and pdh.key.key_size == 384:
        return []
    return [f"the PDH's key is {pdh.algorithm.name} with {pdh.key.key_size} bits, not ECDH on P-384"]
