"""OVMF's GUIDed table: what a firmware image says about itself to QEMU.

Layout as QEMU's hw/i386/pc_sysfw_ovmf.c and sev-snp-measure's ovmf.py read it: the table ends 32 bytes
before the end of the image, is read backwards, and each entry is its data, a 16 bit size (data and header)
and a GUID.
"""

from __future__ import annotations

import struct
import uuid
from typing import Final

FOOTER: Final = uuid.UUID("96b582de-1fb2-45f7-baea-a366c55a082d")
SEV_HASH_TABLE: Final = uuid.UUID("7255371f-3a3b-4b04-927b-1da6efa8d454")
SEV_SECRET_AREA: Final = uuid.UUID("4c2eb361-7d9b-4cc3-8081-127c90d3d294")
SEV_ES_RESET_BLOCK: Final = uuid.UUID("00f771de-1a7e-4fcb-890e-68c77e2fb44e")

RESET_VECTOR_SIZE: Final = 32
_HEADER: Final = struct.Struct("<H16s")


def build(entries: dict[uuid.UUID, bytes]) -> bytes:
    """The table's bytes with the footer, to go right before the last `RESET_VECTOR_SIZE` bytes."""
    body = b"".join(
        data + _HEADER.pack(len(data) + _HEADER.size, guid.bytes_le) for guid, data in entries.items()
    )
    return body + _HEADER.pack(len(body) + _HEADER.size, FOOTER.bytes_le)


def parse(firmware: bytes) -> dict[uuid.UUID, bytes]:
    """Entries of the table in a firmware image; empty if it has none.

    Raises ValueError for a table that is damaged.
    """
    end = len(firmware) - RESET_VECTOR_SIZE - _HEADER.size
    if end < 0:
        return {}
    total, footer = _HEADER.unpack_from(firmware, end)
    if footer != FOOTER.bytes_le or total < _HEADER.size or total - _HEADER.size > end:
        return {}
    table = firmware[end - (total - _HEADER.size) : end]
    entries: dict[uuid.UUID, bytes] = {}
    while len(table) >= _HEADER.size:
        size, guid = _HEADER.unpack_from(table, len(table) - _HEADER.size)
        if not _HEADER.size <= size <= len(table):
            raise ValueError(f"OVMF table: entry of {size} bytes in a table of {len(table)}")
        entries[uuid.UUID(bytes_le=guid)] = table[-size : -_HEADER.size]
        table = table[:-size]
    return entries
