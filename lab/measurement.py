"""The launch digest of an SEV guest, computed by IBM's sev-snp-measure as the guide does (附录)."""

from __future__ import annotations

import base64

from sevsnpmeasure import guest
from sevsnpmeasure.sev_mode import SevMode

from lab.errors import LabError
from lab.memory_file import MemoryFile


def launch_digest(
    firmware: bytes,
    kernel: bytes,
    initrd: bytes,
    append: str,
    *,
    seves_vcpus: int | None = None,
    vcpu_signature: int = 0,
) -> str:
    """The digest in base64, as simple-kbs' policies list it.

    `append` is the kernel command line without its NUL. With `seves_vcpus`, of an SEV-ES guest with that
    many vCPUs of that CPUID signature. Raises LabError for a firmware without a hash table (sev-snp-measure:
    sevsnpmeasure/ovmf.py).
    """
    mode = SevMode.SEV if seves_vcpus is None else SevMode.SEV_ES
    with MemoryFile(firmware) as ovmf, MemoryFile(kernel) as vmlinuz, MemoryFile(initrd) as image:
        try:
            digest = guest.calc_launch_digest(
                mode, seves_vcpus or 1, vcpu_signature, ovmf.path, vmlinuz.path, image.path, append, 0
            )
        except (RuntimeError, ValueError, AssertionError) as error:
            raise LabError(f"sev-snp-measure cannot measure this firmware: {error}") from None
    return base64.b64encode(digest).decode()
