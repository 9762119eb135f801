"""One guest's context in the firmware: the platform's half of a launch (55766, chapter 6)."""

from __future__ import annotations

import hashlib
import os
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric import ec

from simlab.psp.status import SevError, Status
from simlab.sev import primitives
from simlab.sev.errors import FormatError
from simlab.sev.packets import Measurement, SecretHeader, SessionBlob

if TYPE_CHECKING:
    from simlab.psp.platform import Firmware

_BLOCK: Final = 16
_PAGE: Final = 4096
_SECRET_LIMIT: Final = 16 * 1024
_COMPRESSED: Final = 1

POLICY_ES: Final = 0b100


class State(IntEnum):
    """Where a guest is in its life (55766, GSTATE); send and receive are not implemented."""

    UNINIT = 0
    LUPDATE = 1
    LSECRET = 2
    RUNNING = 3


class Guest:
    """A guest from LAUNCH_START on."""

    def __init__(self, firmware: Firmware, policy: int, asid: int, keys: tuple[bytes, bytes]) -> None:
        self._firmware = firmware
        self._tek, self._tik = keys
        self._digest = hashlib.sha256()
        self._measurement = b""
        self.policy = policy
        self.asid = asid
        self.state = State.LUPDATE

    def update_data(self, data: bytes) -> None:
        """LAUNCH_UPDATE_DATA: add memory to the launch digest. The length is a multiple of 16."""
        self._expect(State.LUPDATE)
        if not data or len(data) % _BLOCK:
            raise SevError(Status.INVALID_LENGTH)
        self._digest.update(data)

    def update_vmsa(self, data: bytes) -> None:
        """LAUNCH_UPDATE_VMSA: add a virtual processor's save area, one page, to an SEV-ES guest's digest."""
        self._expect(State.LUPDATE)
        if not self.policy & POLICY_ES:
            raise SevError(Status.POLICY_FAILURE)
        if len(data) != _PAGE:
            raise SevError(Status.INVALID_LENGTH)
        self._digest.update(data)

    def measure(self) -> Measurement:
        """LAUNCH_MEASURE: end the measured part of the launch."""
        self._expect(State.LUPDATE)
        nonce = os.urandom(primitives.NONCE_SIZE)
        build = bytes([self._firmware.api_major, self._firmware.api_minor, self._firmware.build])
        policy = self.policy.to_bytes(4, "little")
        mac = primitives.mac(self._tik, b"\x04", build, policy, self._digest.digest(), nonce)
        self._measurement = mac
        self.state = State.LSECRET
        return Measurement(mac, nonce)

    def secret(self, header: bytes, ciphertext: bytes) -> bytes:
        """LAUNCH_SECRET: check a packet of the guest owner's and return what lands in the guest's memory."""
        self._expect(State.LSECRET)
        if not ciphertext or len(ciphertext) % _BLOCK or len(ciphertext) > _SECRET_LIMIT:
            raise SevError(Status.INVALID_LENGTH)
        try:
            packet = SecretHeader.decode(header)
        except FormatError as error:
            raise SevError(Status.INVALID_LENGTH) from error
        if packet.flags & _COMPRESSED:
            raise SevError(Status.UNSUPPORTED)
        size = len(ciphertext).to_bytes(4, "little")
        covered = (packet.flags.to_bytes(4, "little"), packet.iv, size, size, ciphertext, self._measurement)
        if not primitives.same(primitives.mac(self._tik, b"\x01", *covered), packet.mac):
            raise SevError(Status.BAD_MEASUREMENT)
        return primitives.crypt(self._tek, packet.iv, ciphertext)

    def finish(self) -> None:
        """LAUNCH_FINISH: the guest may run, and takes no further secret."""
        if self.state not in (State.LUPDATE, State.LSECRET):
            raise SevError(Status.INVALID_GUEST_STATE)
        self._tek = self._tik = b""
        self.state = State.RUNNING

    def _expect(self, state: State) -> None:
        if self.state is not state:
            raise SevError(Status.INVALID_GUEST_STATE)


def check_policy(firmware: Firmware, policy: int) -> None:
    """Check that the platform can keep a policy. Raises SevError POLICY_FAILURE.

    Bits 16 to 23 and 24 to 31 hold the least API major and minor that the guest owner trusts.
    """
    least = ((policy >> 16) & 0xFF, (policy >> 24) & 0xFF)
    if firmware.api < least:
        raise SevError(Status.POLICY_FAILURE)


def unwrap(
    pdh_key: ec.EllipticCurvePrivateKey, owner: ec.EllipticCurvePublicKey, session: bytes, policy: int
) -> tuple[bytes, bytes]:
    """Take TEK and TIK out of a session blob, and check that the guest owner meant this policy.

    Raises SevError: INVALID_CERTIFICATE for a key on another curve, INVALID_LENGTH for a blob of another
    size, BAD_MEASUREMENT when a MAC does not fit (made for another PDH, altered, or for another policy).
    """
    try:
        shared = pdh_key.exchange(ec.ECDH(), owner)
    except ValueError as error:
        raise SevError(Status.INVALID_CERTIFICATE) from error
    try:
        blob = SessionBlob.decode(session)
    except FormatError as error:
        raise SevError(Status.INVALID_LENGTH) from error
    kek, kik = primitives.wrapping_keys(shared, blob.nonce)
    if not primitives.same(primitives.mac(kik, blob.wrapped_keys), blob.wrap_mac):
        raise SevError(Status.BAD_MEASUREMENT)
    keys = primitives.crypt(kek, blob.wrap_iv, blob.wrapped_keys)
    tek, tik = keys[: primitives.KEY_SIZE], keys[primitives.KEY_SIZE :]
    if not primitives.same(primitives.mac(tik, policy.to_bytes(4, "little")), blob.policy_mac):
        raise SevError(Status.BAD_MEASUREMENT)
    return tek, tik


def own_keys() -> tuple[bytes, bytes]:
    """TEK and TIK of a launch without a guest owner: nobody else knows them."""
    return os.urandom(primitives.KEY_SIZE), os.urandom(primitives.KEY_SIZE)
