"""The launch of an SEV guest, as QEMU drives it (QEMU 6.2, target/i386/sev.c)."""

from __future__ import annotations

import base64
import binascii
import struct
from typing import TYPE_CHECKING, Final

from simlab.artifacts import ovmf_table
from simlab.guest import measured_boot
from simlab.psp.client import Sev, SevError
from simlab.psp.status import Status

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from simlab.guest.memory import Memory

_POLICY_ES: Final = 1 << 2

# Linux, include/linux/psp-sev.h: what the driver copies for the firmware, and refuses beyond (EINVAL).
_BLOB_LIMIT: Final = 16 << 10

# Texts of QEMU's `sev_fw_errlist`.
_ERRORS: Final = {
    0x01: "Platform state is invalid",
    0x02: "Guest state is invalid",
    0x03: "Platform configuration is invalid",
    0x04: "Buffer too small",
    0x05: "Platform is already owned",
    0x06: "Certificate is invalid",
    0x07: "Policy is not allowed",
    0x08: "Guest is not active",
    0x09: "Invalid address",
    0x0A: "Bad signature",
    0x0B: "Bad measurement",
    0x0C: "ASID is already owned",
    0x0D: "Invalid ASID",
    0x10: "Guest handle is invalid",
    0x11: "Invalid command",
    0x15: "Feature not supported",
    0x16: "Invalid parameter",
    0x17: "Required firmware resource depleted",
}


class LaunchError(Exception):
    """The launch cannot go on; the text is QEMU's."""


class Launch:
    """An SEV guest between LAUNCH_START and LAUNCH_FINISH, and after."""

    def __init__(self, psp_socket: Path, policy: int, memory: Memory, *, seves: bool) -> None:
        """Open the platform; `seves` says whether KVM offers SEV-ES. Raises LaunchError."""
        try:
            self._sev = Sev(psp_socket)
        except OSError as error:
            raise LaunchError(
                f"sev_kvm_init: Failed to open /dev/sev '{error.strerror or error}'\n"
                "failed to initialize kvm: Operation not permitted"
            ) from None
        if policy & _POLICY_ES and not seves:
            self._sev.close()
            # KVM_SEV_ES_INIT gives ENOTTY (alibaba/cloud-kernel, arch/x86/kvm/svm/sev.c, sev_es_guest_init).
            raise LaunchError(
                "sev_kvm_init: failed to initialize ret=-25 fw_error=0 ''\n"
                "failed to initialize kvm: Operation not permitted"
            )
        self.platform = self._sev.platform_status()
        self.policy = policy
        self.state = "uninit"
        self.handle = 0
        self.measurement = b""
        self._memory = memory

    def close(self) -> None:
        """Let go of the platform, which then forgets the guest."""
        self._sev.close()

    def start(self, dh_cert: bytes, session: bytes) -> None:
        """LAUNCH_START with what the files held (base64); both empty for a launch that nobody attests."""
        try:
            self.handle = self._sev.launch_start(self.policy, _decode(dh_cert), _decode(session))
        except SevError as error:
            if error.code == Status.RESOURCE_LIMIT:
                # KVM_SEV_INIT gives EBUSY (Linux 5.10, arch/x86/kvm/svm/sev.c, sev_asid_new).
                raise LaunchError(
                    "sev_kvm_init: failed to initialize ret=-16 fw_error=0 ''\n"
                    "failed to initialize kvm: Operation not permitted"
                ) from None
            raise LaunchError(
                f"sev_launch_start: LAUNCH_START ret=1 fw_error={error.code} '{_text(error)}'\n"
                "sev_kvm_init: failed to create encryption context\n"
                "failed to initialize kvm: Operation not permitted"
            ) from None
        self.state = "launch-update"

    def measure(self, firmware: bytes, table: bytes | None, vcpus: int, cpu_signature: int) -> None:
        """Measure firmware, hash table (None without a kernel) and, for SEV-ES, the save areas."""
        entries = _footer(firmware)
        try:
            self._sev.launch_update_data(self.handle, firmware)
            if table is not None:
                self._memory.write(_hash_table_base(entries, len(table)), table)
                self._sev.launch_update_data(self.handle, table)
            if self.policy & _POLICY_ES:
                for page in _save_areas(entries, vcpus, cpu_signature):
                    self._sev.launch_update_vmsa(self.handle, page)
            self.measurement = self._sev.launch_measure(self.handle)
        except SevError as error:
            raise LaunchError(
                f"sev_launch_update_data: LAUNCH_UPDATE ret=-5 fw_error={error.code} '{_text(error)}'"
            ) from None
        self.state = "launch-secret"

    def inject(self, firmware: bytes, header: str, secret: str, address: int | None) -> None:
        """LAUNCH_SECRET: decrypt a secret (base64) into the guest's memory, by default where OVMF wants it.

        QEMU limits no length; the kernel does, before the firmware sees the secret. KVM also wants the pages
        that it lands in to be contiguous, which they are here.
        """
        if self.state != "launch-secret":
            raise LaunchError("SEV: Not in correct state. (LSECRET) 3")
        if address is None:
            area = _footer(firmware).get(ovmf_table.SEV_SECRET_AREA)
            if area is None:
                raise LaunchError("SEV: no secret area found in OVMF, gpa must be specified.")
            address = struct.unpack_from("<I", area)[0]
        try:
            packet, data = base64.b64decode(header, validate=True), base64.b64decode(secret, validate=True)
        except (binascii.Error, ValueError):
            raise LaunchError("SEV: Failed to decode sequence header") from None
        if len(data) > _BLOB_LIMIT:
            raise LaunchError("SEV: failed to inject secret ret=-22 fw_error=0 ''")
        try:
            self._memory.write(address, self._sev.launch_secret(self.handle, packet, data))
        except ValueError as error:
            raise LaunchError(f"SEV: Failed to calculate guest address: {error}") from None
        except SevError as error:
            raise LaunchError(
                f"SEV: failed to inject secret ret=-5 fw_error={error.code} '{_text(error)}'"
            ) from None

    def finish(self) -> None:
        """LAUNCH_FINISH: no secret is taken any more."""
        try:
            self._sev.launch_finish(self.handle)
        except SevError as error:
            raise LaunchError(
                f"sev_launch_finish: LAUNCH_FINISH ret=-5 fw_error={error.code} '{_text(error)}'"
            ) from None
        self.state = "running"


def _footer(firmware: bytes) -> dict[UUID, bytes]:
    try:
        return ovmf_table.parse(firmware)
    except ValueError as error:
        raise LaunchError(str(error)) from None


def _hash_table_base(entries: dict[UUID, bytes], size: int) -> int:
    area = entries.get(ovmf_table.SEV_HASH_TABLE)
    if area is None:
        raise LaunchError("SEV: kernel specified but guest firmware has no hashes table GUID")
    base, length = struct.unpack_from("<II", area)
    if not base or length < size:
        raise LaunchError(
            f"SEV: guest firmware hashes table area is invalid (base=0x{base:x} size=0x{length:x})"
        )
    return int(base)


def _save_areas(entries: dict[UUID, bytes], vcpus: int, cpu_signature: int) -> list[bytes]:
    reset = entries.get(ovmf_table.SEV_ES_RESET_BLOCK)
    if reset is None:
        raise LaunchError("SEV-ES: guest firmware does not have a reset block")
    eip = struct.unpack("<I", reset[:4])[0]
    starts = [measured_boot.RESET_EIP] + [eip] * (vcpus - 1)
    return [measured_boot.save_area(start, cpu_signature) for start in starts]


def _decode(text: bytes) -> bytes:
    # As glib's g_base64_decode, which skips what is not base64.
    try:
        return base64.b64decode(text)
    except binascii.Error:
        return b""


def _text(error: SevError) -> str:
    return _ERRORS.get(error.code, "unknown error")
