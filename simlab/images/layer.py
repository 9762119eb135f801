"""Image layers: tar archives, and what unpacking one over another means."""

from __future__ import annotations

import copy
import gzip
import hashlib
import io
import os
import shutil
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_WHITEOUT: Final = ".wh."
_OPAQUE: Final = ".wh..wh..opq"


@dataclass(frozen=True)
class Entry:
    """A file of a layer: bytes with a mode, or a symbolic link where `link` is set."""

    data: bytes = b""
    mode: int = 0o644
    link: str = ""


def pack(files: Mapping[str, Entry]) -> bytes:
    """A tar of `files` (paths without a leading slash) with their folders; the same bytes each time."""
    split = [path.split("/") for path in files]
    folders = {"/".join(parts[:end]) for parts in split for end in range(1, len(parts))}
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(folders | set(files)):
            info = tarfile.TarInfo(name)
            entry = files.get(name)
            if entry is None:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
            elif entry.link:
                info.type, info.linkname, info.mode = tarfile.SYMTYPE, entry.link, 0o777
            else:
                info.size, info.mode = len(entry.data), entry.mode
            tar.addfile(info, io.BytesIO(entry.data) if entry and not entry.link else None)
    return stream.getvalue()


def compress(tar: bytes) -> bytes:
    """`tar` as a layer blob of media type `…tar+gzip`; the same bytes each time."""
    return gzip.compress(tar, compresslevel=6, mtime=0)


def digest(data: bytes) -> str:
    """An OCI digest of `data`."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def unpack(tar: bytes, root: Path) -> None:
    """Apply a layer to `root` as the OCI image specification's layer.md says, whiteouts included.

    Raises ValueError for an archive that cannot be read or that reaches outside of `root`.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(tar), mode="r:") as archive:
            # Newer Pythons would refuse absolute links otherwise.
            archive.extraction_filter = lambda member, _root: member
            for member in archive:
                _apply(archive, member, root)
    except (tarfile.TarError, OSError) as error:
        raise ValueError(f"cannot unpack layer: {error}") from error


def _apply(archive: tarfile.TarFile, member: tarfile.TarInfo, root: Path) -> None:
    name = member.name.lstrip("/").removeprefix("./")
    path = root / name
    if path.name == _OPAQUE:
        for child in list(path.parent.iterdir()) if path.parent.is_dir() else []:
            _remove(child)
        return
    if path.name.startswith(_WHITEOUT):
        _remove(path.with_name(path.name.removeprefix(_WHITEOUT)))
        return
    if path.is_symlink() or (path.exists() and not (member.isdir() and path.is_dir())):
        _remove(path)
    archive.extract(_inside(member, name, root), root)


def _inside(member: tarfile.TarInfo, name: str, root: Path) -> tarfile.TarInfo:
    """Return the member as it may be extracted: within `root`, without special bits, and owned by the caller.

    By hand, since Debian 12's Python 3.11.2 has no extraction filters in tarfile. Links may be absolute:
    they mean the image's own root. Raises tarfile.ExtractError for a member outside of `root`.
    """
    kept = copy.copy(member)
    kept.name = name
    if member.islnk():
        kept.linkname = member.linkname.lstrip("/")
    top = root.resolve()
    for path in (name, kept.linkname if member.islnk() else name):
        folder = (root / path).parent.resolve()
        if folder != top and top not in folder.parents:
            raise tarfile.ExtractError(f"{path!r} is outside of the layer's root")
    if not member.issym():
        kept.mode = member.mode & 0o755
    # A guest of the simulated lab has one user; other owners cannot be given to files.
    kept.uid, kept.gid, kept.uname, kept.gname = os.geteuid(), os.getegid(), "", ""
    return kept


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
