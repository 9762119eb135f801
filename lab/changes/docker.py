"""docker and the local registry (guide: 步骤一 启动本地 docker registry)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.changes.described import Described
from lab.deadline import Deadline
from lab.errors import LabError
from lab.provisioning import Sight

if TYPE_CHECKING:
    from lab.host import Host
    from lab.packages import Packages
    from lab.registry import Registry

CONTAINERD = "containerd.io"
PACKAGES = (CONTAINERD, "docker-ce", "docker-ce-cli")
# Packages of other origin that CONTAINERD obsoletes: dnf would take them off the host without a word.
OTHER_CONTAINERD = "containerd"
STABLE = "docker-ce-stable"


class DockerInstalled(Described):
    """docker's packages are installed; a docker from elsewhere that answers is left as it is."""

    name = "install docker"
    looks_at = f"rpm --query {' '.join(PACKAGES)}"
    undone_by = f"yum remove {' '.join(PACKAGES)}"
    permission = "docker"
    clause = "C-3.1"

    def __init__(self, host: Host, packages: Packages, repository: str) -> None:
        """`repository` is the URL of a .repo file."""
        self._host = host
        self._packages = packages
        self._repository = repository
        self.undone_by = f"{self.undone_by}, and removing what {repository} brought to /etc/yum.repos.d"

    def look(self) -> Sight:
        """The packages, or else a server that answers. podman plays docker under its name, but has none."""
        missing = self._packages.missing(*PACKAGES)
        if not missing:
            return Sight(holds=True, found="all installed")
        served = self._host.run("docker version --format '{{.Server.Version}}'", check=False, reads=True)
        if self._host.run("docker --version", check=False, reads=True).stdout.startswith("podman"):
            return Sight(holds=False, found="podman answers in docker's place (the package podman-docker)")
        if served.succeeded:
            return Sight(holds=True, found=f"docker {served.stdout.strip()} answers, from another source")
        return Sight(holds=False, found=f"not installed: {' '.join(missing)}")

    def apply(self) -> None:
        """As the guide does; what is installed is not updated: a cluster may run on that containerd.

        An update restarts it (its package's scripts), which the permission for docker does not cover.
        """
        if others := self._packages.matching(OTHER_CONTAINERD):
            raise LabError(
                f"{CONTAINERD} would take the place of {others[0].spec}, on which a cluster may run: change "
                "that containerd by hand, or install a docker that goes with it"
            )
        if not any(each.id == STABLE and each.enabled for each in self._packages.repositories()):
            self._packages.add_repository(self._repository)
        missing = self._packages.missing(*PACKAGES)
        keeping = [name for name in PACKAGES if name not in missing]
        self._packages.install(*missing, keeping=tuple(keeping))


class RegistryStarted(Described):
    """A registry answers on the host's port 5000 (guide: docker run -itd -p 5000:5000 …/registry:latest)."""

    name = "start the local registry"
    permission = "docker"
    clause = "C-3.2"

    def __init__(self, host: Host, registry: Registry, image: str, *, seconds: float) -> None:
        self.looks_at = f"the container that publishes port {registry.port}, and its answer"
        self.undone_by = f"docker rm --force {registry.name}"
        self._host = host
        self._registry = registry
        self._image = image
        self._seconds = seconds

    def look(self) -> Sight:
        """A container that is up, and an answer over HTTP."""
        containers = ", ".join(f"{each.name} ({each.status})" for each in self._registry.containers())
        answer = self._registry.answer()
        return Sight(
            bool(self._registry.running()) and answer.is_registry, f"{containers or 'no container'}; {answer}"
        )

    def apply(self) -> None:
        """Start the one that was stopped, such as by a reboot, or make one."""
        stopped = self._registry.stopped()
        if self._registry.running():
            raise LabError(f"a container publishes port {self._registry.port}, and no registry answers there")
        if stopped:
            self._host.run("docker start %s", stopped[-1].id)
            self.undone_by = f"docker stop {stopped[-1].name}"
        else:
            self._host.run(
                "docker run -itd -p %s:5000 --name %s %s",
                self._registry.port,
                self._registry.name,
                self._image,
                deadline=Deadline(self._seconds),
            )
        self._registry.wait_for_answer(Deadline(self._seconds))
