"""The host below the cluster: operating system, kernel, memory encryption, firewall, SELinux, containerd."""

from __future__ import annotations

import re

from pytest_bdd import given, parsers, then

from fixtures.run import Run
from lab.boot import Boot
from lab.changes.operator_sdk import OperatorSdk
from lab.changes.repositories import BaseRelease, KernelRepository
from lab.comparison import compare
from lab.containerd import PATH, ContainerdConfiguration, kubernetes_fault
from lab.convergence import Convergence
from lab.docker import server_fault
from lab.host import Host
from lab.labfile import LabFile
from lab.machine import AMD, Machine
from lab.memory_encryption import MemoryEncryption
from lab.packages import Packages
from lab.profile import Profile
from lab.running_containerd import RunningContainerd
from lab.services import RUNNING, Services


@given(parsers.parse("the guide was followed for {clauses}"))
def follow_guide(convergence: Convergence, clauses: str) -> None:
    """Convergence: what each clause is made by, and what it builds on, where it is missing."""
    convergence.reach(*re.split(", | and ", clauses))


@given("the guide was followed as far as the lab lets it")
def follow_whole_guide(convergence: Convergence) -> None:
    """Convergence of every clause that can be; why another cannot is its own scenario's business."""
    convergence.reach_all()


@then("the operating system is the profile's")
def run_operating_system(run: Run, machine: Machine, profile: Profile) -> None:
    """Clause P-1.1."""
    found, wanted = machine.operating_system, profile.host
    name, version = found.get("ID"), found.get("VERSION_ID")
    holds = compare(run.record, "operating system", [name, version], "is", [wanted.id, wanted.version])
    assert name, f"/etc/os-release is missing or names no system; {profile.operating_system} is wanted"
    assert holds, (
        f"the host runs {found.get('PRETTY_NAME', name)}: /etc/os-release says {name} {version}, "
        f"and not {wanted.id} {wanted.version}"
    )


@then("the processor is AMD's and offers SEV")
def offer_sev(run: Run, machine: Machine) -> None:
    """Clause P-1.1."""
    cpu = machine.cpu
    compare(run.record, "processor", [cpu.vendor, *sorted(cpu.flags)], "has all of", [AMD, "sev"])
    assert cpu.vendor == AMD, f"the processor is {cpu.vendor} {cpu.model}"
    assert "sev" in cpu.flags, f"{cpu.model} offers no SEV, or the machine's firmware hides it"


@then("the running kernel is of the profile's series")
def run_kernel(run: Run, machine: Machine, profile: Profile) -> None:
    """Clause P-2.2 (guide: uname -r)."""
    kernel, wanted = machine.kernel, profile.host.kernel
    holds = compare(run.record, "running kernel", str(kernel), "is a kernel of", wanted)
    assert holds, f"the running kernel is {kernel}, not {wanted}"


@then("the running kernel is that of an installed package")
def run_installed_kernel(machine: Machine, packages: Packages) -> None:
    """Clause P-2.2: compared as RPM does."""
    # A small image has no package but kernel-core, which is the kernel itself.
    kernel, found = machine.kernel, {each.evr for each in packages.installed("kernel", "kernel-core")}
    installed = ", ".join(map(str, sorted(found))) or "none"
    assert kernel in found, f"the running kernel {kernel} is of no installed package; installed: {installed}"


@then("an enabled repository has the URL of the newer kernel's")
def have_kernel_repository(packages: Packages, lab: LabFile, profile: Profile) -> None:
    """Clause P-2.1."""
    url = lab.sources.kernel_repository or profile.host.kernel_repository
    sight = KernelRepository(packages, url).look()
    assert sight.holds, f"{url} must be an enabled repository's: {sight.found}"


@then("every URL of the BaseOS repository names the older release")
def have_older_release(run: Run, host: Host, packages: Packages, profile: Profile) -> None:
    """Clause P-3.1."""
    wanted = profile.host
    sight = BaseRelease(host, packages, wanted.base_repository, wanted.base_release).look()
    compare(run.record, "URLs of the BaseOS repository", sight.found.split(), "all name", wanted.base_release)
    assert sight.holds, (
        f"{profile.host.base_repository} must name the release {profile.host.base_release}: {sight.found}"
    )


@then("all of grub's packages are at the profile's version")
def have_older_grub(boot: Boot) -> None:
    """Clause P-3.2."""
    faults = boot.grub_faults()
    assert faults == [], "; ".join(faults)


@then("every boot entry has SEV's kernel parameters")
def have_parameters(boot: Boot) -> None:
    """Clause P-3.3."""
    assert boot.entries(), "there is no boot entry"
    lacking = boot.lacking_told()
    assert lacking == [], "; ".join(lacking)


@then("the running kernel has SEV's kernel parameters")
def run_with_parameters(run: Run, machine: Machine, profile: Profile) -> None:
    """Clause P-3.3."""
    wanted = list(profile.host.kernel_arguments)
    compare(run.record, "kernel parameters", machine.command_line.split(), "has all of", wanted)
    missing = machine.missing_arguments(profile.host.kernel_arguments)
    assert missing == [], f"the running kernel lacks {' '.join(missing)}"


@given("an AMD processor that offers SEV")
def require_sev(machine: Machine) -> None:
    """Precondition: clause P-1.1 owns the fact."""
    machine.require_sev()


@then("SEV is enabled")
def enable_sev(memory_encryption: MemoryEncryption) -> None:
    """Clause P-3.4."""
    faults = memory_encryption.sev_faults()
    assert faults == [], "; ".join(faults)


@then("the SEV firmware tells the version of its API")
def tell_firmware(memory_encryption: MemoryEncryption) -> None:
    """Clause P-3.4."""
    assert memory_encryption.firmware() is not None, "nobody tells the version of the SEV firmware's API"


@then("there are ASIDs for encrypted guests")
def count_asids(run: Run, memory_encryption: MemoryEncryption) -> None:
    """Clause P-3.4."""
    asids = memory_encryption.asids()
    compare(run.record, "ASIDs", asids, "is at least", 1)
    assert asids is not None, "nobody tells the number of ASIDs"
    assert asids > 0, "there are 0 ASIDs: the machine's firmware gives SEV none"


@then("SME is active")
def activate_sme(memory_encryption: MemoryEncryption) -> None:
    """Clause P-3.5."""
    faults = memory_encryption.sme_faults()
    assert faults == [], "; ".join(faults)


@then("firewalld is inactive")
def stop_firewall(run: Run, services: Services) -> None:
    """Clause C-1.1."""
    state = services.state("firewalld")
    holds = compare(run.record, "firewalld", state, "is none of", sorted(RUNNING))
    assert holds, f"firewalld is {state}"


@then("SELinux is not enforcing")
def permit_all(run: Run, services: Services) -> None:
    """Clause C-1.2."""
    mode = services.selinux()
    holds = compare(run.record, "SELinux", mode, "is one of", ["Disabled", "Permissive"])
    assert holds, f"SELinux is {mode}"


@then("operator-sdk tells the profile's version")
def have_operator_sdk(host: Host, lab: LabFile, profile: Profile) -> None:
    """Clause C-2.1: it is executed, and has the checksum that the lab file may name."""
    change = OperatorSdk(
        host, profile.cluster.operator_sdk, lab.files.operator_sdk, seconds=lab.timeouts.download
    )
    sight = change.look()
    assert sight.holds, f"{change.looks_at} must be {change.wanted}: {sight.found}"


@then("docker is running, and its server answers")
def run_docker(run: Run, host: Host, services: Services) -> None:
    """Clause C-3.1."""
    state = services.state("docker")
    assert compare(run.record, "docker", state, "is", "active"), f"docker is {state}"
    fault = server_fault(host, run.record)
    assert fault is None, fault


@then("containerd has a configuration file that serves Kubernetes")
def configure_containerd(run: Run, host: Host) -> None:
    """Clause C-4.1: the file that docker's package brings turns the CRI plugin off."""
    fault = kubernetes_fault(host, run.record)
    assert fault is None, fault


@then("containerd's sandbox image is the guide's mirror of it")
def name_sandbox_image(run: Run, host: Host, lab: LabFile, profile: Profile) -> None:
    """Clause C-4.2."""
    configuration = ContainerdConfiguration.require(host)
    run.record.evidence("containerd's configuration", configuration.summary())
    found, wanted = configuration.sandbox_image, lab.images.pause or profile.cluster.pause_image
    assert compare(run.record, "sandbox image", found, "is", wanted), (
        f"{PATH} names {found or 'no sandbox image, which leaves it to containerd'}, and not {wanted}"
    )
    running = RunningContainerd.look(host)
    stale = running.other_sandbox_image(wanted) if running else None
    assert stale is None, f"{PATH} names {wanted}, and {stale}"


@then("containerd is running")
def run_containerd(run: Run, services: Services) -> None:
    """Clause C-4.3."""
    state = services.state("containerd")
    assert compare(run.record, "containerd", state, "is", "active"), f"containerd is {state}"


@then("sevctl tells its version")
def have_sevctl(host: Host) -> None:
    """Clause W-2.1."""
    asked = host.run("sevctl --version", check=False, reads=True)
    assert asked.exit_code == 0, f"sevctl does not run: {asked.stderr.strip()}"
    said = asked.stdout.strip() or "nothing"
    assert said.startswith("sevctl "), f"`sevctl --version` tells no version of sevctl's, but: {said}"
