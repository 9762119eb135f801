"""The firmware's commands and the platform's state machine, with what KVM adds: an ASID for each guest."""

from __future__ import annotations

import io
import itertools
import threading
from enum import IntEnum
from typing import TYPE_CHECKING

from simlab.psp.guest import POLICY_ES, Guest, check_policy, own_keys, unwrap
from simlab.psp.status import SevError, Status
from simlab.sev.certificate import SIZE, Certificate
from simlab.sev.errors import FormatError
from simlab.sev.keys import Algorithm, Usage

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec

    from simlab.psp.platform import Platform


class PlatformState(IntEnum):
    """The platform's state (55766, PSTATE)."""

    UNINIT = 0
    INIT = 1
    WORKING = 2


class SevFirmware:
    """The firmware of one platform; safe to call from several threads.

    INIT has been done, as Linux does it when its driver is loaded.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._guests: dict[int, Guest] = {}
        self._handles = itertools.count(1)
        self.lock = threading.RLock()

    @property
    def state(self) -> PlatformState:
        """WORKING while there is a guest."""
        return PlatformState.WORKING if self._guests else PlatformState.INIT

    @property
    def guest_count(self) -> int:
        """How many guests there are."""
        return len(self._guests)

    @property
    def platform(self) -> Platform:
        """Certificates, version and limits."""
        return self._platform

    def platform_reset(self) -> None:
        """PLATFORM_RESET: forget the owner; PEK and PDH are new. Raises SevError while there are guests."""
        with self.lock:
            self._expect_no_guest()
            self._platform.make_oca()

    def pek_gen(self) -> None:
        """PEK_GEN: PEK and PDH are new. Raises SevError while there are guests."""
        with self.lock:
            self._expect_no_guest()
            self._platform.make_pek()

    def pdh_gen(self) -> None:
        """PDH_GEN: the PDH is new, and chains exported before are stale."""
        with self.lock:
            self._platform.make_pdh()

    def launch_start(self, policy: int, dh_cert: bytes, session: bytes) -> int:
        """LAUNCH_START; returns the guest's handle. Without certificate and session nobody attests it.

        Raises SevError: POLICY_FAILURE, INVALID_CERTIFICATE, INVALID_LENGTH, BAD_MEASUREMENT, or
        RESOURCE_LIMIT when no ASID is left (Linux then says EBUSY).
        """
        if not 0 <= policy < 1 << 32:
            raise SevError(Status.INVALID_PARAM)
        with self.lock:
            check_policy(self._platform.firmware, policy)
            asid = self._free_asid(policy)
            if dh_cert or session:
                keys = unwrap(self._platform.keys[Usage.PDH], _owner_key(dh_cert), session, policy)
            else:
                keys = own_keys()
            handle = next(self._handles)
            self._guests[handle] = self.new_guest(policy, asid, keys)
            return handle

    def new_guest(self, policy: int, asid: int, keys: tuple[bytes, bytes]) -> Guest:
        """Make a guest's context."""
        return Guest(self._platform.firmware, policy, asid, keys)

    def guest(self, handle: int) -> Guest:
        """Return a guest. Raises SevError INVALID_GUEST."""
        try:
            return self._guests[handle]
        except KeyError as error:
            raise SevError(Status.INVALID_GUEST) from error

    def decommission(self, handle: int) -> None:
        """DECOMMISSION: forget a guest and free its ASID. Raises SevError INVALID_GUEST."""
        with self.lock:
            self.guest(handle)
            del self._guests[handle]

    def _expect_no_guest(self) -> None:
        if self._guests:
            raise SevError(Status.INVALID_PLATFORM_STATE)

    def _free_asid(self, policy: int) -> int:
        limits = self._platform.firmware
        offered = (
            range(1, limits.min_sev_asid)
            if policy & POLICY_ES
            else range(limits.min_sev_asid, limits.asids + 1)
        )
        taken = {guest.asid for guest in self._guests.values()}
        for asid in offered:
            if asid not in taken:
                return asid
        raise SevError(Status.RESOURCE_LIMIT)


def _owner_key(dh_cert: bytes) -> ec.EllipticCurvePublicKey:
    """Return the guest owner's key; its certificate carries no signature (55766, LAUNCH_START)."""
    if len(dh_cert) != SIZE:
        raise SevError(Status.INVALID_LENGTH)
    try:
        certificate = Certificate.read(io.BytesIO(dh_cert))
        if certificate.usage != Usage.PDH or certificate.algorithm not in (
            Algorithm.ECDH_SHA256,
            Algorithm.ECDH_SHA384,
        ):
            raise SevError(Status.INVALID_CERTIFICATE)
        return certificate.ecc_key()
    except FormatError as error:
        raise SevError(Status.INVALID_CERTIFICATE) from error
