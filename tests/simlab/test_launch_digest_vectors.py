"""Known answers: kata's own launch digests (kata-containers CC-0.3.0, src/runtime/pkg/sev/sev_test.go).

The platform's side and the shim's side are computed apart, and must meet.
"""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING

import pytest

from simlab.artifacts import ovmf_table
from simlab.guest import measured_boot
from simlab.node.kata.digest import seves_digest

if TYPE_CHECKING:
    from pathlib import Path

EPYC = 0x800F12
DIGESTS = [
    (1, "7e5c26fb454621eb466978b4d0242b3c04b44a034de7fc0a2d8dac60ea2b6403"),
    (4, "b2111b0051fc3a06ec216899b2c78da99fb9d56c6ff2e8261dd3fe6cff79ecbc"),
]


@pytest.mark.parametrize(("vcpus", "digest"), DIGESTS)
def test_the_shim_computes_katas_digest(kata_firmware: Path, vcpus: int, digest: str) -> None:
    assert seves_digest(str(kata_firmware), "/dev/null", "/dev/null", "", vcpus, EPYC).hex() == digest


@pytest.mark.parametrize(("vcpus", "digest"), DIGESTS)
def test_the_platform_measures_katas_digest(kata_firmware: Path, vcpus: int, digest: str) -> None:
    firmware = kata_firmware.read_bytes()
    reset = struct.unpack("<I", ovmf_table.parse(firmware)[ovmf_table.SEV_ES_RESET_BLOCK][:4])[0]
    starts = [measured_boot.RESET_EIP] + [reset] * (vcpus - 1)
    measured = [firmware, measured_boot.hash_table(b"", b"", "")]
    measured += [measured_boot.save_area(start, EPYC) for start in starts]
    assert hashlib.sha256(b"".join(measured)).hexdigest() == digest


def test_a_guest_without_sev_es_has_no_vcpus_in_its_digest(kata_firmware: Path) -> None:
    measured = kata_firmware.read_bytes() + measured_boot.hash_table(b"", b"", "")
    known = "d59d7696efd7facfaa653758586e6120c4b6eaec3e327771d278cc6a44786ba5"
    assert hashlib.sha256(measured).hexdigest() == known
