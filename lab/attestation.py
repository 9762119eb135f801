"""Launches that the KBS is never asked about, whatever it would answer: waiting for a key changes nothing.

Sources: kata-containers CC-0.3.0, src/runtime/virtcontainers/qemu_amd64.go (`confidential_guest`,
`guest_pre_attestation`, `guest_pre_attestation_proxy`) and src/runtime/pkg/govmm/qemu/qemu.go (an SEV guest
has a session file where it was attested).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.node import VirtualMachine

# Go's net package, of a port on which nobody listens.
_REFUSED = re.compile(r"dial tcp (?P<address>\S+:(?P<port>\d+)): connect: connection refused")


def not_attested(vm: VirtualMachine) -> str | None:
    """Why the KBS was not asked about a VM that runs, by its QEMU's arguments; None where it was."""
    guest = vm.qemu.sev_guest
    if guest is None:
        return "its VM is no SEV guest: confidential_guest"
    if "session-file" not in guest:
        return "its VM was launched without pre-attestation: guest_pre_attestation"
    return None


def gone_astray(message: str, kbs_port: int) -> str | None:
    """Which address a refused launch asked in vain that is not the KBS's; None where there is none."""
    refused = _REFUSED.search(message)
    if refused is None or int(refused["port"]) == kbs_port:
        return None
    return f"it asked {refused['address']}, where nobody listens: the attestation proxy"
