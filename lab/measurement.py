"""The launch digest of an SEV guest, computed with IBM's sev-snp-measure as the guide does (附录)."""

from __future__ import annotations

import base64
import hashlib

from sevsnpmeasure.ovmf import OVMF
from sevsnpmeasure.sev_hashes import SevHashes
from sevsnpmeasure.vmsa import VMSA

from lab.errors import LabError
from lab.memory_file import MemoryFile


class HashTable(SevHashes):
    """The hash table of a kernel and an initrd that stay on the host: it takes only their SHA-256."""

    def __init__(self, *, kernel_sha256: str, initrd_sha256: str, append: str) -> None:
        self.kernel_hash = bytes.fromhex(kernel_sha256)
        self.initrd_hash = bytes.fromhex(initrd_sha256)
        self.cmdline_hash = hashlib.sha256(append.encode() + b"\0").digest()


def launch_digest(
    firmware: bytes, hashes: HashTable, *, seves_vcpus: int | None = None, vcpu_signature: int = 0
) -> str:
    """The digest in base64, as simple-kbs' policies list it.

    `append` of the hashes is the kernel command line without its NUL. With `seves_vcpus`, of an SEV-ES guest
    with that many vCPUs of that CPUID signature. The same as sev-snp-measure's calc_launch_digest
    (sevsnpmeasure/guest.py), which wants the files, but for SEV-ES: see `_vcpu_state`. Raises LabError for a
    firmware without a hash table.
    """
    try:
        with MemoryFile(firmware) as file:
            ovmf = OVMF(file.path)
        if not ovmf.is_sev_hashes_table_supported():
            raise LabError("this firmware has no SEV hash table: QEMU refuses to start a kernel with it")
        measured = hashlib.sha256(ovmf.data())
        measured.update(hashes.construct_table())
        if seves_vcpus is not None:
            starts = [VMSA.BSP_EIP] + [ovmf.sev_es_reset_eip()] * (seves_vcpus - 1)
            for start in starts:
                measured.update(_vcpu_state(start, vcpu_signature))
    except (RuntimeError, ValueError, AssertionError) as error:
        raise LabError(f"sev-snp-measure cannot measure this firmware: {error}") from None
    return base64.b64encode(measured.digest()).decode()


def _vcpu_state(start: int, signature: int) -> bytes:
    """A vCPU's state at reset, as QEMU and KVM measure it: one page.

    Since 0.0.10, sev-snp-measure sets MXCSR and the x87 control word, as a host does for KVM_SEV_INIT2 (Linux
    6.10, QEMU 9.1). kata's QEMU of CC-0.3.0 is older, and leaves them zero on any kernel; so does kata's own
    computation (kata-containers CC-0.3.0, src/runtime/pkg/sev/vmsa.go), by which its shim asks for secrets.
    """
    area = VMSA.build_save_area(start, 0, signature)
    area.mxcsr = area.x87_fcw = 0
    return bytes(area)
