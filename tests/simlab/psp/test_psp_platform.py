"""The platform's files, and its firmware's commands, through the socket."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simlab.psp import platform
from simlab.psp.client import Sev, SevError
from simlab.psp.firmware import SevFirmware
from simlab.psp.service import PspServer
from simlab.sev.certificate import SIZE, Certificate
from simlab.sev.chain import Chain
from simlab.sev.keys import Usage
from simlab.sev.owner import Launch, Owner, Verified
from simlab.sev.packets import Measurement, SecretHeader, SessionBlob

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRMWARE = bytes(range(256)) * 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("platform")
    platform.create(path)
    return path


@pytest.fixture(scope="module")
def psp_socket(folder: Path) -> Iterator[Path]:
    with PspServer(folder / "sev.sock", SevFirmware(platform.load(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield folder / "sev.sock"
        server.shutdown()
        thread.join()


@pytest.fixture
def sev(psp_socket: Path) -> Iterator[Sev]:
    with Sev(psp_socket) as client:
        yield client


def full_chain(sev: Sev, folder: Path) -> Chain:
    export = sev.pdh_cert_export()
    signed_cek = (folder / "cek.cert").read_bytes()
    return Chain.decode(
        export.pdh + export.chain[: 2 * SIZE] + signed_cek + (folder / "ask_ark.cert").read_bytes()
    )


def start(sev: Sev, owner: Owner, policy: int = 0) -> tuple[int, Launch]:
    launch = owner.start(Certificate.read(io.BytesIO(sev.pdh_cert_export().pdh)))
    return sev.launch_start(policy, launch.public_key, launch.session), launch


def measured(sev: Sev, owner: Owner) -> tuple[int, Verified]:
    handle, _ = start(sev, owner)
    sev.launch_update_data(handle, FIRMWARE)
    return handle, verify(sev, owner, sev.launch_measure(handle))


def verify(sev: Sev, owner: Owner, measurement: bytes) -> Verified:
    status = sev.platform_status()
    build = bytes([status.api_major, status.api_minor, status.build])
    return owner.verify(hashlib.sha256(FIRMWARE).digest(), build, Measurement.decode(measurement))


def test_the_chain_verifies_to_the_platforms_own_root(sev: Sev, folder: Path) -> None:
    pdh = full_chain(sev, folder).verify()
    assert pdh.encode() == sev.pdh_cert_export().pdh


def test_the_exported_cek_is_unsigned(sev: Sev) -> None:
    cek = Certificate.read(io.BytesIO(sev.pdh_cert_export().chain[2 * SIZE :]))
    assert cek.usage == Usage.CEK
    assert all(signature.empty for signature in cek.signatures)


def test_private_files_are_private(folder: Path) -> None:
    keys = [folder / "fuses" / "cek.key", *(folder / "nv").glob("*.key")]
    assert len(keys) == 4
    assert {path.stat().st_mode & 0o077 for path in keys} == {0}


def test_the_platform_survives_its_process(folder: Path) -> None:
    assert platform.load(folder).chain.encode() == platform.load(folder).chain.encode()
    platform.load(folder).chain.verify()


def test_the_cek_is_published_under_the_chips_id(sev: Sev, folder: Path, tmp_path: Path) -> None:
    platform.publish(folder, tmp_path)
    assert (tmp_path / "cek" / "id" / sev.get_id()).read_bytes() == (folder / "cek.cert").read_bytes()
    assert len(sev.get_id()) == 128


def test_a_whole_launch(sev: Sev) -> None:
    handle, verified = measured(sev, Owner(0))
    assert sev.platform_status().state == 2
    assert sev.launch_secret(handle, *verified.secret(b"0123456789abcdef")) == b"0123456789abcdef"
    sev.launch_finish(handle)
    assert sev.guest_status(handle).state == 3
    sev.decommission(handle)
    with pytest.raises(SevError, match="INVALID_GUEST "):
        sev.guest_status(handle)


def test_a_launch_without_a_guest_owner(sev: Sev) -> None:
    handle = sev.launch_start(0, b"", b"")
    sev.launch_update_data(handle, FIRMWARE)
    assert len(sev.launch_measure(handle)) == 48
    sev.launch_finish(handle)


@pytest.mark.parametrize("field", ["nonce", "wrapped_keys", "wrap_iv", "wrap_mac", "policy_mac"])
def test_an_altered_session_is_refused(sev: Sev, field: str) -> None:
    launch = Owner(0).start(Certificate.read(io.BytesIO(sev.pdh_cert_export().pdh)))
    blob = SessionBlob.decode(launch.session)
    value = bytearray(getattr(blob, field))
    value[0] ^= 1
    altered = SessionBlob(**{**vars(blob), field: bytes(value)})
    with pytest.raises(SevError, match="BAD_MEASUREMENT"):
        sev.launch_start(0, launch.public_key, altered.encode())


def test_a_session_for_another_policy_is_refused(sev: Sev) -> None:
    launch = Owner(1).start(Certificate.read(io.BytesIO(sev.pdh_cert_export().pdh)))
    with pytest.raises(SevError, match="BAD_MEASUREMENT"):
        sev.launch_start(0, launch.public_key, launch.session)


def test_a_session_for_another_platform_is_refused(sev: Sev) -> None:
    elsewhere = Certificate.build(Usage.PDH, ec.generate_private_key(ec.SECP384R1()).public_key())
    launch = Owner(0).start(elsewhere)
    with pytest.raises(SevError, match="BAD_MEASUREMENT"):
        sev.launch_start(0, launch.public_key, launch.session)


def test_a_session_for_the_pdh_before_the_rotation_is_refused(tmp_path: Path) -> None:
    firmware = SevFirmware(platform.create(tmp_path))
    launch = Owner(0).start(firmware.platform.chain.pdh)
    firmware.pdh_gen()
    with pytest.raises(SevError, match="BAD_MEASUREMENT"):
        firmware.launch_start(0, launch.public_key, launch.session)
    firmware.platform.chain.verify()
    assert platform.load(tmp_path).chain == firmware.platform.chain


def test_a_reset_makes_a_new_owner(tmp_path: Path) -> None:
    firmware = SevFirmware(platform.create(tmp_path))
    before = firmware.platform.chain
    firmware.platform_reset()
    after = firmware.platform.chain
    after.verify()
    assert before.cek == after.cek
    assert before.oca != after.oca
    handle = firmware.launch_start(0, b"", b"")
    with pytest.raises(SevError, match="INVALID_PLATFORM_STATE"):
        firmware.platform_reset()
    firmware.decommission(handle)
    firmware.pek_gen()
    assert firmware.platform.chain.oca == after.oca


@pytest.mark.parametrize(
    "certificate",
    [
        Certificate.build(Usage.PEK, ec.generate_private_key(ec.SECP384R1()).public_key()).encode(),
        b"\x07" + bytes(SIZE - 1),
        b"\x01" + bytes(SIZE - 1),
    ],
    ids=["usage", "version", "zeros"],
)
def test_an_owners_certificate_that_is_none(sev: Sev, certificate: bytes) -> None:
    with pytest.raises(SevError, match="INVALID_CERTIFICATE"):
        sev.launch_start(0, certificate, bytes(128))


def test_lengths(sev: Sev) -> None:
    launch = Owner(0).start(Certificate.read(io.BytesIO(sev.pdh_cert_export().pdh)))
    for public_key, session in ((b"x", launch.session), (launch.public_key, b"x"), (b"", launch.session)):
        with pytest.raises(SevError, match="INVALID_LENGTH"):
            sev.launch_start(0, public_key, session)
    handle = sev.launch_start(0, b"", b"")
    for data in (b"", b"x" * 17):
        with pytest.raises(SevError, match="INVALID_LENGTH"):
            sev.launch_update_data(handle, data)


@pytest.mark.parametrize(
    ("policy", "verdict"),
    [(0x2A01_0000, None), (0x2B01_0000, "POLICY_FAILURE"), (0x0002_0000, "POLICY_FAILURE")],
    ids=["1.42", "1.43", "2.0"],
)
def test_the_least_firmware_that_a_policy_asks_for(sev: Sev, policy: int, verdict: str | None) -> None:
    assert (sev.platform_status().api_major, sev.platform_status().api_minor) == (1, 42)
    if verdict is None:
        sev.launch_start(policy, b"", b"")
        return
    with pytest.raises(SevError, match=verdict):
        sev.launch_start(policy, b"", b"")


def test_another_digest_is_another_measurement(sev: Sev) -> None:
    owner = Owner(0)
    handle, _ = start(sev, owner)
    sev.launch_update_data(handle, FIRMWARE[:-16])
    sev.launch_update_data(handle, bytes(16))
    with pytest.raises(ValueError, match="not that of this launch"):
        verify(sev, owner, sev.launch_measure(handle))


def test_the_digest_does_not_depend_on_how_memory_is_cut(sev: Sev) -> None:
    owner = Owner(0)
    handle, _ = start(sev, owner)
    for position in range(0, len(FIRMWARE), 1024):
        sev.launch_update_data(handle, FIRMWARE[position : position + 1024])
    verify(sev, owner, sev.launch_measure(handle))


def test_another_owners_key_does_not_verify(sev: Sev) -> None:
    handle, _ = start(sev, Owner(0))
    sev.launch_update_data(handle, FIRMWARE)
    measurement = sev.launch_measure(handle)
    with pytest.raises(ValueError, match="not that of this launch"):
        verify(sev, Owner(0), measurement)


def test_an_altered_secret_is_refused(sev: Sev) -> None:
    handle, verified = measured(sev, Owner(0))
    header, ciphertext = verified.secret(bytes(32))
    packet = SecretHeader.decode(header)
    wrong = [
        (header, bytes([ciphertext[0] ^ 1]) + ciphertext[1:]),
        (header, ciphertext[:16]),
        (SecretHeader(packet.flags, bytes(16), packet.mac).encode(), ciphertext),
        (SecretHeader(2, packet.iv, packet.mac).encode(), ciphertext),
        (SecretHeader(packet.flags, packet.iv, bytes(32)).encode(), ciphertext),
    ]
    for altered in wrong:
        with pytest.raises(SevError, match="BAD_MEASUREMENT"):
            sev.launch_secret(handle, *altered)
    assert sev.launch_secret(handle, header, ciphertext) == bytes(32)


def test_a_secret_of_another_launch_is_refused(sev: Sev) -> None:
    owner = Owner(0)
    _, verified = measured(sev, owner)
    # The same owner, hence the same transport keys: what differs is the measurement's nonce.
    other, _ = measured(sev, owner)
    with pytest.raises(SevError, match="BAD_MEASUREMENT"):
        sev.launch_secret(other, *verified.secret(bytes(16)))


@pytest.mark.parametrize("size", [0, 8, 24, 16 * 1024 + 16])
def test_the_length_of_a_secret(sev: Sev, size: int) -> None:
    handle, verified = measured(sev, Owner(0))
    with pytest.raises(SevError, match="INVALID_LENGTH"):
        sev.launch_secret(handle, *verified.secret(bytes(size)))


def test_the_order_of_a_launch(sev: Sev) -> None:
    handle, verified_later = start(sev, Owner(0))
    del verified_later
    with pytest.raises(SevError, match="INVALID_GUEST_STATE"):
        sev.launch_secret(handle, bytes(52), bytes(16))
    sev.launch_measure(handle)
    for command in (lambda: sev.launch_update_data(handle, FIRMWARE), lambda: sev.launch_measure(handle)):
        with pytest.raises(SevError, match="INVALID_GUEST_STATE"):
            command()
    sev.launch_finish(handle)
    for command in (lambda: sev.launch_finish(handle), lambda: sev.launch_measure(handle)):
        with pytest.raises(SevError, match="INVALID_GUEST_STATE"):
            command()
    with pytest.raises(SevError, match="INVALID_GUEST_STATE"):
        sev.launch_secret(handle, bytes(52), bytes(16))


def test_save_areas_are_for_encrypted_state(sev: Sev) -> None:
    plain = sev.launch_start(0, b"", b"")
    with pytest.raises(SevError, match="POLICY_FAILURE"):
        sev.launch_update_vmsa(plain, bytes(4096))
    encrypted = sev.launch_start(0b100, b"", b"")
    with pytest.raises(SevError, match="INVALID_LENGTH"):
        sev.launch_update_vmsa(encrypted, bytes(16))
    sev.launch_update_vmsa(encrypted, bytes(4096))
    assert sev.guest_status(encrypted).asid < 255 <= sev.guest_status(plain).asid


def test_asids_run_out_and_come_back(psp_socket: Path) -> None:
    with ExitStack() as stack:
        sev = stack.enter_context(Sev(psp_socket))
        handles = [sev.launch_start(0, b"", b"") for _ in range(255)]
        with pytest.raises(SevError, match="RESOURCE_LIMIT"):
            sev.launch_start(0, b"", b"")
        sev.launch_start(0b100, b"", b"")
        sev.decommission(handles[7])
        sev.launch_start(0, b"", b"")


def test_a_closed_connection_takes_its_guests_along(psp_socket: Path) -> None:
    with Sev(psp_socket) as watcher:
        before = watcher.platform_status().guest_count
        with Sev(psp_socket) as guest:
            handle = guest.launch_start(0, b"", b"")
            assert watcher.platform_status().guest_count == before + 1
            with pytest.raises(SevError, match="INVALID_GUEST "):
                watcher.launch_measure(handle)
        deadline = time.monotonic() + 10
        while watcher.platform_status().guest_count != before:
            assert time.monotonic() < deadline
    assert time.monotonic() < deadline


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=200).filter(lambda data: b"\n" not in data),
        st.fixed_dictionaries(
            {
                "command": st.sampled_from(
                    ["LAUNCH_START", "LAUNCH_MEASURE", "LAUNCH_SECRET", "GUEST_STATUS", "X", ""]
                )
            },
            optional={
                name: st.one_of(
                    st.none(), st.booleans(), st.integers(), st.text(max_size=20), st.lists(st.integers())
                )
                for name in ("policy", "handle", "dh_cert", "session", "header", "ciphertext")
            },
        ).map(lambda request: json.dumps(request).encode()),
    )
)
def test_whatever_is_written_is_answered(psp_socket: Path, line: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(psp_socket))
        connection.sendall(line + b"\n")
        answer = json.loads(connection.makefile("rb").readline())
        assert set(answer) <= {"result", "error"}


def test_the_service_as_a_process(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "simlab.psp", "--state", str(tmp_path / "platform")]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    subprocess.run([*command, "--init"], check=True, env=environment)
    path = tmp_path / "sev.sock"
    process = subprocess.Popen([*command, "--socket", str(path)], env=environment, stderr=subprocess.DEVNULL)
    try:
        with connected(path, process) as sev:
            assert sev.platform_status().state == 1
        assert path.stat().st_mode & 0o777 == 0o600
    finally:
        process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert not path.exists()


def connected(path: Path, process: subprocess.Popen[bytes]) -> Sev:
    """Connect to a service that starts: its socket is there a moment before anybody listens."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return Sev(path)
        except (FileNotFoundError, ConnectionRefusedError):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_a_platform_that_was_never_made(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run(
        [sys.executable, "-m", "simlab.psp", "--state", str(tmp_path), "--socket", str(tmp_path / "s")],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "firmware.json" in done.stderr
