"""Faults of the machine and its kernel: what boots, and what of SEV and SME is on (P-1 to P-3)."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from simlab.faults.acts import Act, on_disk, on_host
from simlab.faults.catalogue.host import FIRST_PODS
from simlab.faults.fault import Fault, Kind
from simlab.machine import sandbox
from simlab.machine.system import grubenv

if TYPE_CHECKING:
    from simlab.layout import Layout

_SEV: Final = " mem_encrypt=on kvm_amd.sev=1 kvm_amd.sev_es=1"


def _change_cpuinfo(layout: Layout, old: str, new: str) -> None:
    path = sandbox.kernel_folder(layout) / "cpuinfo"
    text = path.read_text()
    if old not in text:
        raise AssertionError(f"{path} has no {old!r}")
    # In place: the file is bound over the host's /proc/cpuinfo.
    path.write_text(text.replace(old, new))


def _hide_sev(layout: Layout) -> None:
    _change_cpuinfo(layout, " sev ", " ")


def _be_intel(layout: Layout) -> None:
    _change_cpuinfo(layout, "AuthenticAMD", "GenuineIntel")


def _boot_without_sev(layout: Layout) -> None:
    variables = grubenv.read(layout.host)
    grubenv.write(layout.host, variables | {"kernelopts": variables["kernelopts"].replace(_SEV, "")})


def _put_sev_back(layout: Layout) -> None:
    variables = grubenv.read(layout.host)
    grubenv.write(layout.host, variables | {"kernelopts": variables["kernelopts"] + _SEV})


def _give_no_asid(layout: Layout) -> None:
    path = layout.platform / "firmware.json"
    firmware = json.loads(path.read_text())
    path.write_text(json.dumps(firmware | {"min_sev_asid": firmware["asids"] + 1}))


def _run_own_kernel(layout: Layout) -> None:
    path = sandbox.kernel_folder(layout) / "osrelease"
    # In place, as above. 5.10.134-12.an8 becomes 5.10.134-99.an8.
    path.write_text(re.sub(r"-\d+", "-99", path.read_text(), count=1))


def _enforce_selinux(layout: Layout) -> None:
    (layout.host / "etc/selinux/config").write_text("SELINUX=enforcing\nSELINUXTYPE=targeted\n")


FAULTS = (
    Fault(
        name="processor-without-sev",
        kind=Kind.WRONG_STATE,
        breaks="the machine's firmware hides SEV: the processor's flags lack it",
        clauses=("P-1.1",),
        cause="offers no SEV",
        features=FIRST_PODS,
        acts=(Act(_hide_sev),),
    ),
    Fault(
        name="processor-of-intel",
        kind=Kind.WRONG_STATE,
        breaks="the processor is Intel's",
        clauses=("P-1.1",),
        cause="the processor is GenuineIntel",
        features=FIRST_PODS,
        acts=(Act(_be_intel),),
    ),
    Fault(
        name="kernel-repository-disabled",
        kind=Kind.WRONG_STATE,
        breaks="the repository of the newer kernel is configured, and not enabled",
        clauses=("P-2.1",),
        cause="must be an enabled repository's",
        features=FIRST_PODS,
        acts=(
            on_host("sed -i 's/^enabled *= *1/enabled=0/' $(grep -l kernel-5.10 /etc/yum.repos.d/*.repo)"),
        ),
    ),
    Fault(
        name="kernel-of-no-package",
        kind=Kind.WRONG_STATE,
        breaks="the running kernel is of the right series, and of no package that is installed",
        clauses=("P-2.2",),
        cause="is of no installed package",
        features=FIRST_PODS,
        acts=(Act(_run_own_kernel),),
    ),
    Fault(
        name="newer-grub",
        kind=Kind.WRONG_STATE,
        breaks="an update brought back the GRUB that does not start a kernel with SEV's parameters",
        clauses=("P-3.2",),
        cause="is not at 1:2.02-106.0.1.an8",
        features=FIRST_PODS,
        acts=(
            on_host(
                "repository=/etc/yum.repos.d/AnolisOS-BaseOS.repo; cp $repository /tmp/kept;"
                " sed -i 's/8\\.5/$releasever/' $repository; dnf -y update 'grub2*';"
                " cat /tmp/kept >$repository"
            ),
        ),
    ),
    Fault(
        name="booted-without-sev",
        kind=Kind.WRONG_STATE,
        breaks="every boot entry has SEV's parameters, and the running kernel was started without them",
        clauses=("P-3.3",),
        cause="the running kernel lacks mem_encrypt=on kvm_amd.sev=1",
        also=("P-3.4", "P-3.5"),
        features=FIRST_PODS,
        acts=(on_disk(_boot_without_sev), Act(_put_sev_back, after=("kernel",), before=("boot",))),
    ),
    Fault(
        name="sev-off-in-kvm",
        kind=Kind.WRONG_STATE,
        breaks="kvm_amd was loaded with SEV off, whatever the kernel's log says",
        clauses=("P-3.4",),
        cause="kvm_amd's parameter sev is off",
        features=FIRST_PODS,
        acts=(on_host("echo 0 >/sys/module/kvm_amd/parameters/sev"),),
    ),
    Fault(
        name="no-asids",
        kind=Kind.WRONG_STATE,
        breaks="the machine's firmware keeps every ASID for SEV-ES guests",
        clauses=("P-3.4",),
        cause="there are 0 ASIDs",
        features=FIRST_PODS,
        acts=(Act(_give_no_asid, after=("platform",), before=("psp", "kernel")),),
    ),
    Fault(
        name="sme-inactive",
        kind=Kind.WRONG_STATE,
        breaks="the kernel did not activate SME, though it was asked to",
        clauses=("P-3.5",),
        cause="SME",
        features=FIRST_PODS,
        acts=(
            on_host("sed -i '/Memory Encryption Features active: SME/d' /var/log/dmesg /var/log/journal/*/*"),
        ),
    ),
    Fault(
        name="selinux-enforcing",
        kind=Kind.WRONG_STATE,
        breaks="SELinux enforces since the last boot",
        clauses=("C-1.2",),
        cause="SELinux is Enforcing",
        features=FIRST_PODS,
        acts=(on_disk(_enforce_selinux),),
    ),
    Fault(
        name="older-operator-sdk",
        kind=Kind.WRONG_STATE,
        breaks="operator-sdk is of another version than the guide's",
        clauses=("C-2.1",),
        cause="operator-sdk must be",
        features=FIRST_PODS,
        acts=(
            on_host(
                "printf '#!/bin/sh\\necho operator-sdk version: \"v1.22.0\"\\n' >/usr/local/bin/operator-sdk"
            ),
        ),
    ),
)
