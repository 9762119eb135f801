"""Faults of the host below the cluster: system, kernel, firewall, SELinux, docker, containerd (P-…, C-…)."""

from __future__ import annotations

from simlab.faults.acts import on_host
from simlab.faults.fault import Fault, Kind

# A host in such a state starts pods as any does: the first plain and encrypted ones show it for all.
FIRST_PODS = ("0", "1", "2", "3", "4_1", "4_2")

FAULTS = (
    Fault(
        name="other-operating-system",
        kind=Kind.WRONG_STATE,
        breaks="the host runs Anolis OS 8.8",
        clauses=("P-1.1",),
        cause="the host runs .*8.8",
        features=FIRST_PODS,
        acts=(on_host("""sed -i 's/8\\.6/8.8/g' "$(readlink -f /etc/os-release)" """),),
    ),
    Fault(
        name="no-kernel-repository",
        kind=Kind.MISSING_PRECONDITION,
        breaks="the repository of the newer kernel is not configured",
        clauses=("P-2.1",),
        cause="must be an enabled repository's",
        features=FIRST_PODS,
        acts=(on_host("grep -l kernel-5.10 /etc/yum.repos.d/*.repo | xargs rm"),),
    ),
    Fault(
        name="base-repository-of-8.6",
        kind=Kind.WRONG_STATE,
        breaks="the BaseOS repository follows the installed release again",
        clauses=("P-3.1",),
        cause="must name the release 8.5",
        features=FIRST_PODS,
        acts=(on_host("sed -i 's/8\\.5/$releasever/' /etc/yum.repos.d/AnolisOS-BaseOS.repo"),),
    ),
    Fault(
        name="boot-entry-without-sev",
        kind=Kind.WRONG_STATE,
        breaks="the next boot of the default kernel would be without SEV, though the running one has it",
        clauses=("P-3.3",),
        cause="kvm_amd.sev=1",
        features=FIRST_PODS,
        acts=(on_host("grubby --update-kernel=DEFAULT --remove-args=kvm_amd.sev=1"),),
    ),
    Fault(
        name="firewalld-running",
        kind=Kind.WRONG_STATE,
        breaks="firewalld runs again",
        clauses=("C-1.1",),
        cause="firewalld is active",
        features=FIRST_PODS,
        acts=(on_host("systemctl start firewalld"),),
    ),
    Fault(
        name="no-operator-sdk",
        kind=Kind.MISSING_PRECONDITION,
        breaks="operator-sdk is not installed",
        clauses=("C-2.1",),
        cause="operator-sdk must be .*: ",
        features=FIRST_PODS,
        acts=(on_host("rm /usr/local/bin/operator-sdk"),),
    ),
    Fault(
        name="registry-stopped",
        kind=Kind.LOST_SERVICE,
        breaks="the local registry's container was stopped",
        clauses=("C-3.2",),
        cause="no container that is up publishes port 5000",
        features=FIRST_PODS,
        acts=(on_host("docker stop $(docker ps -q --filter ancestor=docker.io/library/registry:latest)"),),
    ),
)
