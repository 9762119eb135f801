import pytest

from lab.parsers.kernel_log import Firmware, KernelLog, parse_kernel_log

BOOT = "[    0.000000] Linux version 5.10.134-13_rc2.an8.x86_64 (mockbuild@x) #1 SMP\n"

# What the guide shows.
ANOLIS_5_10 = (
    BOOT
    + """\
[    1.863927] AMD Memory Encryption Features active: SME
[    6.747923] ccp 0000:4b:00.1: sev enabled
[    6.842676] ccp 0000:4b:00.1: SEV firmware update successful
[    6.997400] ccp 0000:4b:00.1: SEV API:1.42 build:42
[    7.522437] SEV supported: 255 ASIDs
"""
)

LINUX_4_16 = """\
[    0.000000] Linux version 4.16.0
[    0.000000] AMD Secure Memory Encryption (SME) active
[    4.213371] ccp 0000:22:00.2: SEV API:0.16 build:5
[    7.114871] SVM: SEV supported
"""

LINUX_6_8 = """\
[    0.000000] [      T0] Linux version 6.8.0-45-generic
[    1.071364] Memory Encryption Features active: AMD SME
[    9.001274] ccp 0000:22:00.1: sev enabled
[   10.271374] ccp 0000:22:00.1: SEV API:1.55 build:21
[   10.581273] kvm_amd: SEV enabled (ASIDs 100 - 509)
[   10.581275] kvm_amd: SEV-ES enabled (ASIDs 1 - 99)
"""

LINUX_6_12_BY_JOURNAL = """\
Linux version 6.12.0
Memory Encryption Features active: AMD SME
ccp 0000:22:00.1: sev enabled
ccp 0000:22:00.1: SEV-SNP API:1.55 build:21
kvm_amd: SEV enabled (ASIDs 510 - 509)
"""


def told(log: KernelLog) -> tuple[bool, bool, str, int | None, bool]:
    return log.whole, log.sev_enabled, str(log.firmware), log.asids, log.sme_active


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ANOLIS_5_10, (True, True, "1.42 build 42", 255, True)),
        (LINUX_4_16, (True, True, "0.16 build 5", None, True)),
        (LINUX_6_8, (True, True, "1.55 build 21", 410, True)),
        (LINUX_6_12_BY_JOURNAL, (True, True, "1.55 build 21", 0, True)),
        (ANOLIS_5_10.replace("[    ", "<6>[    "), (True, True, "1.42 build 42", 255, True)),
        ("", (False, False, "None", None, False)),
    ],
)
def test_kernels_say_it_in_words_of_their_own(
    text: str, expected: tuple[bool, bool, str, int | None, bool]
) -> None:
    assert told(parse_kernel_log(text)) == expected


@pytest.mark.parametrize(
    "line",
    [
        "[    7.522437] SEV-ES supported: 16 ASIDs",
        "[   10.581273] kvm_amd: SEV disabled (ASIDs 100 - 509)",
        "[   10.581273] kvm_amd: SEV unusable (ASIDs 510 - 509)",
        "[    0.9] Memory Encryption Features active: AMD SEV SEV-ES",  # a guest's
        "[   42.1] systemd[1]: SEV supported: 255 ASIDs",  # a program's
        "[   42.1] x: AMD Memory Encryption Features active: SME",
        "[    6.7] ccp 0000:4b:00.1: SEV: failed to INIT error 0x13",
        "[    0.0] Command line: BOOT_IMAGE=/vmlinuz mem_encrypt=on kvm_amd.sev=1",
    ],
)
def test_what_sounds_like_it_is_not_it(line: str) -> None:
    log = parse_kernel_log(BOOT + line)
    assert told(log) == (True, False, "None", None, False)


def test_no_asids_are_told_as_none_at_all() -> None:
    assert parse_kernel_log(ANOLIS_5_10.replace("255 ASIDs", "0 ASIDs")).asids == 0
    assert Firmware(1, 42, 42) == parse_kernel_log(ANOLIS_5_10).firmware


def test_a_log_that_rolled_over_does_not_begin_with_the_boot() -> None:
    rolled = parse_kernel_log("\n".join(ANOLIS_5_10.splitlines()[3:]))
    assert told(rolled) == (False, True, "1.42 build 42", 255, False)
