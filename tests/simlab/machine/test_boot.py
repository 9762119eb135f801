"""What the machine boots follows from its disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simlab.layout import Layout
from simlab.machine import boot, disk
from simlab.machine.boot import BootError
from simlab.machine.software import grub as grub_packages
from simlab.machine.system import bls, grub, grubenv, rpmdb, selinux
from simlab.stages import Stage

if TYPE_CHECKING:
    from pathlib import Path

ARGUMENTS = "mem_encrypt=on kvm_amd.sev=1"


@pytest.fixture
def lab(tmp_path: Path) -> Layout:
    return make(tmp_path, Stage.SEV)


def make(folder: Path, stage: Stage) -> Layout:
    layout = Layout(folder)
    for name in ("etc/yum.repos.d", "etc/sysconfig", "etc/selinux", "boot"):
        (layout.host / name).mkdir(parents=True)
    (layout.host / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")
    (layout.host / "etc/os-release").write_text('NAME="Anolis OS"\nVERSION="8.6"\n')
    disk.write(layout, stage)
    return layout


def set_arguments(layout: Layout, arguments: str) -> None:
    common = grubenv.read(layout.host)["kernelopts"]
    grubenv.update(layout.host, kernelopts=f"{common} {arguments}")


def test_each_stage_boots_its_kernel(tmp_path: Path) -> None:
    bare = boot.boot(make(tmp_path / "bare", Stage.BARE))
    assert bare.kernel.release == "4.19.91-26.an8.x86_64"
    assert "mem_encrypt" not in bare.command_line
    sev = boot.boot(make(tmp_path / "sev", Stage.SEV))
    assert sev.kernel.release == "5.10.134-13_rc2.an8.x86_64"
    assert sev.command_line.startswith("BOOT_IMAGE=(hd0,gpt2)/vmlinuz-5.10.134-13_rc2.an8.x86_64 root=")
    assert sev.command_line.endswith(f" {ARGUMENTS} kvm_amd.sev_es=1")


def test_the_newer_grub_does_not_come_up_with_the_arguments_of_sev(tmp_path: Path) -> None:
    layout = make(tmp_path, Stage.BARE)
    set_arguments(layout, ARGUMENTS)
    with pytest.raises(BootError, match=r"2\.02-123\.0\.2\.an8_6\.8 hangs"):
        boot.boot(layout)
    assert "the machine stops here" in boot.console_log(layout).read_text()
    for package in grub_packages.packages(grub_packages.GOOD):
        rpmdb.unpack(layout.host, package)
    assert boot.boot(layout).command_line.endswith(ARGUMENTS)


def test_the_newer_grub_comes_up_without_them(tmp_path: Path) -> None:
    layout = make(tmp_path, Stage.BARE)
    assert grub.installed(layout.host) == "2.02-123.0.2.an8_6.8"
    boot.boot(layout)


def test_the_saved_entry_is_booted(lab: Layout) -> None:
    old = next(entry for entry in bls.entries(lab.host) if "4.19" in entry.kernel)
    grubenv.update(lab.host, saved_entry=old.identity)
    assert boot.boot(lab).kernel.generation == (4, 19)


def test_the_newest_is_booted_when_the_saved_entry_is_gone(lab: Layout) -> None:
    grubenv.update(lab.host, saved_entry="nothing")
    assert boot.boot(lab).kernel.generation == (5, 10)


@pytest.mark.parametrize(
    ("lost", "words"),
    [
        ("boot/vmlinuz-5.10.134-13_rc2.an8.x86_64", "file `/vmlinuz-5.10"),
        ("boot/initramfs-5.10.134-13_rc2.an8.x86_64.img", "file `/initramfs-5.10"),
        ("boot/efi/EFI/anolis/grubx64.efi", "no boot loader"),
        ("boot/efi/EFI/anolis/grubenv", "entering emergency mode"),
    ],
)
def test_a_lost_file_stops_the_machine(lab: Layout, lost: str, words: str) -> None:
    (lab.host / lost).unlink()
    with pytest.raises(BootError, match=words):
        boot.boot(lab)


def test_no_entries_leave_grub_at_its_prompt(lab: Layout) -> None:
    for entry in bls.entries(lab.host):
        entry.path.unlink()
    with pytest.raises(BootError, match="waits at its prompt"):
        boot.boot(lab)


def test_an_entrys_own_options_stand_for_themselves(lab: Layout) -> None:
    entry = bls.entries(lab.host)[0]
    entry.set("options", "root=/dev/mapper/ao-root ro quiet")
    assert boot.boot(lab).command_line.endswith(".x86_64 root=/dev/mapper/ao-root ro quiet")


@pytest.mark.parametrize(
    ("configured", "arguments", "mode"),
    [
        ("enforcing", "", "enforcing"),
        ("permissive", "", "permissive"),
        ("disabled", "", "disabled"),
        ("enforcing", "enforcing=0", "permissive"),
        ("enforcing", "selinux=0", "disabled"),
        ("nonsense", "", "disabled"),
    ],
)
def test_selinux_follows_its_configuration_at_boot(
    tmp_path: Path, configured: str, arguments: str, mode: str
) -> None:
    (tmp_path / "etc/selinux").mkdir(parents=True)
    (tmp_path / selinux.CONFIG).write_text(f"# SELINUX=permissive\nSELINUX={configured}\n")
    selinux.at_boot(tmp_path, arguments)
    assert selinux.current(tmp_path) == mode
    assert selinux.switch(tmp_path, enforcing=False) is (mode != "disabled")
    selinux.at_boot(tmp_path, arguments)
    assert selinux.current(tmp_path) == mode
