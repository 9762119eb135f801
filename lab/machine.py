"""The host's operating system, processor and running kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.errors import NotApplicable, NotProven
from lab.parsers.machine import Cpu, missing_arguments, parse_cpuinfo, parse_os_release
from lab.parsers.rpm import parse_kernel_release

if TYPE_CHECKING:
    from lab.host import Host
    from lab.rpm_version import Evr

AMD = "AuthenticAMD"


class Machine:
    """One host. Nothing is kept: every question looks again."""

    def __init__(self, host: Host) -> None:
        self._host = host

    @property
    def operating_system(self) -> dict[str, str]:
        """The variables of /etc/os-release; none where there is no such file."""
        return parse_os_release(self._host.run("cat /etc/os-release", check=False, reads=True).stdout)

    @property
    def cpu(self) -> Cpu:
        """The processor."""
        # The flags of one processor; /proc/cpuinfo of a big host is megabytes.
        return parse_cpuinfo(self._host.run("sed '/^$/q' /proc/cpuinfo", reads=True).stdout)

    @property
    def kernel(self) -> Evr:
        """The version of the running kernel (guide: uname -r)."""
        return parse_kernel_release(self._host.run("uname -r", reads=True).stdout)

    @property
    def command_line(self) -> str:
        """What the running kernel was started with."""
        return self._read("/proc/cmdline").strip()

    def missing_arguments(self, wanted: list[str]) -> list[str]:
        """Which of the wanted kernel parameters the running kernel does not have."""
        return missing_arguments(self.command_line, wanted)

    def require_sev(self) -> None:
        """Raise where the processor cannot do SEV at all: clause P-1.1 owns that fact."""
        cpu = self.cpu
        if cpu.vendor != AMD:
            raise NotApplicable(f"the host's processor is {cpu.vendor} {cpu.model}, and SEV is AMD's")
        if "sev" not in cpu.flags:
            raise NotProven(
                f"the processor ({cpu.model}) offers no SEV, or its firmware hides it", owner="P-1.1"
            )

    def _read(self, path: str) -> str:
        return self._host.run("cat %s", path, reads=True).stdout
