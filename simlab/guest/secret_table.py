"""The table of secrets that a guest owner injects, and the files that a guest kernel makes of it.

Sources: attestation-agent v0.3.0 src/kbc_modules/offline_sev_kbc/README.md (the table), Linux 5.19
drivers/virt/coco/efi_secret (one file an entry, named by its GUID, under /sys/kernel/security/secrets/coco).
"""

from __future__ import annotations

import struct
import uuid
from typing import Final

TABLE: Final = uuid.UUID("1e74f542-71dd-4d66-963e-ef4287ff173b")
_HEADER: Final = struct.Struct("<16sI")


def parse(area: bytes) -> dict[str, bytes]:
    """Secrets by GUID; empty where the area holds no table, or one that the kernel's driver would refuse."""
    guid, size = _HEADER.unpack_from(area)
    if guid != TABLE.bytes_le or not _HEADER.size <= size <= len(area):
        return {}
    secrets: dict[str, bytes] = {}
    at = _HEADER.size
    while size - at >= _HEADER.size:
        guid, length = _HEADER.unpack_from(area, at)
        if not _HEADER.size <= length <= size - at:
            return {}
        secrets[str(uuid.UUID(bytes_le=guid))] = area[at + _HEADER.size : at + length]
        at += length
    return secrets
