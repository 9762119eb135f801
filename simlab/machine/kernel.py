"""What the simulated machine says of itself: files of /proc and /sys, and the kernel's log."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

from simlab import addresses
from simlab.machine import sandbox
from simlab.machine.system import selinux

if TYPE_CHECKING:
    from simlab.layout import Layout
    from simlab.machine.boot import Booted

CPUS: Final = 4

# Upstream 5.11, and Anolis' 5.10 (alibaba/cloud-kernel, arch/x86/kvm/svm/sev.c); off by default in both.
_KNOWS_SEV_ES: Final = (5, 10)

_CPU_FLAGS: Final = (
    "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse"
    " sse2 ht syscall nx mmxext fxsr_opt pdpe1gb rdtscp lm constant_tsc rep_good nopl nonstop_tsc"
    " cpuid aperfmperf pni pclmulqdq monitor ssse3 fma cx16 sse4_1 sse4_2 x2apic movbe popcnt aes"
    " xsave avx f16c rdrand lahf_lm cmp_legacy svm extapic cr8_legacy abm sse4a misalignsse"
    " 3dnowprefetch osvw ibs skinit wdt tce topoext perfctr_core perfctr_nb bpext perfctr_llc mwaitx"
    " cpb cat_l3 cdp_l3 hw_pstate sme ssbd mba sev ibrs ibpb stibp vmmcall sev_es fsgsbase bmi1 avx2"
    " smep bmi2 erms invpcid rdseed adx smap clflushopt clwb sha_ni xsaveopt xsavec xgetbv1 clzero"
    " irperf xsaveerptr wbnoinvd arat npt lbrv svm_lock nrip_save tsc_scale vmcb_clean flushbyasid"
    " decodeassists"
)


def write(
    layout: Layout,
    booted: Booted,
    *,
    api_major: int,
    api_minor: int,
    build: int,
    asids: int,
    seves_asids: int = 0,
) -> None:
    """Write the machine's own account of itself after a boot; the numbers are what its PSP reports."""
    folder = sandbox.kernel_folder(layout)
    folder.mkdir(parents=True, exist_ok=True)
    kernel = booted.kernel
    boot_id = uuid.uuid4()
    texts = {
        "cmdline": f"{booted.command_line}\n",
        "version": (
            f"Linux version {kernel.release} ({kernel.builder}) (gcc (GCC) 8.5.0 (Anolis 8.5.0-10.0.3),"
            f" GNU ld 2.30-113.0.1.an8) {kernel.version}\n"
        ),
        "cpuinfo": "".join(_cpu(number) for number in range(CPUS)),
        "boot_id": f"{boot_id}\n",
        "osrelease": f"{kernel.release}\n",
    }
    if missing := sandbox.KERNEL_FILES.keys() ^ texts.keys():
        raise AssertionError(f"the sandbox binds other files than are written: {missing}")
    for name, text in texts.items():
        (folder / name).write_text(text)

    parameters = layout.host / "sys/module/kvm_amd/parameters"
    parameters.mkdir(parents=True, exist_ok=True)
    # An int parameter in 4.19 and 5.10, so 1 and not Y (arch/x86/kvm/svm.c, svm/svm.c).
    (parameters / "sev").write_text(f"{int(_has_sev(booted))}\n")
    (parameters / "sev_es").unlink(missing_ok=True)
    if kernel.generation >= _KNOWS_SEV_ES:
        (parameters / "sev_es").write_text(f"{int(_has_sev_es(booted, seves_asids))}\n")
    selinux.at_boot(layout.host, booted.command_line)

    log = _boot_log(booted, api_major, api_minor, build, asids, seves_asids)
    (layout.host / "var/log").mkdir(parents=True, exist_ok=True)
    # dmesg's ring buffer, which `dmesg --clear` empties, and the journal, which keeps every boot's.
    (layout.host / "var/log/dmesg").write_text(log)
    journal = layout.host / "var/log/journal" / (layout.host / "etc/machine-id").read_text().strip()
    journal.mkdir(parents=True, exist_ok=True)
    number = len(list(journal.glob("*.kernel")))
    (journal / f"{number:04d}-{boot_id.hex}.kernel").write_text(log)


def _has_sev(booted: Booted) -> bool:
    """Whether kvm_amd was told to offer SEV; both kernels leave it off by default."""
    return "kvm_amd.sev=1" in booted.command_line.split()


def _has_sev_es(booted: Booted, asids: int) -> bool:
    """Whether kvm_amd offers SEV-ES: it knows it, was told to, and the machine keeps ASIDs for it."""
    told = "kvm_amd.sev_es=1" in booted.command_line.split()
    return told and _has_sev(booted) and booted.kernel.generation >= _KNOWS_SEV_ES and asids > 0


def _boot_log(
    booted: Booted, api_major: int, api_minor: int, build: int, asids: int, seves_asids: int
) -> str:
    """Return the kernel's log at boot; 5.10's lines on SEV and SME are those that the guide shows.

    4.19's are in its `arch/x86/mm/mem_encrypt.c`, `drivers/crypto/ccp/psp-dev.c` and `arch/x86/kvm/svm.c`.
    """
    kernel = booted.kernel
    recent = kernel.generation >= (5, 10)
    ccp = "ccp 0000:4b:00.1:"
    lines = [
        (0.0, f"Linux version {kernel.release} ({kernel.builder}) {kernel.version}"),
        (0.0, f"Command line: {booted.command_line}"),
    ]
    if "mem_encrypt=on" in booted.command_line.split():
        old, new = "AMD Secure Memory Encryption (SME) active", "AMD Memory Encryption Features active: SME"
        lines.append((1.863927, new if recent else old))
    if recent:
        lines.append((6.747923, f"{ccp} sev enabled"))
        lines.append((6.842676, f"{ccp} SEV firmware update successful"))
    lines.append((6.997400, f"{ccp} SEV API:{api_major}.{api_minor} build:{build}"))
    if _has_sev(booted):
        lines.append((7.522437, f"SEV supported: {asids} ASIDs" if recent else "SEV supported"))
    if _has_sev_es(booted, seves_asids):
        lines.append((7.522441, f"SEV-ES supported: {seves_asids} ASIDs"))
    lines.append((9.310554, f"systemd[1]: Set hostname to <{addresses.HOSTNAME}>."))
    return "".join(f"[{seconds:12.6f}] {text}\n" for seconds, text in lines)


def _cpu(number: int) -> str:
    return f"""\
processor\t: {number}
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: 1
model name\t: AMD EPYC 7543 32-Core Processor
stepping\t: 1
microcode\t: 0xa0011a8
cpu MHz\t\t: 2800.000
cache size\t: 512 KB
physical id\t: 0
siblings\t: {CPUS}
core id\t\t: {number}
cpu cores\t: {CPUS}
apicid\t\t: {number}
fpu\t\t: yes
cpuid level\t: 16
flags\t\t: {_CPU_FLAGS}
bogomips\t: 5600.00
clflush size\t: 64
address sizes\t: 48 bits physical, 48 bits virtual

"""
