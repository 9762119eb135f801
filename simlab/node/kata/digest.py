"""The launch digest that the shim tells the key broker, computed from the host's files.

The guest's own measurement is made by the platform from what QEMU really loaded; the broker compares the two.
Source: kata CC-0.3.0 `src/runtime`, `virtcontainers/qemu_amd64.go` (`calculateGuestLaunchDigest`), `pkg/sev`.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from sevsnpmeasure import guest, vcpu_types
from sevsnpmeasure.ovmf import OVMF
from sevsnpmeasure.sev_hashes import SevHashes
from sevsnpmeasure.sev_mode import SevMode
from sevsnpmeasure.vmsa import VMSA

from simlab.node.kata.errors import ShimError

if TYPE_CHECKING:
    from simlab.node.host import Host
    from simlab.node.kata.config import Configuration

SEV_ES_POLICY_BIT: Final = 0x4


def launch_digest(host: Host, configuration: Configuration, command_line: str) -> bytes:
    """SHA-256 that the platform should arrive at; SEV-ES when the policy asks for it. Raises ShimError."""
    firmware, kernel = str(host.local(configuration.firmware)), str(host.local(configuration.kernel))
    initrd = str(host.local(configuration.initrd)) if configuration.initrd else ""
    try:
        if configuration.sev_guest_policy & SEV_ES_POLICY_BIT:
            cpu = host.cpuinfo()[0]
            signature = vcpu_types.cpu_sig(int(cpu["cpu family"]), int(cpu["model"]), int(cpu["stepping"]))
            return seves_digest(firmware, kernel, initrd, command_line, configuration.vcpus, signature)
        digest: bytes = guest.calc_launch_digest(
            SevMode.SEV, configuration.vcpus, 0, firmware, kernel, initrd, command_line, 0
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise ShimError(f"Could not calculate SEV/SEV-ES launch digest: {error}") from None
    return digest


def seves_digest(
    firmware: str, kernel: str, initrd: str, command_line: str, vcpus: int, cpu_signature: int
) -> bytes:
    """The digest of an SEV-ES guest, from the paths of its files.

    kata leaves the vCPUs' floating-point registers zero (`pkg/sev/vmsa.go`); the package has set two of them
    since 0.0.10, for newer hosts.
    """
    ovmf = OVMF(firmware)
    digest = hashlib.sha256(ovmf.data())
    digest.update(SevHashes(kernel, initrd, command_line).construct_table())
    for start in [VMSA.BSP_EIP] + [ovmf.sev_es_reset_eip()] * (vcpus - 1):
        area = VMSA.build_save_area(start, 0, cpu_signature)
        area.mxcsr = area.x87_fcw = 0
        digest.update(bytes(area))
    return digest.digest()
