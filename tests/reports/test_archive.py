"""The archive of a run: the same bytes each time, and nothing else is unpacked."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import tarfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reports.certificate import archive
from reports.certificate.archive import HEADER, pack, unpack
from reports.certificate.files import digests
from reports.certificate.refusal import Refusal
from tests.reports.certified import SignedRun

if TYPE_CHECKING:
    from pathlib import Path

RUN = "20261102T030405Z-abcdef"


@pytest.fixture
def run(tmp_path: Path) -> SignedRun:
    return SignedRun(tmp_path / "made").signed()


def packed(run: SignedRun, tmp_path: Path) -> bytes:
    pack(run.folder, tmp_path / "run.tar.gz")
    return (tmp_path / "run.tar.gz").read_bytes()


def opened(tmp_path: Path, data: bytes) -> Path:
    (tmp_path / "given.tar.gz").write_bytes(data)
    into = tmp_path / "into"
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir()
    return unpack(tmp_path / "given.tar.gz", into)


def compressed(tar: bytes) -> bytes:
    buffer = io.BytesIO()
    with gzip.GzipFile("", "wb", 9, buffer, mtime=0) as file:
        file.write(tar)
    return buffer.getvalue()


def made(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:", format=tarfile.PAX_FORMAT) as tar:
        for entry, data in entries:
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return compressed(buffer.getvalue())


def named(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, link
    return entry


def test_an_archive_is_the_same_bytes_each_time_and_verifies_elsewhere(
    run: SignedRun, tmp_path: Path
) -> None:
    first = packed(run, tmp_path)
    for file in run.folder.rglob("*"):
        os.utime(file, (0, 0))
    (run.folder / "index.html").chmod(0o600)
    assert packed(run, tmp_path) == first
    folder = opened(tmp_path, first)
    assert folder.name == run.folder.name
    assert digests(folder) == digests(run.folder)
    assert run.verified(folder=folder).certified


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (named("../outside"), "leaves the run's folder"),
        (named(f"{RUN}/../../outside"), "leaves the run's folder"),
        (named("/etc/cron.d/outside"), "leaves the run's folder"),
        (named(f"{RUN}//x"), "leaves the run's folder"),
        (named("x"), "leaves the run's folder"),
        (named(f"{RUN}/x", tarfile.SYMTYPE, "/etc/passwd"), "is a link, a device or a folder"),
        (named(f"{RUN}/x", tarfile.LNKTYPE, "/etc/passwd"), "is a link, a device or a folder"),
        (named(f"{RUN}/x", tarfile.CHRTYPE), "is a link, a device or a folder"),
        (named(f"{RUN}/x", tarfile.FIFOTYPE), "is a link, a device or a folder"),
        (named(f"{RUN}/x", tarfile.DIRTYPE), "is a link, a device or a folder"),
        (named(f"{RUN}/\x1b[2J"), "no name that a run gives"),
        (named(f"{RUN}/" + "x/" * 600 + "x"), "no name that a run gives"),
        (named("other/x"), "2 folders at its top"),
    ],
    ids=range(13),
)
def test_what_no_run_has_is_not_unpacked(tmp_path: Path, entry: tarfile.TarInfo, told: str) -> None:
    data = made((named(f"{RUN}/a"), b"a"), (entry, b""))
    with pytest.raises(Refusal, match=told):
        opened(tmp_path, data)
    assert not (tmp_path / "outside").exists()


def test_a_name_that_comes_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="twice"):
        opened(tmp_path, made((named(f"{RUN}/a"), b"a"), (named(f"{RUN}/a"), b"b")))


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="cannot be unpacked"):
        opened(tmp_path, made((named(f"{RUN}/a"), b"a"), (named(f"{RUN}/a/b"), b"b")))


def test_a_bomb_is_refused_before_it_fills_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_BYTES", 1 << 20)
    with pytest.raises(Refusal, match="more than 1 MiB when unpacked"):
        opened(tmp_path, made((named(f"{RUN}/a"), bytes(8 << 20))))
    assert sum(path.stat().st_size for path in (tmp_path / "into").rglob("*")) <= 1 << 20


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_FILES", 3)
    with pytest.raises(Refusal, match="more than 3 files"):
        opened(tmp_path, made(*((named(f"{RUN}/{number}"), b"") for number in range(5))))


def test_metadata_that_bundle_does_not_write_is_refused(run: SignedRun, tmp_path: Path) -> None:
    entry = named(f"{RUN}/a")
    entry.uname = "somebody"
    with pytest.raises(Refusal, match="other metadata"):
        opened(tmp_path, made((entry, b"a")))
    plain = gzip.decompress(packed(run, tmp_path))
    with pytest.raises(Refusal, match="other metadata, or more"):
        opened(tmp_path, compressed(plain + b"more"))


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", HEADER, HEADER + b"\0" * 40, compressed(b"x" * 2000)])
def test_what_is_no_archive_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(Refusal):
        opened(tmp_path, data)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> tuple[SignedRun, Path, bytes]:
    folder = tmp_path_factory.mktemp("shared")
    run = SignedRun(folder / "made").signed()
    return run, folder, packed(run, folder)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(data=st.data())
def test_one_byte_of_an_archive_changes_nothing_unseen(
    shared: tuple[SignedRun, Path, bytes], data: st.DataObject
) -> None:
    run, folder, good = shared
    place = data.draw(st.integers(0, len(good) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda value: value != good[place]))
    try:
        found = opened(folder, good[:place] + bytes([value]) + good[place + 1 :])
    except Refusal:
        return
    # Bits of deflate that mean nothing.
    assert digests(found) == digests(run.folder)
