"""The guest owner's half of a launch: what a key broker does.

Source: the `sev` crate 0.3.0 (src/session/mod.rs, src/launch/sev.rs), which simple-kbs 0.1.1 is built on.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec

from simlab.sev import primitives
from simlab.sev.certificate import Certificate
from simlab.sev.errors import SignatureError, WrongFieldError
from simlab.sev.keys import Usage
from simlab.sev.packets import Measurement, SecretHeader, SessionBlob

_POLICY_FLAGS = 0x3F


def policy_bytes(policy: int) -> bytes:
    """Return the four bytes of a policy that the owner authenticates.

    The crate does not keep a policy as it is: it drops the flags that it does not know, and takes the minimum
    API version from the two halves of bits 16 to 23, where the specification has major in bits 16 to 23 and
    minor in bits 24 to 31. A policy that asks for a minimum version therefore never passes the platform.
    """
    flags = policy & _POLICY_FLAGS
    version = policy >> 16
    return flags.to_bytes(2, "little") + bytes([(version >> 4) & 0xF, version & 0xF])


@dataclass(frozen=True)
class Launch:
    """What the platform needs at LAUNCH_START."""

    public_key: bytes
    session: bytes


class Owner:
    """One launch, with transport keys of its own."""

    def __init__(self, policy: int) -> None:
        self._policy = policy_bytes(policy)
        self._tek = os.urandom(primitives.KEY_SIZE)
        self._tik = os.urandom(primitives.KEY_SIZE)

    def start(self, pdh: Certificate) -> Launch:
        """Wrap the transport keys for the PDH's platform. Raises WrongFieldError when the PDH is no key."""
        private = ec.generate_private_key(ec.SECP384R1())
        try:
            shared = private.exchange(ec.ECDH(), pdh.ecc_key())
        except ValueError as error:
            raise WrongFieldError("the PDH is not on the curve P-384") from error
        nonce = os.urandom(primitives.NONCE_SIZE)
        iv = os.urandom(primitives.IV_SIZE)
        kek, kik = primitives.wrapping_keys(shared, nonce)
        wrapped = primitives.crypt(kek, iv, self._tek + self._tik)
        blob = SessionBlob(
            nonce=nonce,
            wrapped_keys=wrapped,
            wrap_iv=iv,
            wrap_mac=primitives.mac(kik, wrapped),
            policy_mac=primitives.mac(self._tik, self._policy),
        )
        certificate = Certificate.build(Usage.PDH, private.public_key())
        return Launch(certificate.encode(), blob.encode())

    def verify(self, digest: bytes, build: bytes, measurement: Measurement) -> Verified:
        """Check the platform's measurement; `build` is API major, API minor and build, a byte each.

        Raises SignatureError when the MAC is not over that digest, build and policy with this launch's key.
        """
        expected = primitives.mac(self._tik, b"\x04", build, self._policy, digest, measurement.nonce)
        if not primitives.same(expected, measurement.mac):
            raise SignatureError("the measurement is not that of this launch")
        return Verified(self._tek, self._tik, measurement.mac)


@dataclass(frozen=True, repr=False)
class Verified:
    """A launch whose measurement was right: secrets may be sent."""

    tek: bytes
    tik: bytes
    measurement: bytes

    def secret(self, data: bytes) -> tuple[bytes, bytes]:
        """Encrypt a secret for the guest; returns header and ciphertext."""
        iv = os.urandom(primitives.IV_SIZE)
        flags = 0
        ciphertext = primitives.crypt(self.tek, iv, data)
        size = len(data).to_bytes(4, "little")
        mac = primitives.mac(
            self.tik, b"\x01", flags.to_bytes(4, "little"), iv, size, size, ciphertext, self.measurement
        )
        return SecretHeader(flags, iv, mac).encode(), ciphertext
