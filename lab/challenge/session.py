"""The guest owner's half of an SEV launch session.

AMD's Secure Encrypted Virtualization API (document 55766): chapter 2 (key derivation, wrapping), LAUNCH_START
(session data), LAUNCH_MEASURE (what is measured). As simple-kbs 0.1.1 does it: the crate sev 0.3.0,
src/session/mod.rs and src/session/key.rs.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from lab.certificates.formats import (
    PLATFORM_SIZE,
    SIGNATURE_SIZE,
    Algorithm,
    Usage,
    platform_body,
)
from lab.counter_mode import counter_mode
from lab.errors import LabError

KEY: Final = 16
NONCE: Final = 16
MEASUREMENT: Final = 48
_MEASURED: Final = b"\x04"
_NO_SIGNATURE: Final = struct.pack("<II", 0x1000, 0).ljust(SIGNATURE_SIZE, b"\0")


@dataclass(frozen=True)
class Opened:
    """What LAUNCH_START takes, `owner` (GODH) and `session`; and the integrity key, which stays here."""

    owner: bytes
    session: bytes
    tik: bytes


@dataclass(frozen=True)
class Build:
    """The platform firmware's API version and build, as the firmware measures them: a byte each."""

    major: int
    minor: int
    build: int

    def measured(self) -> bytes:
        """Its three bytes. Raises LabError for numbers that are none."""
        try:
            return bytes([self.major, self.minor, self.build])
        except ValueError:
            raise LabError(
                f"the firmware's version {self.major}.{self.minor} build {self.build} is none"
            ) from None


def open_session(pdh: ec.EllipticCurvePublicKey, policy: int) -> Opened:
    """A session for the platform with this PDH, whose guest has this policy.

    Nothing but the platform can take the keys out, and it takes them for no other policy.
    """
    owner = ec.generate_private_key(ec.SECP384R1())
    nonce, iv = secrets.token_bytes(NONCE), secrets.token_bytes(NONCE)
    tek, tik = secrets.token_bytes(KEY), secrets.token_bytes(KEY)
    master = derived(owner.exchange(ec.ECDH(), pdh), "sev-master-secret", nonce)
    wrapping, integrity = derived(master, "sev-kek"), derived(master, "sev-kik")
    wrapped = counter_mode(wrapping, iv, tek + tik)
    session = b"".join([nonce, wrapped, iv, mac(integrity, wrapped), mac(tik, _policy(policy))])
    return Opened(_certificate(owner.public_key()), session, tik)


def answers(measurement: bytes, *, tik: bytes, policy: int, build: Build, digest: bytes) -> bool:
    """Whether who holds the session's key measured this launch, under this policy and firmware."""
    if len(measurement) != MEASUREMENT:
        return False
    value, nonce = measurement[:32], measurement[32:]
    expected = mac(tik, _MEASURED + build.measured() + _policy(policy) + digest + nonce)
    return hmac.compare_digest(value, expected)


def derived(key: bytes, label: str, context: bytes = b"") -> bytes:
    """A key of 16 bytes: NIST SP 800-108, counter mode over HMAC-SHA256, one block, little-endian numbers."""
    block = struct.pack("<I", 1) + label.encode() + b"\0" + context + struct.pack("<I", KEY * 8)
    return mac(key, block)[:KEY]


def mac(key: bytes, data: bytes) -> bytes:
    """HMAC-SHA256."""
    return hmac.new(key, data, hashlib.sha256).digest()


def _policy(policy: int) -> bytes:
    return struct.pack("<I", policy)


def _certificate(key: ec.EllipticCurvePublicKey) -> bytes:
    """The guest owner's key as the firmware takes it: a PDH certificate that nobody signed."""
    body = platform_body(Usage.PDH, Algorithm.ECDH_SHA256, key, (0, 0))
    return (body + 2 * _NO_SIGNATURE).ljust(PLATFORM_SIZE, b"\0")
