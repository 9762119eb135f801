"""Services, SELinux, and programs on the host (guide: 步骤一 配置权限, 安装operator-sdk; 导出SEV证书链)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.changes.described import Described
from lab.provisioning import Sight

if TYPE_CHECKING:
    from lab.host import Host
    from lab.packages import Packages
    from lab.services import Services


class FirewallStopped(Described):
    """firewalld does not run (guide: service firewalld stop). It starts again with the next boot."""

    name = "stop firewalld"
    looks_at = "systemctl is-active firewalld"
    undone_by = "systemctl start firewalld"
    permission = "firewall"
    clause = "C-1.1"

    def __init__(self, host: Host, services: Services) -> None:
        self._host = host
        self._services = services

    def look(self) -> Sight:
        """The unit's state."""
        state = self._services.state("firewalld")
        return Sight(not self._services.runs("firewalld"), state)

    def apply(self) -> None:
        """Stop the unit; whether it is enabled is left as it is."""
        self._host.run("systemctl stop firewalld")


class SelinuxPermissive(Described):
    """SELinux does not enforce (guide: setenforce 0). It does again after the next boot."""

    name = "set SELinux to permissive"
    looks_at = "getenforce"
    undone_by = "setenforce 1"
    permission = "selinux"
    clause = "C-1.2"

    def __init__(self, host: Host, services: Services) -> None:
        self._host = host
        self._services = services

    def look(self) -> Sight:
        """The mode."""
        mode = self._services.selinux()
        return Sight(mode in {"Permissive", "Disabled"}, mode)

    def apply(self) -> None:
        """For the running system."""
        self._host.run("setenforce 0")


class ServiceStarted(Described):
    """A unit runs (guide: systemctl start docker.service, … containerd)."""

    def __init__(self, host: Host, services: Services, unit: str, *, permission: str, clause: str) -> None:
        self.name = f"start {unit}"
        self.looks_at = f"systemctl is-active {unit}"
        self.undone_by = f"systemctl stop {unit}"
        self.permission = permission
        self.clause = clause
        self._host = host
        self._services = services
        self._unit = unit

    def look(self) -> Sight:
        """The unit's state."""
        state = self._services.state(self._unit)
        return Sight(state == "active", state)

    def apply(self) -> None:
        """Start it; systemctl waits until it is up."""
        self._host.run("systemctl start %s", self._unit)


class InstalledProgram(Described):
    """A program runs; where it does not, its package is installed (guide: dnf install sevctl, …)."""

    def __init__(
        self, host: Host, packages: Packages, package: str, probe: str, *, permission: str, clause: str
    ) -> None:
        """`probe` is a command that ends with 0 where the program is installed."""
        self.name = f"install {package}"
        self.looks_at = probe
        self.undone_by = f"yum remove {package}"
        self.permission = permission
        self.clause = clause
        self._host = host
        self._packages = packages
        self._package = package

    def look(self) -> Sight:
        """What the probe says."""
        said = self._host.run(self.looks_at, check=False, reads=True)
        text = (said.stdout or said.stderr).strip().splitlines()
        return Sight(said.succeeded, text[0] if text else f"exit code {said.exit_code}")

    def apply(self) -> None:
        """Install the package."""
        self._packages.install(self._package)
