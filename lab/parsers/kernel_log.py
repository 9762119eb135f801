"""What the kernel's log says of memory encryption, in the words of several kernels.

Sources: Linux, drivers/crypto/ccp/sev-dev.c ("SEV API:", since 6.11 also "SEV-SNP API:"), arch/x86/kvm/svm
("SEV supported" in 4.16, with ASIDs since 5.10, "SEV enabled (ASIDs n - m)" since 6.2, which names the module
before it), arch/x86/mm/mem_encrypt*.c ("AMD Secure Memory Encryption (SME) active" in 4.14, "AMD Memory
Encryption Features active: SME" since 5.10, "Memory Encryption Features active: AMD SME" since 5.19).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# `[    6.747923] `, `[Mon Nov 23 15:38:29 2026] `, a level before it (dmesg --raw), a caller behind it.
_STAMP = re.compile(r"^(?:<\d+>)?\s*(?:\[[^\]]*\]\s*){0,2}")
_DEVICE = r"(?:ccp [0-9a-f:.]+: )"
_MODULE = r"(?:kvm_amd: |kvm-amd: |SVM: )?"

_BOOT = re.compile(r"Linux version \S+")
_ENABLED = re.compile(rf"{_DEVICE}sev enabled$|{_MODULE}SEV supported\b|{_MODULE}SEV enabled \(ASIDs ")
_API = re.compile(rf"{_DEVICE}SEV(?:-SNP)? API:(?P<major>\d+)\.(?P<minor>\d+) build:(?P<build>\d+)")
_ASID_COUNT = re.compile(rf"{_MODULE}SEV supported: (?P<count>\d+) ASIDs")
_ASID_RANGE = re.compile(rf"{_MODULE}SEV enabled \(ASIDs (?P<first>\d+) - (?P<last>\d+)\)")
_SME = re.compile(
    r"AMD Secure Memory Encryption \(SME\) active|(?:AMD )?Memory Encryption Features active:(?: AMD)? SME\b"
)
_ABOUT = re.compile(r"\bSEV\b|\bsev\b|\bSME\b|Memory Encryption|mem_encrypt")


@dataclass(frozen=True)
class Firmware:
    """The SEV firmware: version of its API, and its build."""

    major: int
    minor: int
    build: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor} build {self.build}"


@dataclass(frozen=True)
class KernelLog:
    """What a kernel log tells. `whole` is whether it begins with the boot: only then silence means no."""

    whole: bool
    sev_enabled: bool
    firmware: Firmware | None
    asids: int | None
    sme_active: bool
    about: tuple[str, ...]


def parse_kernel_log(text: str) -> KernelLog:
    """Read `dmesg` or `journalctl --dmesg --output=cat`. What user programs wrote there does not count."""
    messages = [_STAMP.sub("", line).rstrip() for line in text.splitlines()]
    enabled = sme = False
    firmware, asids = None, None
    for message in messages:
        enabled = enabled or bool(_ENABLED.match(message))
        sme = sme or bool(_SME.match(message))
        if api := _API.match(message):
            firmware = Firmware(int(api["major"]), int(api["minor"]), int(api["build"]))
        if counted := _ASID_COUNT.match(message):
            asids = int(counted["count"])
        if ranged := _ASID_RANGE.match(message):
            asids = max(0, int(ranged["last"]) - int(ranged["first"]) + 1)
    return KernelLog(
        whole=any(_BOOT.match(message) for message in messages),
        sev_enabled=enabled,
        firmware=firmware,
        asids=asids,
        sme_active=sme,
        about=tuple(line for line in text.splitlines() if _ABOUT.search(line)),
    )
