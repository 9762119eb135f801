import base64
import struct

import pytest

from lab.errors import NotApplicable, NotProven
from lab.machine import Machine
from lab.memory_encryption import MemoryEncryption
from lab.record import MemoryRecord
from tests.lab.said import Answer, SayingHost

WHOLE = """\
[    0.000000] Linux version 5.10.134-13_rc2.an8.x86_64
[    1.863927] AMD Memory Encryption Features active: SME
[    6.747923] ccp 0000:4b:00.1: sev enabled
[    6.997400] ccp 0000:4b:00.1: SEV API:1.42 build:42
[    7.522437] SEV supported: 255 ASIDs
"""
ROLLED = "[99999.1] device veth0 entered promiscuous mode\n"
SILENT = "[    0.000000] Linux version 5.10.134-13_rc2.an8.x86_64\n"
CPU = "vendor_id\t: AuthenticAMD\nmodel name\t: EPYC\nflags\t\t: fpu sme sev\n"
LEAF = base64.b64encode(struct.pack("<4I", 0x3, 0, 509, 1)).decode()


DMESG, JOURNAL = "dmesg", "journalctl --dmesg"
SWITCH, COMMAND_LINE = "cat /sys/module/kvm_amd/parameters/sev", "cat /proc/cmdline"
DEVICE = "ls /dev/sev"
VERSION, OK, CPUID = "sevctl show version", "sevctl ok", "dd if=/dev/cpu/0/cpuid"


SEV_ES = "cat /sys/module/kvm_amd/parameters/sev_es"


@pytest.mark.parametrize("switch", ["1\n", "Y\n"])
def test_a_host_that_offers_sev_es(switch: str) -> None:
    asked({SEV_ES: switch})[0].require_sev_es()


@pytest.mark.parametrize(
    ("switch", "why"),
    [
        ("0\n", r"kvm_amd's parameter sev_es is off.*kvm_amd\.sev_es=1"),
        ("N\n", "kvm_amd's parameter sev_es is off"),
        ((1, "No such file or directory"), "kvm_amd knows no parameter sev_es"),
    ],
)
def test_a_host_without_sev_es_is_told_why(switch: Answer, why: str) -> None:
    with pytest.raises(NotApplicable, match=why):
        asked({SEV_ES: switch})[0].require_sev_es()


def asked(changes: dict[str, Answer]) -> tuple[MemoryEncryption, MemoryRecord]:
    says: dict[str, Answer] = {
        DMESG: WHOLE,
        JOURNAL: ROLLED,
        SWITCH: "1\n",
        DEVICE: "/dev/sev\n",
        COMMAND_LINE: "ro mem_encrypt=on kvm_amd.sev=1\n",
        "sed": CPU,
    }
    host, record = SayingHost(says | changes).as_host, MemoryRecord()
    return MemoryEncryption(host, Machine(host), record), record


def test_the_ring_buffer_speaks_first() -> None:
    encryption, record = asked({})
    assert (encryption.sev_faults(), encryption.sme_faults(), encryption.asids()) == ([], [], 255)
    assert str(encryption.firmware()) == "1.42 build 42"
    assert all(name.endswith("says dmesg") for name, _ in record.evidences)


def test_the_journal_speaks_where_the_ring_buffer_rolled_over() -> None:
    encryption, record = asked({DMESG: ROLLED, JOURNAL: WHOLE})
    assert (encryption.sev_faults(), encryption.sme_faults(), encryption.asids()) == ([], [], 255)
    assert all(name.endswith("says the journal of this boot") for name, _ in record.evidences)


def test_other_witnesses_speak_where_both_rolled_over() -> None:
    encryption, record = asked({DMESG: ROLLED, CPUID: LEAF, VERSION: "1.42.42\n"})
    assert (encryption.sev_faults(), encryption.sme_faults(), encryption.asids()) == ([], [], 509)
    assert str(encryption.firmware()) == "1.42 build 42"
    witnesses = [name.partition(", says ")[2] for name, _ in record.evidences]
    assert witnesses == [
        "kvm_amd's parameter sev, as dmesg does not reach back to the boot",
        "the processor's flags and the kernel's parameters",
        "the processor, by CPUID 8000_001F",
        "the platform, by sevctl",
    ]


def test_sevctl_counts_where_the_cpuid_driver_is_not_loaded() -> None:
    said = "[ PASS ]     - Number of encrypted guests supported simultaneously: 15\n"
    encryption, _ = asked({DMESG: ROLLED, OK: said})
    assert encryption.asids() == 15


def test_a_kernel_that_counts_no_asids_leaves_it_to_the_processor() -> None:
    encryption, _ = asked({DMESG: WHOLE.replace("supported: 255 ASIDs", "supported"), CPUID: LEAF})
    assert (encryption.sev_faults(), encryption.asids()) == ([], 509)


def test_silence_of_a_whole_log_is_a_no() -> None:
    encryption, _ = asked({DMESG: SILENT, SWITCH: "1\n", CPUID: LEAF, VERSION: "1.42.42\n"})
    assert encryption.sev_faults() == ["dmesg begins with the boot and does not say that SEV is enabled"]
    assert encryption.sme_faults() == ["dmesg begins with the boot and does not say that SME is active"]
    assert (encryption.firmware(), encryption.asids()) == (None, None)


def test_a_log_of_the_boot_says_nothing_of_a_driver_that_went() -> None:
    encryption, _ = asked({DEVICE: (2, "ls: cannot access '/dev/sev': No such file or directory")})
    assert encryption.sev_faults() == ["there is no /dev/sev: the kernel's ccp driver serves no SEV firmware"]


@pytest.mark.parametrize("log", [WHOLE, ROLLED])
def test_a_switch_that_is_off_contradicts_any_log(log: str) -> None:
    encryption, _ = asked({DMESG: log, SWITCH: "N\n"})
    assert "kvm_amd's parameter sev is off" in encryption.sev_faults()


@pytest.mark.parametrize("log", [WHOLE, ROLLED])
def test_a_kvm_that_is_not_loaded_offers_no_sev_whatever_the_log_says(log: str) -> None:
    encryption, _ = asked({DMESG: log, SWITCH: (1, "No such file")})
    assert encryption.sev_faults() == [
        "kvm_amd is not loaded, or its kernel knows no SEV: it has no parameter sev"
    ]


def test_nobody_speaks() -> None:
    encryption, _ = asked(
        {DMESG: (1, "dmesg: read kernel buffer failed"), SWITCH: (1, "No such file"), COMMAND_LINE: "ro\n"}
    )
    assert encryption.sev_faults() == [
        "kvm_amd is not loaded, or its kernel knows no SEV: it has no parameter sev"
    ]
    assert encryption.sme_faults() == ["the running kernel lacks mem_encrypt=on"]
    assert (encryption.firmware(), encryption.asids()) == (None, None)


def test_another_processor_is_told() -> None:
    machine = Machine(SayingHost({"sed": CPU.replace("AuthenticAMD", "GenuineIntel")}).as_host)
    with pytest.raises(NotApplicable, match="GenuineIntel EPYC, and SEV is AMD's"):
        machine.require_sev()
    machine = Machine(SayingHost({"sed": CPU.replace(" sev", "")}).as_host)
    with pytest.raises(NotProven, match=r"offers no SEV.*\(P-1.1\)"):
        machine.require_sev()
    Machine(SayingHost({"sed": CPU}).as_host).require_sev()


@pytest.mark.parametrize("switch", ["0\n", "N\n", (1, "cat: No such file or directory")])
def test_a_vm_on_a_host_without_sev_is_for_the_clause_that_owns_it(switch: Answer) -> None:
    asked({})[0].require_switched_on()
    with pytest.raises(NotProven, match="kvm_amd's parameter sev is off") as refused:
        asked({SWITCH: switch})[0].require_switched_on()
    assert refused.value.owner == "P-3.4"
