"""What the simulated machine says of itself: files of /proc and /sys, and the kernel's log."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

from simlab import addresses
from simlab.machine import sandbox

if TYPE_CHECKING:
    from simlab.layout import Layout

# The guide's chapter "前提条件", 2: what `uname -r` prints.
RELEASE: Final = "5.10.134-13_rc2.an8.x86_64"
VERSION: Final = "#1 SMP Mon Dec 5 16:14:53 CST 2022"
CPUS: Final = 4

_COMMAND_LINE: Final = (
    f"BOOT_IMAGE=(hd0,gpt2)/vmlinuz-{RELEASE} root=/dev/mapper/ao-root ro crashkernel=auto"
    " resume=/dev/mapper/ao-swap rd.lvm.lv=ao/root rd.lvm.lv=ao/swap rhgb quiet mem_encrypt=on kvm_amd.sev=1"
)

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


def write(layout: Layout, *, api_major: int, api_minor: int, build: int, asids: int) -> None:
    """Write the machine's own account of itself; the numbers are what its PSP reports."""
    folder = sandbox.kernel_folder(layout)
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "cmdline": f"{_COMMAND_LINE}\n",
        "version": (
            f"Linux version {RELEASE} (mockbuild@anolis-build-01) (gcc (GCC) 8.5.0 (Anolis 8.5.0-10.0.3),"
            f" GNU ld 2.30-113.0.1.an8) {VERSION}\n"
        ),
        "cpuinfo": "".join(_cpu(number) for number in range(CPUS)),
        "boot_id": f"{uuid.uuid4()}\n",
        "osrelease": f"{RELEASE}\n",
    }
    if missing := sandbox.KERNEL_FILES.keys() ^ texts.keys():
        raise AssertionError(f"the sandbox binds other files than are written: {missing}")
    for name, text in texts.items():
        (folder / name).write_text(text)

    parameters = layout.host / "sys/module/kvm_amd/parameters"
    parameters.mkdir(parents=True, exist_ok=True)
    # An int parameter in 5.10, so 1 and not Y (arch/x86/kvm/svm/svm.c of Linux 5.10).
    (parameters / "sev").write_text("1\n")

    log = layout.host / "var/log/dmesg"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(_boot_log(api_major, api_minor, build, asids))


def _boot_log(api_major: int, api_minor: int, build: int, asids: int) -> str:
    """Return the kernel's log at boot; its lines on SEV and SME are those that the guide shows."""
    lines = (
        (0.0, f"Linux version {RELEASE} {VERSION}"),
        (0.0, f"Command line: {_COMMAND_LINE}"),
        (1.863927, "AMD Memory Encryption Features active: SME"),
        (6.747923, "ccp 0000:4b:00.1: sev enabled"),
        (6.842676, "ccp 0000:4b:00.1: SEV firmware update successful"),
        (6.997400, f"ccp 0000:4b:00.1: SEV API:{api_major}.{api_minor} build:{build}"),
        (7.522437, f"SEV supported: {asids} ASIDs"),
        (9.310554, f"systemd[1]: Set hostname to <{addresses.HOSTNAME}>."),
    )
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
