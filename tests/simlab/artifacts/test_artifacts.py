"""The firmware, kernels and initrds are what QEMU, sev-snp-measure and the Linux tools take them for."""

from __future__ import annotations

import gzip
import subprocess
import tomllib
from typing import TYPE_CHECKING

import pytest
from sevsnpmeasure.ovmf import OVMF

from simlab import artifacts, pki
from simlab.artifacts import cpio, firmware, initrd, kernel, ovmf_table
from simlab.layout import Layout
from simlab.release import versions

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path)
    pki.create(layout, 6443)
    return layout


def test_sev_snp_measure_reads_the_firmware(layout: Layout) -> None:
    image = OVMF(str(artifacts.build(layout).firmware))
    assert image.is_sev_hashes_table_supported()
    assert image.sev_hashes_table_gpa() == firmware.HASH_TABLE_BASE
    assert image.sev_es_reset_eip() == firmware.SEV_ES_RESET_EIP


def test_own_parser_agrees_with_sev_snp_measure(tmp_path: Path) -> None:
    path = tmp_path / "OVMF.fd"
    path.write_bytes(firmware.build("edk2"))
    entries = ovmf_table.parse(path.read_bytes())
    assert {str(guid): data for guid, data in entries.items()} == OVMF(str(path))._table


def test_firmware_without_hash_table_is_without_it(tmp_path: Path) -> None:
    path = tmp_path / "OVMF.fd"
    path.write_bytes(firmware.build("edk2", hash_table=False))
    assert not OVMF(str(path)).is_sev_hashes_table_supported()
    assert ovmf_table.SEV_HASH_TABLE not in ovmf_table.parse(path.read_bytes())


@pytest.mark.parametrize("data", [b"", b"short", bytes(1 << 16)])
def test_what_has_no_table_has_no_entries(data: bytes) -> None:
    assert ovmf_table.parse(data) == {}


def test_damaged_table_is_refused() -> None:
    image = bytearray(firmware.build("edk2"))
    last_entry_size = len(image) - ovmf_table.RESET_VECTOR_SIZE - 18 - 18
    image[last_entry_size : last_entry_size + 2] = b"\xff\xff"
    with pytest.raises(ValueError, match="entry of 65535 bytes"):
        ovmf_table.parse(bytes(image))


def test_artifacts_are_the_same_each_time(layout: Layout) -> None:
    first = artifacts.build(layout).sha256()
    assert artifacts.build(layout).sha256() == first
    assert len(set(first.values())) == len(first) == 7


def test_initrds_differ_in_their_kbc(layout: Layout) -> None:
    built = artifacts.build(layout)
    demo = layout.internet / artifacts.DEMO_HOST / artifacts.DEMO_FOLDER
    kbcs = {}
    for path in (built.initrd_sev, demo / artifacts.DEMO_ONLINE, demo / artifacts.DEMO_OFFLINE):
        files = cpio.unpack(path.read_bytes())
        modules = tomllib.loads(files[initrd.ATTESTATION_AGENT].data.decode())["kbc_modules"]
        kbcs[path.name] = modules, tomllib.loads(files[initrd.AGENT_CONFIG].data.decode())["aa_kbc_params"]
    online = ["online_sev_kbc"], "online_sev_kbc::123.123.123.123:44444"
    assert kbcs == {
        artifacts.INITRD_SEV: online,
        artifacts.DEMO_ONLINE: online,
        artifacts.DEMO_OFFLINE: (["offline_sev_kbc"], "offline_sev_kbc::null"),
    }


def test_cpio_program_reads_an_initrd(tmp_path: Path) -> None:
    archive = initrd.build_sev(versions.DEFAULT, "offline_sev_kbc", b"roots")
    argv = ["busybox", "cpio", "-i"]
    subprocess.run(argv, input=gzip.decompress(archive), cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / initrd.CA_ROOTS).read_bytes() == b"roots"
    assert (tmp_path / initrd.PAUSE).stat().st_mode & 0o111


def test_initrd_with_bytes_appended_still_unpacks() -> None:
    assert initrd.AGENT_CONFIG in cpio.unpack(
        initrd.build_sev(versions.DEFAULT, "offline_sev_kbc", b"") + b"altered"
    )


@pytest.mark.parametrize("data", [b"", b"no archive at all", b"\x1f\x8b broken"])
def test_what_is_no_initrd_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="initramfs unpacking failed"):
        cpio.unpack(data)


def test_kernels_say_their_version() -> None:
    assert kernel.version_string(kernel.build_bzimage()).startswith("5.19.2-sev ")
    assert kernel.version_string(kernel.build_vmlinux()).startswith("5.19.2 ")
    with pytest.raises(ValueError, match="neither a bzImage nor an ELF kernel"):
        kernel.version_string(bytes(4096))


def test_pause_program_waits_until_it_is_killed(tmp_path: Path) -> None:
    program = tmp_path / "pause"
    program.write_bytes(cpio.unpack(initrd.build_image(versions.DEFAULT, b""))[initrd.PAUSE].data)
    program.chmod(0o755)
    with subprocess.Popen([program]) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.1)
        process.terminate()
        assert process.wait(5) == -15
