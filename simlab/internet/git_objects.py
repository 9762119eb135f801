"""Git repositories of one commit: its objects, and the pack that holds them.

Source: git's Documentation/gitformat-pack.txt.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_COMMIT, _TREE, _BLOB = 1, 2, 3
_NAMES: Final = {_COMMIT: b"commit", _TREE: b"tree", _BLOB: b"blob"}
_PACK_VERSION: Final = 2
# Whoever made the commit, and when, is nobody's business here; the same files give the same commit.
_AUTHOR: Final = b"Simulated Internet <nobody@localhost> 1670000000 +0000"


@dataclass(frozen=True)
class Snapshot:
    """A commit without parents: its object name (hex), and a pack with it and all that it names."""

    commit: str
    pack: bytes


def snapshot(files: Mapping[str, bytes], message: str) -> Snapshot:
    """Make a commit of files (paths without a leading slash)."""
    objects: dict[bytes, tuple[int, bytes]] = {}

    def add(kind: int, content: bytes) -> bytes:
        header = _NAMES[kind] + b" %d\0" % len(content)
        name = hashlib.sha1(header + content, usedforsecurity=False).digest()
        objects[name] = (kind, content)
        return name

    def tree(folder: str) -> bytes:
        entries: dict[str, bytes] = {}
        for path, content in files.items():
            if not path.startswith(folder):
                continue
            first, slash, _ = path.removeprefix(folder).partition("/")
            if slash:
                # git sorts a folder as if its name ended in a slash
                if f"{first}/" not in entries:
                    entries[f"{first}/"] = b"40000 %s\0" % first.encode() + tree(f"{folder}{first}/")
            else:
                entries[first] = b"100644 %s\0" % first.encode() + add(_BLOB, content)
        return add(_TREE, b"".join(entries[name] for name in sorted(entries)))

    text = b"tree %s\nauthor %s\ncommitter %s\n\n%s\n" % (
        tree("").hex().encode(),
        _AUTHOR,
        _AUTHOR,
        message.encode(),
    )
    commit = add(_COMMIT, text)
    body = b"PACK" + struct.pack(">II", _PACK_VERSION, len(objects))
    body += b"".join(_packed(kind, content) for kind, content in objects.values())
    return Snapshot(commit.hex(), body + hashlib.sha1(body, usedforsecurity=False).digest())


def _packed(kind: int, content: bytes) -> bytes:
    size = len(content)
    byte = (kind << 4) | (size & 15)
    size >>= 4
    head = bytearray()
    while size:
        head.append(byte | 0x80)
        byte = size & 0x7F
        size >>= 7
    head.append(byte)
    return bytes(head) + zlib.compress(content)
