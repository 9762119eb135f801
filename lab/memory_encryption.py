"""SEV and SME, as the host's kernel tells of them, or who else can where its log has rolled over.

The ring buffer is asked first, then the journal of this boot. Only where neither begins with the boot, other
witnesses are heard: kvm_amd's parameter, the processor, the platform's firmware. Who spoke is evidence.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, TypeVar

from lab.errors import NotApplicable, NotProven
from lab.fact import Fact
from lab.parsers.kernel_log import Firmware, KernelLog, parse_kernel_log
from lab.parsers.machine import CPUID_ENCRYPTED_MEMORY, asids_of_cpuid, parse_module_switch

if TYPE_CHECKING:
    from lab.host import Host
    from lab.machine import Machine
    from lab.record import Record

T = TypeVar("T")

LOGS = {
    "dmesg": "dmesg",
    "the journal of this boot": "journalctl --dmesg --output=cat --no-pager",
}
SWITCH = "/sys/module/kvm_amd/parameters/sev"
SEV_ES_SWITCH = f"{SWITCH}_es"
# Linux, drivers/crypto/ccp/sev-dev.c (sev_misc_init): without it no SEV guest is launched.
DEVICE = "/dev/sev"

# One leaf of CPUID, as the kernel's cpuid driver gives it: 16 bytes at the leaf's number (cpuid(4)).
_CPUID = (
    "dd if=/dev/cpu/0/cpuid bs=16 count=1 iflag=skip_bytes skip=%s status=none 2>/dev/null | base64 --wrap=0"
)
_ASIDS_BY_SEVCTL = re.compile(r"Number of encrypted guests supported simultaneously: (\d+)")
_VERSION_BY_SEVCTL = re.compile(r"(\d+)\.(\d+)\.(\d+)")


class MemoryEncryption:
    """SEV and SME on one host. Every question looks again."""

    def __init__(self, host: Host, machine: Machine, record: Record) -> None:
        self._host = host
        self._machine = machine
        self._record = record

    def sev_faults(self) -> list[str]:
        """Why SEV is not enabled; nothing where it is (guide: dmesg | grep -i sev)."""
        log, witness = self._log()
        switch = parse_module_switch(self._said(f"cat {SWITCH}"))
        faults = []
        if not log.sev_enabled and log.whole:
            faults.append(f"{witness} begins with the boot and does not say that SEV is enabled")
        elif not log.sev_enabled:
            witness = f"kvm_amd's parameter sev, as {witness} does not reach back to the boot"
        if switch is None:
            faults.append("kvm_amd is not loaded, or its kernel knows no SEV: it has no parameter sev")
        if switch is False:
            faults.append("kvm_amd's parameter sev is off")
        if not self._said(f"ls {DEVICE}").strip():
            faults.append(f"there is no {DEVICE}: the kernel's ccp driver serves no SEV firmware")
        if not faults:
            self._testify("SEV is enabled", witness, log)
        return faults

    def require_switched_on(self) -> None:
        """Raise NotProven where kvm_amd launches no SEV guests, by its own parameter: clause P-3.4 owns that.

        No VM is one then, whatever its arguments say.
        """
        if parse_module_switch(self._said(f"cat {SWITCH}")) is not True:
            raise NotProven("kvm_amd's parameter sev is off: no VM is an SEV guest", owner="P-3.4")

    def firmware(self) -> Firmware | None:
        """The SEV firmware's version; None where nobody tells it."""
        log, witness = self._log()
        if log.firmware or log.whole:
            return self._testified(log.firmware, "SEV firmware", witness, log)
        found = _VERSION_BY_SEVCTL.search(self._said("sevctl show version"))
        firmware = Firmware(*(int(part) for part in found.groups())) if found else None
        return self._testified(firmware, "SEV firmware", "the platform, by sevctl", log)

    def require_firmware(self) -> Firmware:
        """The SEV firmware's version. Raises NotProven where nobody tells it: that is clause P-3.4's."""
        firmware = self.firmware()
        if firmware is None:
            raise NotProven("nobody tells the version of the platform's SEV firmware", owner="P-3.4")
        return firmware

    def asids(self) -> int | None:
        """How many encrypted guests can run at once; None where nobody tells.

        A kernel of before 5.10 says that SEV is supported and counts no ASIDs: there the processor is asked.
        """
        log, witness = self._log()
        if log.asids is not None or (log.whole and not log.sev_enabled):
            return self._testified(log.asids, "SEV ASIDs", witness, log)
        leaf = self._said(_CPUID % CPUID_ENCRYPTED_MEMORY)
        count = asids_of_cpuid(base64.b64decode(leaf))
        if count is not None:
            return self._testified(count, "SEV ASIDs", "the processor, by CPUID 8000_001F", log)
        found = _ASIDS_BY_SEVCTL.search(self._said("sevctl ok"))
        return self._testified(int(found[1]) if found else None, "SEV ASIDs", "sevctl ok", log)

    def require_sev_es(self) -> None:
        """Raise NotApplicable where KVM offers no SEV-ES, with why.

        kvm_amd's parameter is what is left of what was asked for: the kernel clears it where processor or
        firmware keep no ASIDs for SEV-ES guests (Linux 5.11, arch/x86/kvm/svm/sev.c, sev_hardware_setup).
        """
        switch = parse_module_switch(self._said(f"cat {SEV_ES_SWITCH}"))
        if switch:
            return
        if switch is None:
            raise NotApplicable("the host's kernel has no SEV-ES: kvm_amd knows no parameter sev_es")
        raise NotApplicable(
            "the host offers no SEV-ES: kvm_amd's parameter sev_es is off. It takes kvm_amd.sev_es=1 on the "
            "kernel's command line, and ASIDs for SEV-ES guests in the machine's firmware settings"
        )

    def sme_faults(self) -> list[str]:
        """Why SME is not active; nothing where it is (guide: dmesg | grep -i sme).

        The kernel takes the flag away where the machine's firmware has not enabled SME, and activates it for
        `mem_encrypt=on` (Linux 5.10, arch/x86/kernel/cpu/amd.c, arch/x86/mm/mem_encrypt_identity.c).
        """
        log, witness = self._log()
        if log.sme_active:
            self._testify("SME is active", witness, log)
            return []
        if log.whole:
            return [f"{witness} begins with the boot and does not say that SME is active"]
        faults = [
            f"the running kernel lacks {each}" for each in self._machine.missing_arguments(["mem_encrypt=on"])
        ]
        if "sme" not in self._machine.cpu.flags:
            faults.append("the processor does not show the flag sme")
        if not faults:
            self._testify("SME is active", "the processor's flags and the kernel's parameters", log)
        return faults

    def _log(self) -> tuple[KernelLog, str]:
        """The first log that begins with the boot, or else the ring buffer; and its name."""
        found = []
        for name, command in LOGS.items():
            log = parse_kernel_log(self._said(command, quiet=True))
            found.append((log, name))
            if log.whole:
                return log, name
        return found[0]

    def _said(self, command: str, *, quiet: bool = False) -> str:
        return self._host.run(command, check=False, reads=True, quiet=quiet, output_limit=16 << 20).stdout

    def _testify(self, what: str, witness: str, log: KernelLog) -> None:
        self._record.evidence(
            f"{what}, says {witness}",
            "\n".join(log.about) or "(no line about it in the log)",
            fact=Fact.MEMORY_ENCRYPTION,
        )

    def _testified(self, value: T, what: str, witness: str, log: KernelLog) -> T:
        self._testify(f"{what}: {value}", witness, log)
        return value
