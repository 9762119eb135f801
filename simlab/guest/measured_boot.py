"""What a measured direct boot adds to the launch digest: the hash table, and for SEV-ES the save areas.

Sources: QEMU 6.2 target/i386/sev.c (`sev_add_kernel_loader_hashes`), AMD's APM volume 2, table B-4 (layout of
the save area), and the register values that KVM and QEMU give a virtual processor at reset.

The floating-point registers stay zero: the guide's kernel does not copy them (alibaba/cloud-kernel,
arch/x86/kvm/svm/sev.c, `sev_es_sync_vmsa`), and newer ones only for a guest made by KVM_SEV_INIT2, which QEMU
6.2 does not know (Linux 6.10).
"""

from __future__ import annotations

import hashlib
import struct
import uuid
from typing import Final

_TABLE: Final = uuid.UUID("9438d606-4f22-4cc9-b479-a793d411fd21")
_CMDLINE: Final = uuid.UUID("97d02dd8-bd20-4c94-aa78-e7714d36ab2a")
_INITRD: Final = uuid.UUID("44baf731-3a2f-4bd7-9af1-41e29169781d")
_KERNEL: Final = uuid.UUID("4de79437-abd2-427f-b835-d5b172d2045b")
_HEADER: Final = struct.Struct("<16sH")

RESET_EIP: Final = 0xFFFFFFF0
_PAGE: Final = 4096


def hash_table(kernel: bytes, initrd: bytes, cmdline: str) -> bytes:
    """The table of hashes, padded to a multiple of 16 bytes. An absent initrd counts as an empty one."""
    hashed = ((_CMDLINE, cmdline.encode() + b"\0"), (_INITRD, initrd), (_KERNEL, kernel))
    entries = b"".join(
        _HEADER.pack(guid.bytes_le, _HEADER.size + 32) + hashlib.sha256(data).digest()
        for guid, data in hashed
    )
    table = _HEADER.pack(_TABLE.bytes_le, _HEADER.size + len(entries)) + entries
    return table + bytes(-len(table) % 16)


def save_area(eip: int, cpu_signature: int) -> bytes:
    """The VMSA page of a virtual processor that starts at `eip`.

    `cpu_signature` is CPUID leaf 1's EAX, which a processor has in RDX after a reset.
    """
    page = bytearray(_PAGE)
    data = (0, 0x93, 0xFFFF, 0)
    segments = {
        0x00: data,  # ES
        0x10: (0xF000, 0x9B, 0xFFFF, eip & 0xFFFF0000),  # CS
        0x20: data,  # SS
        0x30: data,  # DS
        0x40: data,  # FS
        0x50: data,  # GS
        0x60: (0, 0, 0xFFFF, 0),  # GDTR
        0x70: (0, 0x82, 0xFFFF, 0),  # LDTR
        0x80: (0, 0, 0xFFFF, 0),  # IDTR
        0x90: (0, 0x8B, 0xFFFF, 0),  # TR
    }
    for offset, (selector, attributes, limit, base) in segments.items():
        struct.pack_into("<HHIQ", page, offset, selector, attributes, limit, base)
    registers = {
        0x0D0: 0x1000,  # EFER: SVME, set by KVM
        0x148: 0x40,  # CR4: MCE, set by KVM
        0x158: 0x10,  # CR0
        0x160: 0x400,  # DR7
        0x168: 0xFFFF0FF0,  # DR6
        0x170: 0x2,  # RFLAGS
        0x178: eip & 0xFFFF,  # RIP
        0x268: 0x0007040600070406,  # PAT
        0x310: cpu_signature,  # RDX
        0x3E8: 0x1,  # XCR0
    }
    for offset, value in registers.items():
        struct.pack_into("<Q", page, offset, value)
    return bytes(page)


def cpu_signature(family: int, model: int, stepping: int) -> int:
    """CPUID leaf 1's EAX from the numbers that /proc/cpuinfo shows."""
    base_family, extended_family = min(family, 0xF), max(family - 0xF, 0)
    return (extended_family << 20) | (model >> 4 << 16) | (base_family << 8) | ((model & 0xF) << 4) | stepping
