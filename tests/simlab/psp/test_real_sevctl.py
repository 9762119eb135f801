"""The real sevctl and the simulated platform: `SEVCTL=/path/to/sevctl ./test tests/simlab/psp`.

sevctl is then the guest owner, with code that shares nothing with ours.
"""

from __future__ import annotations

import base64
import os
import subprocess
import threading
import uuid
from typing import TYPE_CHECKING

import pytest

from simlab.psp import platform
from simlab.psp.client import Sev, SevError
from simlab.psp.firmware import SevFirmware
from simlab.psp.service import PspServer
from simlab.sev.certificate import SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SEVCTL = os.environ.get("SEVCTL", "")
FIRMWARE = bytes(range(256)) * 16
# Inside of the first signature of a certificate (55766, appendix C).
SIGNATURE = 1044 + 8 + 10

pytestmark = pytest.mark.skipif(not SEVCTL, reason="SEVCTL names no sevctl")


def sevctl(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    command = [SEVCTL, *(str(word) for word in words)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def succeeds(folder: Path, *words: object) -> str:
    done = sevctl(folder, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def sev(tmp_path: Path) -> Iterator[Sev]:
    """A platform's firmware; its files are in `tmp_path`, and the chain as sevctl exports it."""
    firmware = SevFirmware(platform.create(tmp_path))
    with PspServer(tmp_path / "sev.sock", firmware) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        with Sev(tmp_path / "sev.sock") as client:
            export = client.pdh_cert_export()
            signed_cek = (tmp_path / "cek.cert").read_bytes()
            vendor = (tmp_path / "ask_ark.cert").read_bytes()
            (tmp_path / "pdh.cert").write_bytes(export.pdh)
            (tmp_path / "oca.cert").write_bytes(export.chain[SIZE : 2 * SIZE])
            (tmp_path / "chain.cert").write_bytes(export.pdh + export.chain[: 2 * SIZE] + signed_cek + vendor)
            yield client
        server.shutdown()
        thread.join()


def test_the_chain_verifies(sev: Sev, tmp_path: Path) -> None:
    del sev
    vendor = ("--ca", "ask_ark.cert")
    for own in ((), ("--oca", "oca.cert")):
        said = succeeds(tmp_path, "verify", "--sev", "chain.cert", *own, *vendor)
        assert "signs" in said


@pytest.mark.parametrize("certificate", ["PDH", "PEK", "OCA", "CEK"])
def test_a_chain_with_another_signature_does_not(sev: Sev, tmp_path: Path, certificate: str) -> None:
    del sev
    chain = bytearray((tmp_path / "chain.cert").read_bytes())
    index = ("PDH", "PEK", "OCA", "CEK").index(certificate)
    chain[index * SIZE + SIGNATURE] ^= 1
    (tmp_path / "chain.cert").write_bytes(chain)
    done = sevctl(tmp_path, "verify", "--sev", "chain.cert", "--ca", "ask_ark.cert")
    assert done.returncode == 1
    assert "SEV/CA certificate verification failed" in done.stderr


def test_another_vendors_root_does_not_fit(sev: Sev, tmp_path: Path) -> None:
    del sev
    platform.create(tmp_path / "other")
    done = sevctl(tmp_path, "verify", "--sev", "chain.cert", "--ca", "other/ask_ark.cert")
    assert done.returncode == 1


def test_sevctl_owns_a_guest(sev: Sev, tmp_path: Path) -> None:
    """A session, its measurement and a secret of sevctl's are the platform's too."""
    policy = 1
    succeeds(tmp_path, "session", "--name", "vm", "pdh.cert", policy)
    owner, session = (
        base64.b64decode((tmp_path / f"vm_{name}.b64").read_text()) for name in ("godh", "session")
    )
    handle = sev.launch_start(policy, owner, session)
    sev.launch_update_data(handle, FIRMWARE)
    measured = sev.launch_measure(handle)

    (tmp_path / "firmware").write_bytes(FIRMWARE)
    status = sev.platform_status()
    expected = succeeds(
        tmp_path,
        *("measurement", "build", "--firmware", "firmware", "--tik", "vm_tik.bin", "--policy", policy),
        *("--api-major", status.api_major, "--api-minor", status.api_minor, "--build-id", status.build),
        *("--nonce", base64.b64encode(measured[32:]).decode()),
    )
    assert base64.b64decode(expected) == measured

    guid = uuid.uuid4()
    (tmp_path / "secret").write_bytes(b"attack at dawn")
    succeeds(
        tmp_path,
        *("secret", "build", "--tik", "vm_tik.bin", "--tek", "vm_tek.bin", "--secret", f"{guid}:secret"),
        *("--launch-measure-blob", base64.b64encode(measured).decode(), "header", "payload"),
    )
    header, payload = ((tmp_path / name).read_bytes() for name in ("header", "payload"))
    table = sev.launch_secret(handle, header, payload)
    assert guid.bytes_le in table
    assert b"attack at dawn" in table

    with pytest.raises(SevError):
        sev.launch_secret(handle, header, payload[:-1] + bytes([payload[-1] ^ 1]))
