import struct

import pytest

from lab.errors import LabError
from lab.parsers.machine import (
    asids_of_cpuid,
    missing_arguments,
    parse_cpuinfo,
    parse_kernel_arguments,
    parse_module_switch,
    parse_os_release,
)

OS_RELEASE = """\
NAME="Anolis OS"
VERSION="8.6"
ID="anolis"
# a remark
VERSION_ID='8.6'
PLATFORM_ID=platform:an8
BROKEN="

"""

CPUINFO = """\
processor\t: 0
vendor_id\t: AuthenticAMD
model name\t: AMD EPYC 7543 32-Core Processor
flags\t\t: fpu sme ssbd mba sev sev_es

processor\t: 1
vendor_id\t: AuthenticAMD
flags\t\t: fpu
"""


def test_os_release() -> None:
    release = parse_os_release(OS_RELEASE)
    assert (release["ID"], release["VERSION_ID"], release["PLATFORM_ID"]) == ("anolis", "8.6", "platform:an8")
    assert not {"# a remark", "BROKEN"} & set(release)


def test_cpuinfo() -> None:
    cpu = parse_cpuinfo(CPUINFO)
    assert (cpu.vendor, cpu.model) == ("AuthenticAMD", "AMD EPYC 7543 32-Core Processor")
    assert {"sev", "sme"} <= cpu.flags
    assert "se" not in cpu.flags
    with pytest.raises(LabError, match="no processor"):
        parse_cpuinfo("")


@pytest.mark.parametrize(
    ("family", "model", "stepping", "signature"),
    [
        ("23", "1", "2", 0x800F12),
        ("23", "49", "0", 0x830F10),
        ("25", "1", "1", 0xA00F11),
        ("15", "6", "x", None),
    ],
)
def test_a_processors_signature(family: str, model: str, stepping: str, signature: int | None) -> None:
    # kata-containers CC-0.3.0, src/runtime/pkg/sev/vcpu_sigs_test.go
    text = f"vendor_id\t: AuthenticAMD\ncpu family\t: {family}\nmodel\t\t: {model}\nstepping\t: {stepping}\n"
    assert parse_cpuinfo(text).signature == signature


@pytest.mark.parametrize(
    ("line", "missing"),
    [
        ("ro quiet mem_encrypt=on kvm_amd.sev=1", []),
        ("ro kvm-amd.sev=1 mem_encrypt=on\n", []),
        ("mem_encrypt=off kvm_amd.sev=1 mem_encrypt=on", []),
        ("mem_encrypt=on kvm_amd.sev=1 mem_encrypt=off", ["mem_encrypt=on"]),
        ("mem_encrypt kvm_amd.sev=10", ["mem_encrypt=on", "kvm_amd.sev=1"]),
        ("xmem_encrypt=on", ["mem_encrypt=on", "kvm_amd.sev=1"]),
        ("", ["mem_encrypt=on", "kvm_amd.sev=1"]),
    ],
)
def test_the_last_value_of_a_parameter_counts(line: str, missing: list[str]) -> None:
    assert missing_arguments(line, ["mem_encrypt=on", "kvm_amd.sev=1"]) == missing


def test_parameters_without_value() -> None:
    assert parse_kernel_arguments("ro rd.lvm.lv=ao/root") == {"ro": "", "rd.lvm.lv": "ao/root"}


@pytest.mark.parametrize(
    ("text", "on"),
    [("1\n", True), ("Y\n", True), ("0\n", False), ("N\n", False), ("", None), ("(null)", None)],
)
def test_module_switches(text: str, on: bool | None) -> None:
    assert parse_module_switch(text) is on


def test_cpuid() -> None:
    assert asids_of_cpuid(struct.pack("<4I", 0x0101003F, 0x4173, 509, 100)) == 509
    assert asids_of_cpuid(struct.pack("<4I", 0x1, 0x4173, 509, 100)) is None  # SME only
    assert asids_of_cpuid(b"") is None
