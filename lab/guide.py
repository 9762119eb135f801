"""The guide as stages of convergence: every clause that can be provisioned, with what it is made by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.boot import Boot
from lab.changes.certificate_chain import ExportedChain
from lab.changes.containerd import ContainerdConfigured, SandboxImage
from lab.changes.docker import DockerInstalled, RegistryStarted
from lab.changes.image_key import ImageKeyAdded
from lab.changes.kbs import KbsCheckout, KbsSource, KbsStarted
from lab.changes.kernel import BootArguments, Booted, InstalledKernel, OlderGrub
from lab.changes.nodes import WorkerLabel
from lab.changes.operator import OperatorDeployed, ProxyImage, RuntimeInstalled
from lab.changes.operator_sdk import OperatorSdk
from lab.changes.repositories import BaseRelease, KernelRepository
from lab.changes.system import FirewallStopped, InstalledProgram, SelinuxPermissive, ServiceStarted
from lab.convergence import Stage
from lab.kubectl import Kubectl
from lab.machine import Machine
from lab.node_service import NodeService
from lab.operator import Operator
from lab.packages import Packages
from lab.registry import Registry
from lab.services import Services
from lab.worker_nodes import WorkerNodes

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.artefacts import Artefacts
    from lab.broker import Broker
    from lab.cluster import Cluster
    from lab.host import Host
    from lab.labfile import LabFile
    from lab.profile import Profile
    from lab.record import Record


class Guide:
    """The guide's stages on one lab."""

    def __init__(
        self,
        *,
        lab: LabFile,
        profile: Profile,
        host: Host,
        cluster: Cluster,
        broker: Broker,
        artefacts: Artefacts,
        record: Record,
        unsettle: Callable[[], None],
        rebooted: Callable[[], None],
    ) -> None:
        """`unsettle` is told that what was settled has to be looked at again, `rebooted` of a reboot."""
        self._lab = lab
        self._profile = profile
        self._host = host
        self._cluster = cluster
        self._broker = broker
        self._artefacts = artefacts
        self._record = record
        self._unsettle = unsettle
        self._rebooted = rebooted
        self._packages = Packages(host, seconds=lab.timeouts.download)
        self._services = Services(host)
        self._nodes = WorkerNodes(lab, cluster, profile.cluster.worker_label)

    def stages(self) -> dict[str, Stage]:
        """Every clause that can be provisioned, in the guide's order.

        What a clause builds on is named whole: one that holds is not asked for what it builds on itself.
        """
        return {
            **self._system(),
            **self._test_cluster(),
            **self._operator(),
            **self._simple_kbs(),
            **self._workload(),
        }

    def _system(self) -> dict[str, Stage]:
        """The prerequisites. A reboot follows each change of what is booted, as in the guide."""
        wanted, host, packages = self._profile.host, self._host, self._packages
        boot = Boot(host=host, packages=packages, wanted=wanted, seconds=self._lab.timeouts.reboot)
        machine = Machine(host)
        repository = KernelRepository(
            packages, self._lab.sources.kernel_repository or wanted.kernel_repository
        )
        kernel = InstalledKernel(host=host, packages=packages, boot=boot, wanted=wanted)

        def booted(*, with_arguments: bool) -> Booted:
            return Booted(
                boot=boot,
                machine=machine,
                wanted=wanted,
                with_arguments=with_arguments,
                afterwards=self._after_reboot,
            )

        def good_grub() -> tuple[str, ...]:
            """Whoever set SEV's parameters before needs the older grub before the first reboot."""
            return ("P-3.2",) if boot.has_arguments() else ()

        return {
            "P-2.1": Stage((repository,)),
            "P-2.2": Stage((kernel, booted(with_arguments=False)), after=("P-2.1",), also=good_grub),
            "P-3.1": Stage((BaseRelease(host, packages, wanted.base_repository, wanted.base_release),)),
            "P-3.2": Stage((OlderGrub(packages, boot),), after=("P-3.1",)),
            "P-3.3": Stage(
                (BootArguments(host, boot, wanted), booted(with_arguments=True)), after=("P-2.2", "P-3.2")
            ),
        }

    def _test_cluster(self) -> dict[str, Stage]:
        """Step one. Kubernetes itself is asserted, and not installed."""
        host, wanted, lab = self._host, self._profile.cluster, self._lab
        node = NodeService(
            host=host, cluster=self._cluster, nodes=self._nodes, seconds=lab.timeouts.node_ready
        )

        def restart() -> None:
            node.restart()
            self._unsettle()

        download = lab.timeouts.download
        docker = DockerInstalled(
            host, self._packages, lab.sources.docker_repository or wanted.docker_repository
        )
        registry = RegistryStarted(
            host,
            Registry(host, self._record),
            lab.images.registry or wanted.registry_image,
            seconds=download,
        )
        pause = SandboxImage(host, lab.images.pause or wanted.pause_image, restart)
        operator = Operator(self._cluster, self._nodes)
        label = WorkerLabel(self._cluster, self._nodes, operator, seconds=lab.timeouts.runtime_installed)
        return {
            "C-1.1": Stage((FirewallStopped(host, self._services),)),
            "C-1.2": Stage((SelinuxPermissive(host, self._services),)),
            "C-2.1": Stage(
                (OperatorSdk(host, wanted.operator_sdk, lab.files.operator_sdk, seconds=download),)
            ),
            "C-3.1": Stage((docker, self._started("docker", "docker", "C-3.1")), after=("C-1.1",)),
            "C-3.2": Stage((registry,), after=("C-3.1",)),
            "C-4.1": Stage((ContainerdConfigured(host, restart),), after=("C-3.1",)),
            "C-4.2": Stage((pause,), after=("C-4.1",)),
            "C-4.3": Stage((self._started("containerd", "containerd", "C-4.3"),), after=("C-4.2",)),
            "C-5.2": Stage((label,), after=("C-4.3",)),
        }

    def _operator(self) -> dict[str, Stage]:
        """Step two."""
        wanted, lab = self._profile.operator, self._lab
        operator, kubectl = Operator(self._cluster, self._nodes), Kubectl(lab, self._host)
        release = OperatorDeployed(
            operator,
            kubectl,
            lab.sources.operator or wanted.release,
            wanted.manager_image,
            seconds=lab.timeouts.runtime_installed,
        )
        proxy = ProxyImage(operator, lab.images.rbac_proxy or wanted.rbac_proxy_image)
        runtime = RuntimeInstalled(
            operator,
            self._cluster,
            kubectl,
            lab.sources.ccruntime or wanted.ccruntime,
            seconds=lab.timeouts.runtime_installed,
        )
        return {
            "O-2.1": Stage((self._git("O-2.1"), release), after=("C-1.2", "C-5.2")),
            "O-2.2": Stage((proxy,), after=("O-2.1",)),
            "O-3.1": Stage((runtime,), after=("C-1.2", "C-5.2", "O-2.2")),
        }

    def _simple_kbs(self) -> dict[str, Stage]:
        """Step three."""
        host, wanted, lab = self._host, self._profile.kbs, self._lab
        source = KbsSource(host, wanted)
        plugin = self._program("docker-compose-plugin", "docker compose version", "docker", "K-1.1")
        checkout = KbsCheckout(
            host,
            source,
            lab.sources.simple_kbs or wanted.repository,
            wanted.tag,
            seconds=lab.timeouts.download,
        )
        started = KbsStarted(
            host=host,
            source=source,
            wanted=wanted,
            require_answer=self._broker.require_answer,
            record=self._record,
            seconds=lab.timeouts.kbs_built,
        )
        # Where simple-kbs' own data have the key, K-1.3 brings it, and this looks only.
        published = wanted.published_key
        key = (ImageKeyAdded(self._broker, wanted, published),) if published else ()
        return {
            "K-1.1": Stage((plugin,), after=("C-3.1",)),
            "K-1.2": Stage((self._git("K-1.2"), checkout)),
            "K-1.3": Stage((started,), after=("C-3.1", "K-1.1", "K-1.2")),
            "K-1.4": Stage(key, after=("K-1.3",)),
        }

    def _workload(self) -> dict[str, Stage]:
        """What lasts of step four: sevctl, the certificate chain, and the initrds beside the node's own."""
        sevctl = self._program("sevctl", "sevctl --version", "packages", "W-2.1")
        chain = ExportedChain(
            self._host, self._profile.certificate_chain, seconds=self._lab.timeouts.download
        )
        return {
            "W-2.1": Stage((sevctl,)),
            "W-2.2": Stage((chain,), after=("P-3.3", "W-2.1")),
            "W-3.1": Stage((self._artefacts.fetched("online"),)),
            "W-4.1": Stage((self._artefacts.fetched("offline"),)),
        }

    def _started(self, unit: str, permission: str, clause: str) -> ServiceStarted:
        return ServiceStarted(self._host, self._services, unit, permission=permission, clause=clause)

    def _program(self, package: str, probe: str, permission: str, clause: str) -> InstalledProgram:
        return InstalledProgram(
            self._host, self._packages, package, probe, permission=permission, clause=clause
        )

    def _git(self, clause: str) -> InstalledProgram:
        """Who clones a repository, or has kubectl fetch one, needs git; the guide takes it for granted."""
        return self._program("git", "git --version", "packages", clause)

    def _after_reboot(self) -> None:
        self._cluster.close()
        self._rebooted()
        self._unsettle()
