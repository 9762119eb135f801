"""The host's boot loader and its entries, and the way through a reboot that comes back.

The grub of Anolis 8.6 has a bug: with SEV's kernel parameters the machine does not come up again (guide:
前提条件 3). So nothing here sets those parameters, or reboots with them, before grub is the profile's.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from lab.deadline import Deadline
from lab.errors import ConnectionLost, NotProven
from lab.parsers.grubby import BootEntry, parse_entries
from lab.parsers.machine import missing_arguments, parse_kernel_arguments
from lab.rpm_version import Evr

if TYPE_CHECKING:
    from lab.host import Host
    from lab.packages import Packages
    from lab.parsers.rpm import Package
    from lab.profile import HostSystem


# Seconds between two looks whether packages are being changed.
PACE = 2.0

# What entries of Anolis 8 may name instead of arguments: a variable in /boot/grub2/grubenv.
KERNEL_OPTIONS = "$kernelopts"

# The boot loader itself, of a machine that starts by EFI; the guide names it.
EFI_GRUB = "grub2-efi"


class Boot:
    """Grub, boot entries and reboots of one host. Every question looks again."""

    def __init__(self, *, host: Host, packages: Packages, wanted: HostSystem, seconds: float) -> None:
        """`seconds` is how long a reboot may take."""
        self._host = host
        self._packages = packages
        self._wanted = wanted
        self._seconds = seconds

    @property
    def grub_wanted(self) -> Evr:
        """The version that the guide goes back to."""
        return Evr.parse(self._wanted.grub)

    def grub_packages(self) -> list[Package]:
        """Grub's installed packages, which need each other in the same version."""
        return self._packages.matching("grub2-*")

    def other_grub_packages(self) -> list[Package]:
        """Grub's packages that are at another version than the guide's."""
        return [each for each in self.grub_packages() if each.evr != self.grub_wanted]

    def grub_faults(self) -> list[str]:
        """Why grub is not the guide's: EFI's grub is missing, or packages are at another version."""
        faults = [f"{each.spec} is not at {self.grub_wanted}" for each in self.other_grub_packages()]
        if not any(each.name.startswith(EFI_GRUB) for each in self.grub_packages()):
            faults.append(f"no package {EFI_GRUB}* is installed")
        return faults

    def entries(self) -> list[BootEntry]:
        """The boot entries; where grubby leaves grub's own variable in them, with what that stands for."""
        listed = self._host.run("grubby --info=ALL", reads=True).stdout
        if KERNEL_OPTIONS in listed:
            variables = self._host.run("grub2-editenv - list", reads=True).lines
            values = [
                line.partition("=")[2] for line in variables if line.startswith(f"{KERNEL_OPTIONS[1:]}=")
            ]
            listed = listed.replace(KERNEL_OPTIONS, " ".join(values))
        return parse_entries(listed)

    def default_kernel(self) -> str:
        """The path of the kernel that the next boot takes."""
        return self._host.run("grubby --default-kernel", reads=True).stdout.strip()

    def lacking(self) -> list[BootEntry]:
        """The boot entries that lack one of the parameters which enable SEV and SME."""
        wanted = self._wanted.kernel_arguments
        return [entry for entry in self.entries() if missing_arguments(entry.arguments, wanted)]

    def lacking_told(self) -> list[str]:
        """What each of them lacks, and has in its place."""
        wanted = self._wanted.kernel_arguments
        names = {word.partition("=")[0] for word in wanted}
        told = []
        for entry in self.lacking():
            found = [
                word for word in entry.arguments.split() if word.partition("=")[0].replace("-", "_") in names
            ]
            has = f"; it has {' '.join(found)}" if found else ""
            told.append(f"{entry.kernel} lacks {' '.join(missing_arguments(entry.arguments, wanted))}{has}")
        return told

    def has_arguments(self) -> bool:
        """Whether a boot entry has one of those parameters, with whatever value."""
        names = {name for each in self._wanted.kernel_arguments for name in parse_kernel_arguments(each)}
        return any(names & parse_kernel_arguments(entry.arguments).keys() for entry in self.entries())

    def require_good_grub(self, for_what: str) -> None:
        """Raise NotProven where grub is not the one that starts a kernel with SEV's parameters."""
        found = self.grub_packages()
        others = [package.spec for package in found if package.evr != self.grub_wanted]
        if others or not found:
            raise NotProven(
                f"{for_what} is refused: with SEV's kernel parameters the host would not come up again on "
                f"{', '.join(others) or 'a grub that rpm does not know'}; it needs {self.grub_wanted}",
                owner="P-3.2",
            )

    def reboot(self) -> None:
        """Reboot, and wait until another boot answers. Never with SEV's parameters on another grub.

        Raises NotProven before anything happens, DeadlineExceeded where the host does not come back.
        """
        self._wait_for_packages()
        if self.has_arguments():
            self.require_good_grub("a reboot")
        previous = self._host.boot_id()
        try:
            self._host.run("reboot")
        except ConnectionLost as lost:
            if not lost.sent:
                raise
        self._host.wait_for_reboot(previous, Deadline(self._seconds))

    def _wait_for_packages(self) -> None:
        """Wait until nobody changes packages: a reboot in the middle of it may leave half a boot loader.

        Updates that the host makes by itself, such as dnf-automatic's, come at any time.
        """
        pause, deadline = threading.Event(), Deadline(self._seconds)
        while pid := self._packages.under_way():
            if deadline.expired:
                raise NotProven(
                    f"a reboot is refused: process {pid} on the host has been changing packages for "
                    f"{deadline.seconds:.0f} s; wait for its end"
                )
            pause.wait(deadline.cap(PACE))
