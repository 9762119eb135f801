"""Having a platform answer a challenge: one guest is launched with the challenge's session.

The guest's kata configuration is its own, by the annotation `io.katacontainers.config_path`, as other pods of
the suite have it (kata-containers CC-0.3.0, src/runtime/pkg/containerd-shim-v2/create.go), and differs in its
proxy: there the shim asks for the session, and shows the measurement. The guide's is localhost:44444, so
a port of the host's loopback is as good a place. The guest never runs: only its owner could give it a secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lab.challenge.documents import Answer, session_digest
from lab.challenge.endpoint import FOREIGN, KEPT, OTHER_POLICY, Endpoint
from lab.debris import FOLDER
from lab.errors import LabError, NotProven
from lab.fact import Fact
from lab.outcome import Pod, Stage, refused_for_good

if TYPE_CHECKING:
    from lab.challenge.documents import Challenge
    from lab.confidential import ConfidentialPods
    from lab.host import Host
    from lab.kbs import keybroker_pb2 as messages
    from lab.labfile import LabFile
    from lab.launches import Inputs, Launches
    from lab.node import Node
    from lab.parsers.qemu import QemuArguments
    from lab.profile import Profile
    from lab.record import Record
    from lab.workload import Workloads


@dataclass(frozen=True)
class Response:
    """The answer, and the launch digest that the suite computes from what QEMU was started with."""

    answer: Answer
    computed: str


@dataclass
class _Shown:
    """What the shim showed, and the QEMU that it showed it of, looked at while the guest was paused."""

    request: messages.SecretRequest
    qemu: QemuArguments | None = None
    cause: str = "no QEMU runs with the challenge's session"


class Challenging:
    """Asks one platform."""

    def __init__(
        self,
        *,
        lab: LabFile,
        profile: Profile,
        host: Host,
        node: Node,
        launches: Launches,
        confidential_pods: ConfidentialPods,
        workloads: Workloads,
        record: Record,
    ) -> None:
        self._lab = lab
        self._profile = profile
        self._host = host
        self._node = node
        self._launches = launches
        self._confidential_pods = confidential_pods
        self._workloads = workloads
        self._record = record

    def ask(self, challenge: Challenge) -> Response:
        """Launch a guest with the challenge's session. Raises NotProven where no measurement comes of it."""
        shown: list[_Shown] = []
        with (
            Endpoint(challenge, lambda request: self._look(request, shown)) as endpoint,
            self._host.reverse(endpoint.port) as way,
        ):
            configuration = self._confidential_pods.configure(
                "online", sev_policy=challenge.policy, proxy=f"127.0.0.1:{way.port}"
            )
            pod = self._workloads.start(
                kind="challenge",
                image=self._lab.images.busybox or self._profile.images.busybox,
                runtime_class=self._profile.kata.sev_runtime_class,
                config_path=configuration.path,
                final=_settled,
            )
            outcome = self._workloads.outcome(pod)
            self._workloads.stop(pod)
        # kata keeps the files of a launch that failed; these have a name of ours.
        self._host.run("rm --recursive --force -- %s/%s-*", FOLDER, challenge.id, check=False)
        if not shown:
            raise NotProven(f"no launch with the challenge's session was measured: {outcome}")
        last = shown[-1]
        if last.qemu is None:
            raise NotProven(f"what was measured cannot be told: {last.cause}")
        inputs = self._launches.inputs(last.qemu)
        return Response(_answer(challenge, last.request, inputs), self._launches.digest(last.qemu))

    def keep(self, response: Response) -> None:
        """Keep the answer as evidence of the run."""
        self._record.evidence(
            "challenge response", response.answer.model_dump(mode="json"), fact=Fact.CHALLENGE_RESPONSE
        )

    def _look(self, request: messages.SecretRequest, shown: list[_Shown]) -> None:
        found = _Shown(request)
        try:
            found.qemu = self._node.launched_with(request.LaunchId)
        except LabError as error:
            found.cause = str(error)
        shown.append(found)


def _settled(pod: Pod, stage: Stage, message: str) -> bool:
    ours = (KEPT, FOREIGN, OTHER_POLICY)
    return any(words in message for words in ours) or refused_for_good(pod, stage, message)


def _answer(challenge: Challenge, request: messages.SecretRequest, inputs: Inputs) -> Answer:
    return Answer(
        challenge=challenge.id,
        answered=datetime.now(UTC),
        session=session_digest(challenge),
        policy=request.Policy,
        api_major=request.ApiMajor,
        api_minor=request.ApiMinor,
        build=request.BuildId,
        measurement=request.LaunchMeasurement,
        launch_digest=request.FwDigest,
        inputs=inputs,
    )
