"""Kernel, boot loader and reboots (guide: 前提条件 2 and 3, 使能SEV和SME)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.changes.described import Described
from lab.errors import LabError
from lab.parsers.machine import parse_kernel_arguments
from lab.parsers.rpm import parse_kernel_release
from lab.provisioning import Sight

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.boot import Boot
    from lab.host import Host
    from lab.machine import Machine
    from lab.packages import Packages
    from lab.profile import HostSystem

_IMAGE = "/boot/vmlinuz-"


class InstalledKernel(Described):
    """A kernel of the guide's series is installed, and the next boot takes it (guide: yum update kernel)."""

    looks_at = "the installed kernels and the default boot entry"
    undone_by = "grubby --set-default=OLD-KERNEL, then yum remove of the new kernel's packages"
    permission = "kernel"
    clause = "P-2.2"

    def __init__(self, *, host: Host, packages: Packages, boot: Boot, wanted: HostSystem) -> None:
        self.name = f"update the kernel to {wanted.kernel}"
        self._host = host
        self._packages = packages
        self._boot = boot
        self._series = wanted.kernel

    def look(self) -> Sight:
        """What is installed, and what the next boot takes."""
        installed = ", ".join(str(package.evr) for package in self._packages.installed("kernel")) or "none"
        default = self._boot.default_kernel()
        holds = bool(self._candidates()) and self._is_of_series(default)
        return Sight(holds, f"kernels {installed}; default {default}")

    def apply(self) -> None:
        """Update, and see to it that the next boot takes the new kernel."""
        if not self._candidates():
            # dnf updates only what is installed; some images have nothing but the package kernel-core.
            bring = self._packages.update if self._packages.installed("kernel") else self._packages.install
            bring("kernel")
        candidates = self._candidates()
        if not candidates:
            raise LabError(
                f"the host's repositories have no kernel {self._series}, or its dnf passes over it "
                "(excludepkgs, versionlock)"
            )
        if not self._is_of_series(self._boot.default_kernel()):
            self._host.run("grubby --set-default=%s", candidates[-1])

    def _candidates(self) -> list[str]:
        """Paths of the installed kernels of the series, the newest last."""
        of_series = [each for each in self._packages.installed("kernel") if each.evr.is_of(self._series)]
        of_series.sort(key=lambda package: package.evr)
        return [f"{_IMAGE}{each.evr.version}-{each.evr.release}.{each.architecture}" for each in of_series]

    def _is_of_series(self, path: str) -> bool:
        return path.startswith(_IMAGE) and parse_kernel_release(path.removeprefix(_IMAGE)).is_of(self._series)


class OlderGrub(Described):
    """Grub and its companions are at the version without the bug (guide: yum downgrade grub2-efi)."""

    looks_at = "grub's packages"
    undone_by = "yum update 'grub2*' (with the host's own BaseOS repository)"
    permission = "bootloader"
    clause = "P-3.2"

    def __init__(self, packages: Packages, boot: Boot) -> None:
        self.name = f"downgrade grub to {boot.grub_wanted}"
        self._packages = packages
        self._boot = boot

    def look(self) -> Sight:
        """The versions of all of grub's packages."""
        found = self._boot.grub_packages()
        listed = ", ".join(sorted(package.spec for package in found)) or "none installed"
        return Sight(bool(found) and not self._boot.other_grub_packages(), listed)

    def apply(self) -> None:
        """All packages of grub in one transaction: they need each other in the same version."""
        wanted = self._boot.grub_wanted
        version = f"{wanted.epoch}:{wanted.version}-{wanted.release}"
        others = self._boot.other_grub_packages()
        self._packages.downgrade(*(f"{each.name}-{version}.{each.architecture}" for each in others))


class BootArguments(Described):
    """Every boot entry has the parameters that enable SEV and SME (guide: grubby … --args=…)."""

    name = "give every boot entry SEV's kernel parameters"
    looks_at = "grubby --info=ALL"
    permission = "bootloader"
    clause = "P-3.3"

    def __init__(self, host: Host, boot: Boot, wanted: HostSystem) -> None:
        self._host = host
        self._boot = boot
        self._arguments = wanted.kernel_arguments
        self.undone_by = f'grubby --update-kernel=ALL --remove-args="{" ".join(self._names)}"'

    def look(self) -> Sight:
        """The parameters that each entry lacks."""
        entries, lacking = self._boot.entries(), self._boot.lacking_told()
        found = "; ".join(lacking) or f"all of {len(entries)} boot entries have them"
        return Sight(bool(entries) and not lacking, found)

    def apply(self) -> None:
        """As the guide does; a parameter that is there with another value goes first."""
        self._boot.require_good_grub("setting SEV's kernel parameters")
        contrary = any(
            parse_kernel_arguments(entry.arguments).keys() & set(self._names)
            for entry in self._boot.lacking()
        )
        if contrary:
            self._host.run("grubby --update-kernel=ALL --remove-args=%s", " ".join(self._names))
        self._host.run("grubby --update-kernel=ALL --args=%s", " ".join(self._arguments))

    @property
    def _names(self) -> list[str]:
        return [argument.partition("=")[0] for argument in self._arguments]


class Booted(Described):
    """The host runs what its default boot entry names (guide: reboot)."""

    looks_at = "uname -r and /proc/cmdline"
    undone_by = "another reboot, after the boot entries are as before"
    permission = "reboot"

    def __init__(
        self,
        *,
        boot: Boot,
        machine: Machine,
        wanted: HostSystem,
        with_arguments: bool,
        afterwards: Callable[[], None],
    ) -> None:
        """`afterwards` is told that the host was rebooted: what was known of it may not hold any more."""
        self.name = "reboot into SEV's kernel parameters" if with_arguments else "reboot into the new kernel"
        self.clause = "P-3.3" if with_arguments else "P-2.2"
        self._boot = boot
        self._machine = machine
        self._wanted = wanted
        self._with_arguments = with_arguments
        self._afterwards = afterwards

    def look(self) -> Sight:
        """The running kernel, and the parameters that it lacks."""
        kernel = self._machine.kernel
        lacking = (
            self._machine.missing_arguments(self._wanted.kernel_arguments) if self._with_arguments else []
        )
        lack = f", without {' '.join(lacking)}" if lacking else ""
        return Sight(kernel.is_of(self._wanted.kernel) and not lacking, f"kernel {kernel}{lack}")

    def apply(self) -> None:
        """Reboot, and wait for another boot."""
        self._boot.reboot()
        self._afterwards()
