"""A run as one archive, `.tar.gz`: the same bytes whenever and wherever it is made; unpacked with care."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zlib
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, Final

from reports.certificate.files import CERTIFICATE, MOST_BYTES, MOST_FILES, digests
from reports.certificate.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# RFC 1952: magic, deflate, no flags, no time, best compression, no operating system.
HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"
_LONGEST_NAME: Final = 1024
_CHUNK: Final = 1 << 20
_GZIP: Final = 31  # zlib: a gzip header and trailer, with the widest window


_Sink = gzip.GzipFile | io.RawIOBase


def pack(folder: Path, target: Path) -> None:
    """Write a run's folder, whose name is the run's id, to an archive. Raises Refusal."""
    names = [*digests(folder)]
    if (folder / CERTIFICATE).is_file():
        names.append(CERTIFICATE)
    part = target.with_name(target.name + ".part")
    with part.open("wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as compressed:
        _write(folder, folder.name, names, compressed)
    part.replace(target)


def unpack(archive: Path, into: Path) -> Path:
    """Unpack an archive below the folder `into`; returns the run's folder.

    Raises Refusal for whatever `pack` does not write: links, devices, names that leave the folder or come
    twice, other metadata, bytes that follow, more than a run can be.
    """
    plain = into / "archive.tar"
    _decompress(archive, plain)
    try:
        with tarfile.open(plain, "r:") as tar:
            names = _extract(tar, into)
    except (tarfile.TarError, ValueError, UnicodeError, EOFError, RecursionError) as error:
        raise Refusal(f"{archive.name} is no archive of a run: {error}") from None
    except OSError as error:
        raise Refusal(f"{archive.name} cannot be unpacked: {error.strerror or error}") from None
    root = into / PurePosixPath(names[0]).parts[0]
    again = _Measuring()
    _write(root, root.name, [name.partition("/")[2] for name in names], again)
    if again.digest() != _sha256(plain):
        raise Refusal(f"{archive.name} has other metadata, or more, than `reports bundle` writes")
    plain.unlink()
    return root


def _write(folder: Path, root: str, names: Iterable[str], target: _Sink) -> None:
    """The tar of files below `folder`: in order, of nobody, of no time."""
    with tarfile.open(fileobj=target, mode="w|", format=tarfile.PAX_FORMAT, encoding="utf-8") as tar:
        for name in sorted(names):
            path = folder / name
            entry = tarfile.TarInfo(f"{root}/{name}")
            entry.size, entry.mode = path.stat().st_size, 0o644
            with path.open("rb") as file:
                tar.addfile(entry, file)


def _decompress(archive: Path, target: Path) -> None:
    left = MOST_BYTES
    try:
        with archive.open("rb") as file, target.open("xb") as plain:
            if file.read(len(HEADER)) != HEADER:
                raise Refusal(f"{archive.name} is no gzip file as `reports bundle` writes it")
            file.seek(0)
            for chunk in _inflated(file):
                left -= len(chunk)
                if left < 0:
                    raise Refusal(f"{archive.name} is more than {MOST_BYTES >> 20} MiB when unpacked")
                plain.write(chunk)
    except zlib.error as error:
        raise Refusal(f"{archive.name} is damaged: {error}") from None
    except OSError as error:
        raise Refusal(f"{archive.name} cannot be read: {error.strerror or error}") from None


def _inflated(file: BinaryIO) -> Iterator[bytes]:
    """What the one gzip member of a file holds. The gzip module would pass over whatever follows it."""
    inflating = zlib.decompressobj(_GZIP)
    while not inflating.eof:
        given = inflating.unconsumed_tail or file.read(_CHUNK)
        chunk = inflating.decompress(given, _CHUNK)
        if not given and not chunk:
            raise zlib.error("it ends too early")
        yield chunk
    if inflating.unused_data or file.read(1):
        raise zlib.error("bytes follow its end")


def _extract(tar: tarfile.TarFile, into: Path) -> list[str]:
    names: list[str] = []
    left = MOST_BYTES
    for entry in tar:
        names.append(_checked(entry))
        left -= entry.size
        if left < 0:
            raise Refusal(f"the files in the archive are more than {MOST_BYTES >> 20} MiB: no run has that")
        if len(names) > MOST_FILES:
            raise Refusal(f"the archive has more than {MOST_FILES} files: no run has")
        content = tar.extractfile(entry)
        target = into / entry.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if content is None or target.exists():
            raise Refusal(f"the archive has {entry.name!r} twice")
        with target.open("xb") as file:
            while chunk := content.read(_CHUNK):
                file.write(chunk)
    if not names:
        raise Refusal("the archive is empty")
    roots = {PurePosixPath(name).parts[0] for name in names}
    if len(roots) != 1:
        raise Refusal(f"the archive has {len(roots)} folders at its top, and a run is one")
    return names


def _checked(entry: tarfile.TarInfo) -> str:
    """The name of an entry that a run may have."""
    name = entry.name
    if not entry.isreg() or entry.issparse():
        raise Refusal(f"the archive has {name!r:.200}, which is a link, a device or a folder, and no file")
    parts = name.split("/")
    if len(parts) < 2 or any(part in ("", ".", "..") for part in parts):
        raise Refusal(f"the archive has {name!r:.200}, which leaves the run's folder")
    if len(name.encode()) > _LONGEST_NAME or not name.isprintable() or "\\" in name:
        raise Refusal(f"the archive has {name!r:.200}, which is no name that a run gives a file")
    return name


class _Measuring(io.RawIOBase):
    """A file that keeps only the digest of what is written to it."""

    def __init__(self) -> None:
        self._measured = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        view = memoryview(data).cast("B")  # type: ignore[arg-type]  # the base class says only "Buffer"
        self._measured.update(view)
        return len(view)

    def digest(self) -> str:
        return self._measured.hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
