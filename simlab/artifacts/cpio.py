"""The kernel's initramfs format: cpio's "newc", compressed by gzip.

Source: Linux, Documentation/driver-api/early-userspace/buffer-format.rst.
"""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAGIC: Final = b"070701"
_HEADER_SIZE: Final = 110
_TRAILER: Final = "TRAILER!!!"
_S_IFDIR: Final = 0o040000
_S_IFREG: Final = 0o100000


@dataclass(frozen=True)
class File:
    """One regular file of an archive."""

    data: bytes
    mode: int = 0o644


def _padding(size: int) -> bytes:
    return bytes(-size % 4)


def _entry(inode: int, name: str, mode: int, data: bytes) -> bytes:
    encoded = name.encode() + b"\0"
    fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
    header = _MAGIC + b"".join(b"%08X" % field for field in fields)
    return header + encoded + _padding(len(header) + len(encoded)) + data + _padding(len(data))


def pack(files: Mapping[str, File]) -> bytes:
    """A cpio.gz of `files` (paths without a leading slash) and their folders, the same bytes each time."""
    split = [path.split("/") for path in files]
    folders = sorted({"/".join(parts[:end]) for parts in split for end in range(1, len(parts))})
    entries = [_entry(number, name, _S_IFDIR | 0o755, b"") for number, name in enumerate(folders, 1)]
    entries += [
        _entry(number, name, _S_IFREG | file.mode, file.data)
        for number, (name, file) in enumerate(sorted(files.items()), len(folders) + 1)
    ]
    return gzip.compress(b"".join(entries) + _entry(0, _TRAILER, 0, b""), compresslevel=6, mtime=0)


def unpack(archive: bytes) -> dict[str, File]:
    """The regular files of a cpio.gz.

    Raises ValueError for anything that the kernel would not unpack.
    """
    try:
        # decompressobj: what follows the first gzip member is padding, as in a disk image.
        data = zlib.decompressobj(wbits=31).decompress(archive)
    except zlib.error as error:
        raise ValueError(f"initramfs unpacking failed: {error}") from None
    files: dict[str, File] = {}
    at = 0
    while True:
        header = data[at : at + _HEADER_SIZE]
        if len(header) < _HEADER_SIZE or not header.startswith(_MAGIC):
            raise ValueError("initramfs unpacking failed: invalid magic at start of archive")
        fields = [int(header[start : start + 8], 16) for start in range(len(_MAGIC), _HEADER_SIZE, 8)]
        mode, size, name_size = fields[1], fields[6], fields[11]
        name = data[at + _HEADER_SIZE : at + _HEADER_SIZE + name_size - 1].decode()
        at += _HEADER_SIZE + name_size
        at += -at % 4
        if name == _TRAILER:
            return files
        if mode & 0o170000 == _S_IFREG:
            files[name] = File(data[at : at + size], mode & 0o7777)
        at += size + (-size % 4)
