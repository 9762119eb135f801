"""A firmware image that offers what OVMF's AmdSev build offers to QEMU, and executes nothing."""

from __future__ import annotations

import hashlib
import struct
from typing import Final

from simlab.artifacts import ovmf_table

# edk2-stable202208, OvmfPkg/AmdSev/AmdSevX64.fdf: MEMFD at 8 MiB; the secret's 3 KiB lie right below the
# hash table.
SECRET_AREA_BASE: Final = 0x80F000
SECRET_AREA_SIZE: Final = 0xC00
HASH_TABLE_BASE: Final = 0x80FC00
HASH_TABLE_SIZE: Final = 0x400
SEV_ES_RESET_EIP: Final = 0x80B004

_SIZE: Final = 256 * 1024
_PAIR: Final = struct.Struct("<II")


def filler(label: str, size: int) -> bytes:
    """`size` bytes that look like compiled code and are the same each time."""
    return hashlib.shake_256(label.encode()).digest(size)


def build(version: str, *, hash_table: bool = True) -> bytes:
    """Build the firmware of a version of edk2.

    Without `hash_table` it is like OVMF's general build, which QEMU refuses to measure.
    """
    entries = {ovmf_table.SEV_SECRET_AREA: _PAIR.pack(SECRET_AREA_BASE, SECRET_AREA_SIZE)}
    if hash_table:
        entries[ovmf_table.SEV_HASH_TABLE] = _PAIR.pack(HASH_TABLE_BASE, HASH_TABLE_SIZE)
    entries[ovmf_table.SEV_ES_RESET_BLOCK] = struct.pack("<I", SEV_ES_RESET_EIP)
    table = ovmf_table.build(entries)
    name = f"OvmfPkg/AmdSev {version}\0".encode()
    # The last 16 bytes are where an x86 processor starts: a jump back into the image.
    reset_vector = bytes(ovmf_table.RESET_VECTOR_SIZE - 16) + b"\x90\x90\xe9\xc5\xff" + bytes(11)
    body = _SIZE - len(name) - len(table) - len(reset_vector)
    return name + filler(version, body) + table + reset_vector
