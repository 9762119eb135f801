"""containerd's configuration (guide: 步骤一 配置containerd)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.changes.described import Described, keep_backup, putting_back
from lab.containerd import PATH, ContainerdConfiguration
from lab.errors import NotProven
from lab.provisioning import Sight
from lab.running_containerd import RunningContainerd

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.host import Host


RESTART = "systemctl restart containerd"


class ContainerdConfigured(Described):
    """containerd has a configuration that serves Kubernetes (guide: containerd config default > …)."""

    name = "give containerd its default configuration"
    looks_at = PATH
    undone_by = f"{putting_back(PATH)}; {RESTART}"
    permission = "containerd"
    clause = "C-4.1"

    def __init__(self, host: Host, restart: Callable[[], None]) -> None:
        self._host = host
        self._restart = restart

    def look(self) -> Sight:
        """A file that is there is kept, unless it turns Kubernetes' plugin off, as docker's package does."""
        configuration = ContainerdConfiguration.read(self._host)
        if configuration is None:
            return Sight(holds=False, found="no configuration")
        serves = configuration.serves_kubernetes
        return Sight(serves, "a configuration" if serves else "a configuration that disables the CRI plugin")

    def apply(self) -> None:
        """Put its own default there, in one piece; what somebody set up keeps all but the switch."""
        present = ContainerdConfiguration.read(self._host)
        if present is not None and present.has_plugins:
            wanted = present.serving_kubernetes().text.encode()
        else:
            wanted = self._host.run("containerd config default").stdout_bytes
            ContainerdConfiguration.parse(wanted)
        if not self._host.exists(PATH):
            self.undone_by = f"rm {PATH}; {RESTART}"
        keep_backup(self._host, PATH)
        self._host.write_file(PATH, wanted)
        self._restart()


class SandboxImage(Described):
    """containerd's pause image is the reachable mirror (guide: sed … registry.k8s.io/pause:3.6 …)."""

    looks_at = f"sandbox_image in {PATH}"
    undone_by = f"{putting_back(PATH)}; {RESTART}"
    permission = "containerd"
    clause = "C-4.2"

    def __init__(self, host: Host, reference: str, restart: Callable[[], None]) -> None:
        self.name = f"set containerd's sandbox image to {reference}"
        self._host = host
        self._reference = reference
        self._restart = restart

    def look(self) -> Sight:
        """The image that the file names, and that a containerd which runs took from it."""
        configuration = ContainerdConfiguration.read(self._host)
        found = configuration.sandbox_image if configuration else None
        if found != self._reference:
            return Sight(holds=False, found=found or "none is named")
        running = RunningContainerd.look(self._host)
        stale = running.other_sandbox_image(found) if running else None
        return Sight(stale is None, f"{found}, but {stale}" if stale else found)

    def apply(self) -> None:
        """Edit the file as TOML; all else in it stays. containerd reads it when it starts."""
        configuration = ContainerdConfiguration.read(self._host)
        if configuration is None:
            raise NotProven("containerd has no configuration to be edited", owner="C-4.1")
        keep_backup(self._host, PATH)
        self._host.write_file(PATH, configuration.with_sandbox_image(self._reference).text.encode())
        self._restart()
