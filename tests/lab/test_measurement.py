"""The launch digest against our own arithmetic, from QEMU's documented layout, and the package's."""

import base64
import hashlib
import struct
import uuid
from pathlib import Path

import pytest
from sevsnpmeasure import guest
from sevsnpmeasure.sev_mode import SevMode

from lab.errors import LabError
from lab.measurement import HashTable, launch_digest

HASH_TABLE_FOOTER = "7255371f-3a3b-4b04-927b-1da6efa8d454"
ES_RESET_BLOCK = "00f771de-1a7e-4fcb-890e-68c77e2fb44e"
FOOTER = "96b582de-1fb2-45f7-baea-a366c55a082d"


def entry(guid: str, data: bytes) -> bytes:
    """One entry of OVMF's GUIDed table, which is read from its end: data, size, GUID."""
    return data + struct.pack("<H", len(data) + 18) + uuid.UUID(guid).bytes_le


def firmware(*entries: bytes) -> bytes:
    table = b"".join(entries)
    footer = struct.pack("<H", len(table) + 18) + uuid.UUID(FOOTER).bytes_le
    return bytes(8192) + table + footer + bytes(32)


HASHES = entry(HASH_TABLE_FOOTER, struct.pack("<II", 0x80FC00, 0x400))
WITH_HASHES = firmware(entry(ES_RESET_BLOCK, struct.pack("<I", 0x80B004)), HASHES)


def hashes(kernel: bytes, initrd: bytes, append: str) -> HashTable:
    return HashTable(
        kernel_sha256=hashlib.sha256(kernel).hexdigest(),
        initrd_sha256=hashlib.sha256(initrd).hexdigest(),
        append=append,
    )


def hash_table(append: str, initrd: bytes, kernel: bytes) -> bytes:
    """QEMU's target/i386/sev.c, PaddedSevHashTable: the order is command line, initrd, kernel."""

    def one(guid: str, content: bytes) -> bytes:
        return uuid.UUID(guid).bytes_le + struct.pack("<H", 50) + hashlib.sha256(content).digest()

    entries = (
        one("97d02dd8-bd20-4c94-aa78-e7714d36ab2a", append.encode() + b"\0")
        + one("44baf731-3a2f-4bd7-9af1-41e29169781d", initrd)
        + one("4de79437-abd2-427f-b835-d5b172d2045b", kernel)
    )
    guid = uuid.UUID("9438d606-4f22-4cc9-b479-a793d411fd21").bytes_le
    table = guid + struct.pack("<H", 18 + len(entries)) + entries
    return table + bytes(-len(table) % 16)


def test_the_digest_is_over_the_firmware_and_the_padded_hash_table() -> None:
    table = hash_table("panic=1 quiet", b"initrd", b"kernel")
    expected = base64.b64encode(hashlib.sha256(WITH_HASHES + table).digest()).decode()
    assert launch_digest(WITH_HASHES, hashes(b"kernel", b"initrd", "panic=1 quiet")) == expected


@pytest.mark.parametrize("append", ["panic=1 quiet", ""])
def test_it_is_what_the_package_computes_from_the_files(tmp_path: Path, append: str) -> None:
    for name, content in {"ovmf": WITH_HASHES, "kernel": b"kernel", "initrd": b"initrd"}.items():
        (tmp_path / name).write_bytes(content)
    ovmf, kernel, initrd = (str(tmp_path / name) for name in ("ovmf", "kernel", "initrd"))
    expected = guest.calc_launch_digest(SevMode.SEV, 0, 0, ovmf, kernel, initrd, append, 0)
    digest = launch_digest(WITH_HASHES, hashes(b"kernel", b"initrd", append))
    assert digest == base64.b64encode(expected).decode()


@pytest.mark.parametrize(
    ("vcpus", "known"),
    [
        (None, "d59d7696efd7facfaa653758586e6120c4b6eaec3e327771d278cc6a44786ba5"),
        (1, "7e5c26fb454621eb466978b4d0242b3c04b44a034de7fc0a2d8dac60ea2b6403"),
        (4, "b2111b0051fc3a06ec216899b2c78da99fb9d56c6ff2e8261dd3fe6cff79ecbc"),
    ],
)
def test_it_is_what_kata_computes(kata_firmware: Path, vcpus: int | None, known: str) -> None:
    # kata-containers CC-0.3.0, src/runtime/pkg/sev/sev_test.go; the processor is an EPYC (Naples).
    content = kata_firmware.read_bytes()
    digest = launch_digest(content, hashes(b"", b"", ""), seves_vcpus=vcpus, vcpu_signature=0x800F12)
    assert base64.b64decode(digest).hex() == known


def test_an_sev_es_guest_is_measured_with_its_processor() -> None:
    seen = {
        launch_digest(WITH_HASHES, hashes(b"k", b"i", ""), seves_vcpus=1, vcpu_signature=signature)
        for signature in (0x800F12, 0x830F10, 0xA00F11)
    }
    assert len(seen) == 3


@pytest.mark.parametrize(
    ("kernel", "initrd", "append"),
    [
        (b"kernel2", b"initrd", "a"),
        (b"kernel", b"initrd2", "a"),
        (b"kernel", b"initrd", "a "),
        (b"k", b"", ""),
    ],
)
def test_every_input_matters(kernel: bytes, initrd: bytes, append: str) -> None:
    changed = launch_digest(WITH_HASHES, hashes(kernel, initrd, append))
    assert changed != launch_digest(WITH_HASHES, hashes(b"kernel", b"initrd", "a"))


def test_a_firmware_that_cannot_be_measured_is_refused() -> None:
    with pytest.raises(LabError, match="no SEV hash table"):
        launch_digest(firmware(), hashes(b"kernel", b"initrd", "a"))
    with pytest.raises(LabError, match="sev-snp-measure cannot measure this firmware"):
        launch_digest(firmware(HASHES), hashes(b"kernel", b"initrd", "a"), seves_vcpus=1)
