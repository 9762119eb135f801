"""The files of a run: each with its digest, and nothing that is no plain file."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reports.certificate.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

CERTIFICATE: Final = "certificate.json"
RESULTS: Final = "results.json"
# Far more than a run has (some 2,000 files, 10 MB), and no more than any machine reads in seconds.
MOST_FILES: Final = 50_000
MOST_BYTES: Final = 512 << 20
_CHUNK: Final = 1 << 20


@dataclass(frozen=True)
class Digest:
    """A file's SHA-256 in hex, and its size in bytes."""

    sha256: str
    size: int


def digests(folder: Path) -> dict[str, Digest]:
    """Every file of a run but the certificate itself, by its path below the folder, in order.

    Raises Refusal for what a run does not have: links, devices, names that are no Unicode, too much of all.
    """
    found: dict[str, Digest] = {}
    left = MOST_BYTES
    for name, path in sorted(_walk(folder)):
        if name == CERTIFICATE:
            continue
        found[name] = _digest(name, path, left)
        left -= found[name].size
        if len(found) > MOST_FILES:
            raise Refusal(f"{folder} has more than {MOST_FILES} files: that is no run")
    return found


def _walk(folder: Path) -> Iterator[tuple[str, Path]]:
    def refuse(error: OSError) -> None:
        raise Refusal(f"{error.filename} cannot be read: {error.strerror}")

    for parent, folders, files in os.walk(folder, onerror=refuse):
        for each in [*folders, *files]:
            path = Path(parent, each)
            name = path.relative_to(folder).as_posix()
            mode = path.lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise Refusal(f"{name!r} is a link or a device, and a run has plain files only")
            if not _is_text(name):
                raise Refusal(f"{name!r} is no name that a run gives a file")
            if stat.S_ISREG(mode):
                yield name, path
        if not folders and not files and Path(parent) != folder:
            name = Path(parent).relative_to(folder).as_posix()
            raise Refusal(f"{name!r} is an empty folder, and a run leaves none")


def _digest(name: str, path: Path, left: int) -> Digest:
    measured, size = hashlib.sha256(), 0
    try:
        # Between the look and this, a link could take the file's place.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            while chunk := file.read(_CHUNK):
                measured.update(chunk)
                size += len(chunk)
                if size > left:
                    raise Refusal(f"the files are more than {MOST_BYTES >> 20} MiB: that is no run")
    except OSError as error:
        raise Refusal(f"{name} cannot be read: {error.strerror}") from None
    return Digest(measured.hexdigest(), size)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return name.isprintable()
