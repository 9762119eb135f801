"""The roots in which a chain may end: AMD's published ARKs, or the one that a lab file names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from lab.certificates.formats import Certificate, CertificateError, Usage, ca_certificate
from lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Mapping

# SHA-256 of the body (header, exponent, modulus) of AMD's ARKs, as virtee/sev v7.1.0 builds them in:
# src/certs/sev/builtin/GENERATION/ark.cert, from https://developer.amd.com/sev (ask_ark_GENERATION.cert).
AMD: Final[Mapping[str, str]] = {
    "Naples": "8efddcaaf84990cf6354d93637be270220cf15797332b3d918c3b8cc77349f31",
    "Rome": "ae2456af6c6ad234badd6c75e58915be61568286766083853bf668e6e23977c3",
    "Milan": "263b13fd3170c6ffbb0b4f01f09848dc08a8dc1e9637d47e42cbe6c135e4af12",
    "Genoa": "973df6265e1b40cf8883305c1f6a6cd254979446acb40bd396946b2f19e751e9",
    "Turin": "89327696f8082b20f5a588565adc26d478e1c6d56153c1de656e63396b8f8e20",
}


@dataclass(frozen=True)
class Roots:
    """Names of roots by the fingerprint of their ARK."""

    names: Mapping[str, str]

    @classmethod
    def of(cls, source: Literal["amd"] | Path) -> Roots:
        """AMD's roots, or the ARK in a file (AMD's `ask_ark_….cert`, or an ARK alone).

        Raises LabError for a file without an ARK.
        """
        if not isinstance(source, Path):
            return cls({fingerprint: name for name, fingerprint in AMD.items()})
        try:
            ark = _ark_in(source.read_bytes())
        except OSError as error:
            raise LabError(f"platform.root {source}: {error.strerror}") from None
        if ark is None:
            raise LabError(f"platform.root {source}: no ARK in AMD's certificate format")
        return cls({ark.fingerprint: f"the root in {source.name}"})

    def refuse(self, ark: Certificate) -> str | None:
        """Why an ARK is no root, or None where it is one."""
        if ark.fingerprint in self.names:
            return None
        allowed = ", ".join(self.names.values())
        return f"the ARK {ark.fingerprint} is none of the roots allowed here ({allowed})"


def _ark_in(data: bytes) -> Certificate | None:
    for start in (0, *_after_ask(data)):
        try:
            return ca_certificate(data[start:], Usage.ARK)
        except CertificateError:
            continue
    return None


def _after_ask(data: bytes) -> list[int]:
    try:
        return [len(ca_certificate(data, Usage.ASK).data)]
    except CertificateError:
        return []
