"""Kernel, grub, kernel parameters and reboots, on a host that keeps what its programs did to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from lab.boot import Boot
from lab.changes.kernel import BootArguments, Booted, InstalledKernel, OlderGrub
from lab.errors import ConnectionLost, LabError, NotProven
from lab.machine import Machine
from lab.packages import Packages
from lab.profile import HostSystem
from tests.lab.said import SayingHost

if TYPE_CHECKING:
    from lab.deadline import Deadline
    from lab.execution import Result
    from lab.provisioning import Change

OLD, NEW = "4.19.91-26.an8", "5.10.134-13_rc2.an8"
BAD, GOOD = "1:2.02-123.0.2.an8_6.8", "1:2.02-106.0.1.an8"
ARGUMENTS = "mem_encrypt=on kvm_amd.sev=1"
WANTED = HostSystem(
    id="anolis",
    version="8.6",
    kernel="5.10",
    kernel_arguments=ARGUMENTS.split(),
    grub=GOOD,
    kernel_repository="https://example.org/kernel-5.10/",
    base_repository="/etc/yum.repos.d/AnolisOS-BaseOS.repo",
    base_release="8.5",
)


@dataclass
class BootingHost(SayingHost):
    """A host with kernels, boot entries, and what it was booted with."""

    kernels: list[str] = field(default_factory=lambda: [OLD])
    default: str = OLD
    arguments: str = "ro quiet"
    grub: dict[str, str] = field(default_factory=lambda: {"grub2-efi-x64": BAD, "grub2-common": BAD})
    running: tuple[str, str] = (OLD, "ro quiet")
    boots: int = 0
    offers: bool = True
    update_sets_default: bool = True
    # What looks for who changes packages tell, the last one first.
    changing: list[str] = field(default_factory=list)

    def run(self, command: str, *args: object, **more: Any) -> Result:
        words = [str(arg) for arg in args]
        if command.startswith(("yum --assumeyes update", "yum --assumeyes install")) and self.offers:
            self.kernels.append(NEW)
            self.default = NEW if self.update_sets_default else self.default
        if command.startswith("yum --assumeyes downgrade"):
            for spec in words:
                name = next(each for each in self.grub if spec.startswith(f"{each}-1:"))
                self.grub[name] = spec.removeprefix(f"{name}-").removesuffix(".x86_64")
        if "--set-default" in command:
            self.default = words[0].removeprefix("/boot/vmlinuz-").removesuffix(".x86_64")
        if "--remove-args" in command:
            names = words[0].split()
            self.arguments = " ".join(w for w in self.arguments.split() if w.partition("=")[0] not in names)
        if "--args" in command:
            self.arguments += f" {words[0]}"
        self.says = (
            self.says | self.facts() | {"yum": "", "grubby --update-kernel": "", "grubby --set-default": ""}
        )
        if command == "reboot":
            self.boots += 1
            self.running = self.default, self.arguments
            self.commands.append(command)
            raise ConnectionLost("the connection broke while the command ran")
        return super().run(command, *args, **more)

    def facts(self) -> dict[str, Any]:
        kernels = "".join(f"kernel\t0:{k}\tx86_64\n" for k in self.kernels)
        grub = "".join(f"{n}\t{evr}\tx86_64\n" for n, evr in self.grub.items())
        entries = "".join(
            f'index={i}\nkernel="/boot/vmlinuz-{k}.x86_64"\nargs="{self.arguments}"\n'
            for i, k in enumerate(self.kernels)
        )
        return {
            "rpm --query --queryformat": kernels,
            "rpm --query --all": grub,
            "grubby --info": entries,
            "grubby --default-kernel": f"/boot/vmlinuz-{self.default}.x86_64\n",
            "[ ! -e /var/lib/rpm/.rpm.lock ]": self.changing.pop() if self.changing else "",
            "uname -r": f"{self.running[0]}.x86_64\n",
            "cat /proc/cmdline": f"BOOT_IMAGE=x {self.running[1]}\n",
        }

    def boot_id(self) -> str:
        return str(self.boots)

    def wait_for_reboot(self, previous: str, deadline: Deadline) -> str:
        assert self.boot_id() != previous
        return self.boot_id()

    def ran(self, beginning: str) -> list[str]:
        return [command for command in self.commands if command.startswith(beginning)]


def boot_of(host: BootingHost) -> Boot:
    packages = Packages(host.as_host, seconds=9)
    return Boot(host=host.as_host, packages=packages, wanted=WANTED, seconds=9)


def kernel_of(host: BootingHost) -> InstalledKernel:
    packages = Packages(host.as_host, seconds=9)
    return InstalledKernel(host=host.as_host, packages=packages, boot=boot_of(host), wanted=WANTED)


def grub_of(host: BootingHost) -> OlderGrub:
    return OlderGrub(Packages(host.as_host, seconds=9), boot_of(host))


def booted(host: BootingHost, *, with_arguments: bool, told: list[str]) -> Booted:
    return Booted(
        boot=boot_of(host),
        machine=Machine(host.as_host),
        wanted=WANTED,
        with_arguments=with_arguments,
        afterwards=lambda: told.append("rebooted"),
    )


def test_the_kernel_is_updated_and_becomes_the_default() -> None:
    host = BootingHost()
    change = kernel_of(host)
    assert change.look().found == f"kernels {OLD}; default /boot/vmlinuz-{OLD}.x86_64"
    change.apply()
    assert change.look().holds
    assert host.ran("yum") == ["yum --assumeyes update kernel"]
    assert not host.ran("grubby --set-default")


def test_a_host_without_the_package_is_given_it() -> None:
    host = BootingHost(kernels=[])
    kernel_of(host).apply()
    assert host.ran("yum") == ["yum --assumeyes install kernel"]


def test_a_kernel_that_is_installed_and_not_the_default_is_made_it() -> None:
    host = BootingHost(kernels=[OLD, NEW, "5.10.84-10.an8"])
    change = kernel_of(host)
    assert not change.look().holds
    change.apply()
    assert not host.ran("yum")
    assert host.ran("grubby --set-default") == [f"grubby --set-default=/boot/vmlinuz-{NEW}.x86_64"]
    assert change.look().holds


def test_a_repository_without_the_kernel_is_told() -> None:
    with pytest.raises(LabError, match=r"no kernel 5\.10"):
        kernel_of(BootingHost(offers=False)).apply()


def test_grub_goes_back_with_all_its_companions_at_once() -> None:
    host = BootingHost(grub={"grub2-efi-x64": BAD, "grub2-common": GOOD, "grub2-tools": BAD})
    change = grub_of(host)
    assert not change.look().holds
    change.apply()
    [transaction] = host.ran("yum")
    assert transaction.split()[2:] == [
        "downgrade",
        "grub2-efi-x64-1:2.02-106.0.1.an8.x86_64",
        "grub2-tools-1:2.02-106.0.1.an8.x86_64",
    ]
    assert change.look().holds
    assert not grub_of(BootingHost(grub={})).look().holds


def test_the_parameters_are_set_as_the_guide_does() -> None:
    host = BootingHost(grub={"grub2-efi-x64": GOOD})
    change = BootArguments(host.as_host, boot_of(host), WANTED)
    assert f"/boot/vmlinuz-{OLD}.x86_64 lacks {ARGUMENTS}" in change.look().found
    change.apply()
    assert host.ran("grubby --update") == [f"grubby --update-kernel=ALL --args='{ARGUMENTS}'"]
    assert change.look().holds


def test_parameters_with_other_values_go_first() -> None:
    host = BootingHost(grub={"grub2-efi-x64": GOOD}, arguments="ro mem_encrypt=off")
    change = BootArguments(host.as_host, boot_of(host), WANTED)
    change.apply()
    assert host.arguments == f"ro {ARGUMENTS}"
    assert change.look().holds


@pytest.mark.parametrize("grub", [{"grub2-efi-x64": BAD}, {"grub2-efi-x64": GOOD, "grub2-tools": BAD}, {}])
def test_the_parameters_are_never_set_on_another_grub(grub: dict[str, str]) -> None:
    host = BootingHost(grub=grub)
    with pytest.raises(NotProven, match=r"would not come up again.*\(P-3.2\)"):
        BootArguments(host.as_host, boot_of(host), WANTED).apply()
    assert host.arguments == "ro quiet"


def test_a_reboot_waits_until_nobody_changes_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.boot.PACE", 0.001)
    host = BootingHost()
    # Each command of the host asks for its facts anew.
    host.changing = ["", "4711\n", "4711\n"]
    boot_of(host).reboot()
    asked = [number for number, command in enumerate(host.commands) if "rpm.lock" in command]
    assert len(asked) == 3
    assert host.commands.index("reboot") > asked[-1]


def test_there_is_no_reboot_while_packages_are_changed_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.boot.PACE", 0.001)
    host = BootingHost(changing=["4711\n"] * 10_000)
    boot = Boot(host=host.as_host, packages=Packages(host.as_host, seconds=9), wanted=WANTED, seconds=0.02)
    with pytest.raises(NotProven, match="process 4711 on the host has been changing packages"):
        boot.reboot()
    assert "reboot" not in host.commands


@pytest.mark.parametrize("arguments", [f"ro {ARGUMENTS}", "ro kvm-amd.sev=1", "mem_encrypt=on"])
def test_there_is_no_reboot_with_the_parameters_on_another_grub(arguments: str) -> None:
    host, told = BootingHost(arguments=arguments, default=NEW, kernels=[OLD, NEW]), list[str]()
    with pytest.raises(NotProven, match=r"a reboot is refused.*\(P-3.2\)"):
        booted(host, with_arguments=False, told=told).apply()
    assert (host.boots, told) == (0, [])


def test_arguments_in_grubs_own_variable_count() -> None:
    host = BootingHost(arguments="$kernelopts")
    host.says["grub2-editenv"] = f"saved_entry=x\nkernelopts=root=/dev/sda ro {ARGUMENTS}\n"
    with pytest.raises(NotProven, match="a reboot is refused"):
        boot_of(host).reboot()


def test_the_whole_way_in_the_guides_order() -> None:
    host, told = BootingHost(), list[str]()
    changes: list[Change] = [
        kernel_of(host),
        booted(host, with_arguments=False, told=told),
        grub_of(host),
        BootArguments(host.as_host, boot_of(host), WANTED),
        booted(host, with_arguments=True, told=told),
    ]
    for change in changes:
        assert not change.look().holds, change.name
        change.apply()
        assert change.look().holds, change.name
    assert (host.boots, told) == (2, ["rebooted", "rebooted"])
    assert all(change.look().holds for change in changes)


def test_grub_without_its_efi_image_is_no_boot_loader() -> None:
    assert boot_of(BootingHost(grub={"grub2-efi-x64": GOOD, "grub2-tools": GOOD})).grub_faults() == []
    assert boot_of(BootingHost(grub={"grub2-tools": GOOD})).grub_faults() == [
        "no package grub2-efi* is installed"
    ]
    [fault] = boot_of(BootingHost(grub={"grub2-efi-x64": GOOD, "grub2-tools": BAD})).grub_faults()
    assert fault.startswith("grub2-tools-1:2.02-123")
    assert fault.endswith(f"is not at {GOOD}")


def test_what_a_boot_entry_has_in_place_of_a_parameter_is_told() -> None:
    [told] = boot_of(BootingHost(arguments="ro mem_encrypt=on kvm-amd.sev=1 kvm_amd.sev=0")).lacking_told()
    assert told.endswith("lacks kvm_amd.sev=1; it has mem_encrypt=on kvm-amd.sev=1 kvm_amd.sev=0")
