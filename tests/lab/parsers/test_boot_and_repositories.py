import pytest

from lab.errors import LabError
from lab.parsers.grubby import BootEntry, parse_entries
from lab.parsers.repositories import Repository, parse_repositories, with_release

GRUBBY = """\
index=0
kernel="/boot/vmlinuz-5.10.134-13_rc2.an8.x86_64"
args="ro crashkernel=auto rhgb quiet mem_encrypt=on kvm_amd.sev=1 $tuned_params"
root="/dev/mapper/ao-root"
initrd="/boot/initramfs-5.10.134-13_rc2.an8.x86_64.img $tuned_initrd"
title="Anolis OS (5.10.134-13_rc2.an8.x86_64) 8"
id="0f0f-5.10.134-13_rc2.an8.x86_64"
index=1
kernel="/boot/vmlinuz-0-rescue-0f0f"
args="ro"
title="Anolis OS (0-rescue) 8"
index=2
non linux entry
"""

REPOSITORIES = """\
[BaseOS]
name=AnolisOS-$releasever - BaseOS
baseurl=https://mirrors.openanolis.cn/anolis/$releasever/BaseOS/$basearch/os
        https://other.example.org/anolis/$releasever/BaseOS/$basearch/os/
enabled=1
gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-ANOLIS

[BaseOS-source]
baseurl=https://mirrors.openanolis.cn/anolis/8.6/BaseOS/source
enabled=0
"""


def test_boot_entries() -> None:
    first, rescue = parse_entries(GRUBBY)
    assert first.arguments.endswith("mem_encrypt=on kvm_amd.sev=1 $tuned_params")
    assert first.title == "Anolis OS (5.10.134-13_rc2.an8.x86_64) 8"
    assert rescue == BootEntry("/boot/vmlinuz-0-rescue-0f0f", "ro", "Anolis OS (0-rescue) 8")
    assert parse_entries("") == []


def test_repositories() -> None:
    base, source = parse_repositories(REPOSITORIES)
    assert base.urls == (
        "https://mirrors.openanolis.cn/anolis/$releasever/BaseOS/x86_64/os",
        "https://other.example.org/anolis/$releasever/BaseOS/x86_64/os",
    )
    assert (base.enabled, source.enabled) == (True, False)
    assert parse_repositories("[k]\nbaseurl=http://x/\n") == [Repository("k", ("http://x",), enabled=True)]
    assert parse_repositories("") == []
    with pytest.raises(LabError, match="is no repository file"):
        parse_repositories("baseurl=x\n")


def test_only_the_release_in_urls_is_changed() -> None:
    edited = with_release(REPOSITORIES, "8.5")
    assert edited == REPOSITORIES.replace("anolis/$releasever/", "anolis/8.5/").replace(
        "anolis/8.6/", "anolis/8.5/"
    )
    assert with_release(edited, "8.5") == edited
    assert "name=AnolisOS-$releasever - BaseOS" in edited
