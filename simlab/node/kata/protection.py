"""Which memory encryption the host offers (kata CC-0.3.0 `virtcontainers/hypervisor_linux_amd64.go`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simlab.node.kata.errors import ShimError

if TYPE_CHECKING:
    from simlab.node.host import Host

_SEV: Final = "/sys/module/kvm_amd/parameters/sev"
_SEV_ES: Final = "/sys/module/kvm_amd/parameters/sev_es"

# EPYC 7003: CPUID 8000001F EBX, bits 5:0 and 11:6.
C_BIT_POSITION: Final = 51
REDUCED_PHYSICAL_BITS: Final = 5


def has_sev_es(host: Host) -> bool:
    """Whether kvm_amd has SEV-ES switched on; a kernel that does not know it has no such parameter."""
    try:
        return host.read_text(_SEV_ES)[:1] in ("1", "Y")
    except FileNotFoundError:
        return False


def require_sev(host: Host) -> None:
    """Raise ShimError unless kvm_amd has SEV switched on."""
    try:
        switch = host.read_text(_SEV)[:1]
    except FileNotFoundError:
        switch = ""  # kvm_amd is not loaded
    if switch not in ("1", "Y"):
        raise ShimError("This system doesn't support Confidential Computing (Guest Protection)")
