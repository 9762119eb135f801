"""Confidential pods: a kata configuration of their own, and what each launch was measured to be."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Literal

from lab.attestation import gone_astray, not_attested
from lab.broker import refused_for_good as refused_by_policy
from lab.containerd import require_runtime
from lab.errors import LabError, NotProven, Unreachable
from lab.fact import Fact
from lab.journal import STATE
from lab.kata import KataConfiguration
from lab.outcome import Pod, Stage, refused_for_good
from lab.workload import nonce

if TYPE_CHECKING:
    from lab.artefacts import Artefacts
    from lab.borrowing import Borrowing
    from lab.broker import Broker
    from lab.host import Host
    from lab.labfile import LabFile
    from lab.launches import Launch, Launches
    from lab.own_image import OwnImage
    from lab.parsers.qemu import QemuArguments
    from lab.profile import KbcSettings, Profile
    from lab.record import Record
    from lab.workload import Workloads

KbcName = Literal["online", "offline"]

# A parameter that nobody reads: it makes a launch's digest its own.
NONCE_PARAMETER = "sev_conformance.nonce"


# kata-containers CC-0.3.0, src/runtime/config/configuration-qemu-sev.toml.in
PROXY = "guest_pre_attestation_proxy"


class ConfidentialPods:
    """Starts the encrypted busybox on the online or the offline KBC, and measures its launches."""

    def __init__(
        self,
        *,
        lab: LabFile,
        profile: Profile,
        host: Host,
        launches: Launches,
        broker: Broker,
        artefacts: Artefacts,
        workloads: Workloads,
        borrowing: Borrowing,
        record: Record,
        run: str,
    ) -> None:
        self._lab = lab
        self._profile = profile
        self._host = host
        self._launches_on_host = launches
        self._broker = broker
        self._artefacts = artefacts
        self._workloads = workloads
        self._borrowing = borrowing
        self._record = record
        self._run = run
        self._launches: dict[str, Launch] = {}
        self._pinned: set[str] = set()
        self._configurations: dict[str, KataConfiguration] = {}

    def kbc(self, name: KbcName) -> KbcSettings:
        """The settings that tell this KBC from the other."""
        return self._profile.kbc.online if name == "online" else self._profile.kbc.offline

    @property
    def _image(self) -> str:
        return self._lab.images.encrypted_busybox or self._profile.images.encrypted_busybox

    def node_configuration(self) -> KataConfiguration:
        """The node's own kata configuration for SEV."""
        path = self._profile.kata.sev_configuration
        if not self._host.exists(path):
            raise NotProven(f"the host has no {path}: the operator has not installed kata", owner="O-3.1")
        return KataConfiguration.parse(path, self._host.read_file(path))

    def configure(
        self,
        kbc: KbcName,
        *,
        kbs_address: str | None = None,
        keyset: str | None = None,
        sev_policy: int | None = None,
        proxy: str | None = None,
    ) -> KataConfiguration:
        """A kata configuration of its own for one pod, on the host, with the KBC's initrd and a nonce.

        `kbs_address` (HOST:PORT) is what the guest is told; the KBS's own by default. The SEV policy is the
        node's by default, and so is the `proxy` (HOST:PORT) that kata asks before the launch.
        """
        node = self.node_configuration()
        own = self._for_kbc(node, kbc, kbs_address).with_values(initrd=self._artefacts.initrd(kbc))
        if keyset is not None:
            own = own.with_values(guest_pre_attestation_keyset=keyset)
        if sev_policy is not None:
            own = own.with_values(sev_guest_policy=sev_policy)
        if proxy is not None:
            # Later releases of kata have one key for the proxy and for what guests are told.
            own = own.with_values(**{self._profile.kata.kbs_uri or PROXY: proxy})
        path = f"{STATE}/run/{self._run}/configuration-{kbc}-{nonce()}.toml"
        own = KataConfiguration(path, own.text)
        self._borrowing.new_file(path, own.text.encode())
        self._record.evidence(f"kata configuration {path}", own.text, fact=Fact.KATA_CONFIGURATION)
        return own

    def configure_node(self, kbc: KbcName) -> KataConfiguration:
        """The guide's own way: the node's TOML and initrd are set for the KBC, until the scenario ends."""
        initrd = self._profile.kata.sev_initrd
        if not self._host.exists(initrd):
            raise NotProven(f"the host has no {initrd}: the operator has not installed kata", owner="O-3.1")
        node = self._for_kbc(self.node_configuration(), kbc, None)
        self._borrowing.node_file_from(initrd, self._artefacts.initrd(kbc))
        self._borrowing.node_file(node.path, node.text.encode())
        self._record.evidence(f"kata configuration {node.path}", node.text, fact=Fact.KATA_CONFIGURATION)
        return node

    def start(
        self, configuration: KataConfiguration, *, own: OwnImage | None = None, may_heal: bool = True
    ) -> Pod:
        """Start the encrypted busybox, or an image of the suite's own, on this configuration.

        With `may_heal`, an online KBC without a key is waited for, unless the KBS itself says no or knows
        nothing of the launch. Raises NotProven where what is measured is not what the lab file pins, or its
        runtime is not as the operator installs it.
        """
        require_runtime(self._host, self._profile.kata.sev_runtime_class)
        self._require_pinned(configuration, configuration)
        offline = configuration.is_for(self._profile.kbc.offline)
        messages = self._profile.messages

        def final(pod: Pod, stage: Stage, message: str) -> bool:
            keyless = stage is Stage.IMAGE and messages.no_key in message
            if keyless or stage is Stage.LAUNCH:
                self._require_attested(pod, configuration, stage, message)
            if keyless:
                return offline or not may_heal or self._is_without_hope(pod, own.key_id if own else None)
            return refused_for_good(pod, stage, message) or messages.not_decrypted in message

        pod = self._workloads.start(
            kind="offline" if offline else "online",
            image=own.reference if own else self._image,
            runtime_class=self._profile.kata.sev_runtime_class,
            config_path=None if self._is_nodes(configuration) else configuration.path,
            final=final,
        )
        self._configurations[pod.uid] = configuration
        return pod

    def start_without_sev(self) -> Pod:
        """Start the encrypted busybox in a VM that is not confidential.

        Nothing is injected into it, and its agent names no KBC: without a key it stays (kata-containers
        CC-0.3.0, src/runtime/Makefile, AGENT_AA_KBC_PARAMS, and src/agent/src/image_rpc.rs).
        """
        require_runtime(self._host, self._profile.kata.plain_runtime_class)

        def final(pod: Pod, stage: Stage, message: str) -> bool:
            return refused_for_good(pod, stage, message) or self._profile.messages.no_key in message

        return self._workloads.start(
            kind="plain",
            image=self._image,
            runtime_class=self._profile.kata.plain_runtime_class,
            final=final,
        )

    def require_running(self, pod: Pod, owner: str) -> None:
        """Wait until a pod runs whose running is the business of the clause `owner`.

        Raises NotProven where it does not; and where it is to be an SEV guest, and the cluster says that it
        runs while no such guest is on the host.
        """
        self._workloads.require_running(pod, owner)
        if pod.uid in self._configurations:
            try:
                self.qemu_of(pod)
            except AssertionError as missing:
                raise NotProven(f"the pod is said to be Running, and {missing}", owner=owner) from None

    def qemu_of(self, pod: Pod) -> QemuArguments:
        """The arguments of a pod's live QEMU process. Raises AssertionError without one for an SEV guest."""
        return self._measured(pod).vm.qemu

    def launch_of(self, pod: Pod) -> Launch:
        """A pod's launch, whose digest can be expected. Raises AssertionError without an SEV guest for it.

        Raises NotProven where it was measured from something else than what the lab file pins.
        """
        launch = self._measured(pod)
        if pod.uid not in self._pinned:
            self._require_pinned(self._configurations[pod.uid], launch.vm.qemu)
            self._pinned.add(pod.uid)
        return launch

    def requests_at_run_time(self, pod: Pod) -> int:
        """How often the KBS gave something to the running pod's launch beside its launch secret.

        -1 where it did not even give that. Raises NotProven where each of these may also have been the
        launch secret of an earlier sandbox: kubelet has one made anew that failed after it had its secret.
        """
        seen = len(self._broker.validations(self.launch_of(pod).digest))
        failed = self._workloads.failed_launches(pod)
        if 1 < seen <= 1 + failed:
            raise NotProven(
                f"kubelet had {1 + failed} sandboxes made for the pod {pod.name}, and the KBS answered its "
                f"launch {seen} times: which of them asked cannot be told"
            )
        return seen - 1

    def known_launch(self, configuration: KataConfiguration) -> Launch:
        """The launch of a pod that ran on this configuration and was stopped again (guide: 附录, append).

        Raises NotProven where the pod does not run.
        """
        pod = self.start(configuration)
        self.require_running(pod, "K-1.5")
        launch = self.launch_of(pod)
        self._workloads.stop(pod)
        return launch

    def _measured(self, pod: Pod) -> Launch:
        if pod.uid not in self._launches:
            self._launches[pod.uid] = self._measure(pod)
        return self._launches[pod.uid]

    def _measure(self, pod: Pod) -> Launch:
        launch = self._launches_on_host.of(pod.namespace, pod.name, pod.uid)
        assert launch is not None, f"no QEMU process runs an SEV guest for the pod {pod.name}"
        qemu = launch.vm.qemu
        self._borrowing.connections_of(launch.digest)
        self._record.evidence(
            f"launch of pod {pod.name}",
            {
                "pod": pod.name,
                "pid": launch.vm.pid,
                "firmware": qemu.firmware,
                "kernel": qemu.kernel,
                "initrd": qemu.initrd,
                "append": qemu.append,
                "launch digest": launch.digest,
                "inputs": asdict(launch.inputs),
                "arguments": list(qemu.arguments),
            },
            fact=Fact.LAUNCH,
        )
        return launch

    def _is_nodes(self, configuration: KataConfiguration) -> bool:
        return configuration.path == self._profile.kata.sev_configuration

    def _require_pinned(
        self, configuration: KataConfiguration, measured: KataConfiguration | QemuArguments
    ) -> None:
        """Which initrd the node's own configuration names is for clauses W-3.1 and W-4.1 to say."""
        initrd = None if self._is_nodes(configuration) else measured.initrd
        self._artefacts.require_pinned(measured.firmware, measured.kernel, initrd)

    def _require_attested(
        self, pod: Pod, configuration: KataConfiguration, stage: Stage, message: str
    ) -> None:
        """Raise where a refused pod's launch was never shown to the KBS, as its kata configuration says.

        A configuration of the suite's own has that from the node's, which the guide's own way with the
        online KBC starts on: there it fails clause W-3.3, elsewhere it proves nothing.
        """
        if stage is Stage.LAUNCH:
            why = gone_astray(message, self._lab.kbs.port)
        else:
            vm = self._launches_on_host.vm_of(pod.namespace, pod.name, pod.uid)
            why = not_attested(vm) if vm else None
        if why is None:
            return
        nodes = self._profile.kata.sev_configuration
        told = f"the KBS is not asked about the pod, as {why} in {nodes}; the pod: {message}"
        assert not (self._is_nodes(configuration) and configuration.is_for(self._profile.kbc.online)), told
        raise NotProven(told, owner="W-3.3")

    def _for_kbc(self, base: KataConfiguration, kbc: KbcName, address: str | None) -> KataConfiguration:
        if kbc == "online":
            online, kbs_uri = self._profile.kbc.online, self._profile.kata.kbs_uri
            chosen = base.for_online_kbc(online, self._broker.guest_address, kbs_uri=kbs_uri)
            if address is not None:
                chosen = chosen.asking(online, address)
        else:
            chosen = base.for_offline_kbc(self._profile.kbc.offline)
            if address is not None:
                raise LabError("the offline KBC is given no address")
        return chosen.with_kernel_params(f"{NONCE_PARAMETER}={nonce()}")

    def _is_without_hope(self, pod: Pod, key_id: str | None) -> bool:
        """Whether this launch will never have the key: the KBS refuses it, or never recorded the launch.

        It records an online launch before the guest starts (simple-kbs 0.1.1, src/request.rs). One that does
        not answer may come back.
        """
        if self._launches_on_host.of(pod.namespace, pod.name, pod.uid) is None:
            return False
        try:
            answer = self._broker.key_for(self.launch_of(pod).digest, key_id)
        except Unreachable as lost:
            if lost.service not in {"kbs", "database"}:
                raise
            return False
        return answer is None or refused_by_policy(answer)
