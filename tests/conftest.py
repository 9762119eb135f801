"""What tests of several folders share."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

KATA_FIRMWARE = "KATA_TEST_FIRMWARE"
KATA_FIRMWARE_SHA256 = "b184e06e012366fd7b33ebfb361a515d05f00d354dca07b36abbc1e1e177ced5"


@pytest.fixture
def kata_firmware() -> Path:
    """The firmware that kata's tests measure: edk2's code, and not ours to bring along.

    kata-containers CC-0.3.0, src/runtime/pkg/sev/testdata/ovmf_suffix.bin.
    """
    named = os.environ.get(KATA_FIRMWARE)
    if named is None:
        pytest.skip(f"{KATA_FIRMWARE} names no copy of kata's src/runtime/pkg/sev/testdata/ovmf_suffix.bin")
    path = Path(named)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == KATA_FIRMWARE_SHA256
    return path
