"""The launch digest that the shim tells the key broker, computed from the host's files.

The guest's own measurement is made by the platform from what QEMU really loaded; the broker compares the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sevsnpmeasure import guest, vcpu_types
from sevsnpmeasure.sev_mode import SevMode

from simlab.node.kata.errors import ShimError

if TYPE_CHECKING:
    from simlab.node.host import Host
    from simlab.node.kata.config import Configuration

SEV_ES_POLICY_BIT: Final = 0x4


def launch_digest(host: Host, configuration: Configuration, command_line: str) -> bytes:
    """SHA-256 that the platform should arrive at; SEV-ES when the policy asks for it. Raises ShimError."""
    seves = bool(configuration.sev_guest_policy & SEV_ES_POLICY_BIT)
    cpu = host.cpuinfo()[0]
    try:
        digest: bytes = guest.calc_launch_digest(
            SevMode.SEV_ES if seves else SevMode.SEV,
            configuration.vcpus,
            vcpu_types.cpu_sig(int(cpu["cpu family"]), int(cpu["model"]), int(cpu["stepping"])),
            str(host.local(configuration.firmware)),
            str(host.local(configuration.kernel)),
            str(host.local(configuration.initrd)) if configuration.initrd else "",
            command_line,
            0,
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise ShimError(f"Could not calculate SEV/SEV-ES launch digest: {error}") from None
    return digest
