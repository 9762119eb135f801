from __future__ import annotations

import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from lab.errors import ApiRefused, DeadlineExceeded, NotProven
from lab.labfile import Cluster, LabFile, Timeouts
from lab.outcome import Outcome, Pod, Stage, exit_of, failed_launches, is_ready, refusals, refused_for_good
from lab.record import MemoryRecord
from lab.workload import Workloads
from tests.lab.said import SayingHost

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.deadline import Deadline

POD = Pod("default", "p", "u", refused_for_good)
P1 = "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to create containerd task: "


def pod(phase: str, *containers: dict[str, Any]) -> dict[str, Any]:
    return {
        "spec": {"containers": [{"name": "workload"}]},
        "status": {"phase": phase, "containerStatuses": list(containers)},
    }


def test_ready_needs_every_container_and_no_restart() -> None:
    assert is_ready(pod("Running", {"ready": True, "restartCount": 0}))
    assert not is_ready(pod("Running", {"ready": False, "restartCount": 0}))
    assert not is_ready(pod("Running", {"ready": True, "restartCount": 1}))
    assert not is_ready(pod("Running"))
    assert not is_ready(pod("Pending", {"ready": True, "restartCount": 0}))


def test_an_ended_pod_tells_its_exit_code() -> None:
    ended = pod("Failed", {"name": "workload", "state": {"terminated": {"exitCode": 127}}})
    assert exit_of(ended) == "the pod is Failed container workload: exit code 127"
    assert exit_of(pod("Running", {"name": "workload", "state": {"running": {}}})) is None


def test_refusals_are_told_by_stage() -> None:
    events = [
        {"reason": "Pulling", "message": "Pulling image"},
        {"reason": "FailedCreatePodSandBox", "message": P1},
        {"reason": "Failed", "message": 'Failed to pull image "x": rpc error'},
        {"reason": "Failed", "message": "Error: ErrImagePull"},
        {"reason": "Failed", "message": '(combined from similar events): Failed to pull image "x": again'},
    ]
    assert refusals(events) == [
        Outcome(Stage.LAUNCH, P1),
        Outcome(Stage.IMAGE, 'Failed to pull image "x": rpc error'),
        Outcome(Stage.IMAGE, 'Failed to pull image "x": again'),
    ]


def test_failed_launches_are_counted_as_often_as_an_event_tells_them() -> None:
    failed = {"reason": "FailedCreatePodSandBox", "message": P1}
    pull = {"reason": "Failed", "message": 'Failed to pull image "x": rpc error', "count": 3}
    assert failed_launches([pull]) == 0
    assert failed_launches([failed, {**failed, "count": 2}, pull]) == 3


@pytest.mark.parametrize(
    ("stage", "message", "final"),
    [
        (
            Stage.LAUNCH,
            P1 + "rpc error: code = Internal desc = Policy validation failed: policy not valid",
            True,
        ),
        (Stage.LAUNCH, P1 + "file /x/initrd.img does not exist", True),
        (Stage.LAUNCH, P1 + "rpc error: code = Unavailable desc = connection refused", False),
        (Stage.LAUNCH, P1 + "rpc error: code = DeadlineExceeded desc = context deadline exceeded", False),
        (Stage.LAUNCH, P1 + "Cannot fulfill secret request: no rows returned by a query", True),
        (Stage.LAUNCH, P1 + "Cannot fulfill secret request: error communicating with database: x", False),
        (Stage.IMAGE, "Failed to pull image: failed to pull manifest", False),
        (Stage.IMAGE, "Failed to pull image: failed to get stream processor for x+encrypted", True),
    ],
)
def test_only_what_cannot_heal_ends_a_wait(stage: Stage, message: str, final: bool) -> None:
    assert refused_for_good(POD, stage, message) is final


class OnePod:
    """A cluster with one pod that never changes: a wait for it settles at once or not at all."""

    def __init__(self, current: dict[str, Any], *messages: str, handler: str = "kata") -> None:
        self._current = {"metadata": {"uid": "u"}, **current}
        self._events = [{"reason": "FailedCreatePodSandBox", "message": message} for message in messages]
        self._handler = handler

    def wait(self, *_: Any, what: str, deadline: Deadline) -> Any:
        settled: Callable[..., Any] = _[3]
        outcome = settled(self._current, self._events)
        if outcome is None:
            raise DeadlineExceeded(f"waited {deadline.seconds:.0f} s for {what}; last seen: Pending")
        return outcome

    def get(self, kind: str, *_: Any) -> dict[str, Any]:
        return NODE if kind == "Node" else self._current

    def events(self, *_: Any) -> list[dict[str, Any]]:
        return self._events

    def list(self, _: str) -> list[dict[str, Any]]:
        return [{"metadata": {"name": "kata"}, "handler": self._handler}]


UNAVAILABLE = P1 + "rpc error: code = Unavailable desc = connection refused"
RUNNING = pod("Running", {"ready": True, "restartCount": 0})
PENDING = pod("Pending")


NODE = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}


def workloads(cluster: OnePod, lasting: set[tuple[Stage, str]] | None = None) -> Workloads:
    return Workloads(
        lab=cast("LabFile", SimpleNamespace(timeouts=Timeouts(pod_running=1), cluster=Cluster(node="sev-1"))),
        host=SayingHost().as_host,
        cluster=cast("Any", cluster),
        borrowing=cast("Any", None),
        record=MemoryRecord(),
        lasting=set() if lasting is None else lasting,
        worker_label="node.example.org/worker",
    )


def test_a_refusal_that_lasted_once_is_not_waited_for_again() -> None:
    lasting: set[tuple[Stage, str]] = set()
    cluster = OnePod(PENDING, UNAVAILABLE)
    assert workloads(cluster, lasting).outcome(POD) == Outcome(
        Stage.LAUNCH, f"{UNAVAILABLE} (still so after 1 s)"
    )
    assert workloads(cluster, lasting).outcome(POD) == Outcome(
        Stage.LAUNCH, f"{UNAVAILABLE} (as another pod, to its deadline)"
    )


def test_a_pod_that_nothing_refuses_on_a_node_that_is_not_ready_says_nothing_of_the_pod() -> None:
    gone = {"type": "Ready", "status": "Unknown", "message": "Kubelet stopped posting node status."}

    class Node(OnePod):
        def get(self, kind: str, *_: Any) -> dict[str, Any]:
            return {"status": {"conditions": [gone]}} if kind == "Node" else super().get(kind)

    with pytest.raises(NotProven, match="Kubelet stopped posting node status") as stopped:
        workloads(Node(PENDING)).outcome(POD)
    assert stopped.value.owner == "C-5.1"
    assert workloads(Node(PENDING, UNAVAILABLE)).outcome(POD).stage == Stage.LAUNCH


def test_an_image_that_the_host_pulls_says_nothing_of_the_guest() -> None:
    pulled = (
        'Failed to pull image "x": failed to extract layer: failed to get stream processor for x+encrypted'
    )
    cluster = OnePod(PENDING)
    cluster.events().append({"reason": "Failed", "message": pulled})
    with pytest.raises(NotProven, match="the host pulled the image, and not the guest") as stopped:
        workloads(cluster).outcome(POD)
    assert stopped.value.owner == "W-1.3"


@pytest.mark.parametrize(
    ("words", "owner"),
    [
        ('failed to get sandbox runtime: no runtime for "kata" is configured', "O-3.1"),
        ("This system doesn't support Confidential Computing (Guest Protection): unknown", "P-3.4"),
        ("qemu-system-x86_64: sev_kvm_init: Failed to open /dev/sev 'No such file or directory'", "P-3.4"),
        ("qemu-system-x86_64: sev_kvm_init: failed to initialize ret=-16 fw_error=0 ''", None),
    ],
)
def test_what_is_another_clause_s_business_is_no_failure_of_the_pod(words: str, owner: str | None) -> None:
    with pytest.raises(NotProven) as stopped:
        workloads(OnePod(PENDING, P1 + words)).outcome(POD)
    assert words in stopped.value.cause
    assert stopped.value.owner == owner


def test_a_lasting_refusal_says_nothing_of_another() -> None:
    other = {(Stage.LAUNCH, UNAVAILABLE)}
    refused = workloads(OnePod(PENDING, P1 + "exit status 1"), other).outcome(POD)
    assert refused.message == f"{P1}exit status 1 (still so after 1 s)"


def test_nothing_refused_a_pod_that_never_began() -> None:
    waiting = workloads(OnePod(PENDING)).outcome(POD)
    assert waiting.stage is Stage.START
    assert str(waiting) == "not Running: waited 1 s for pod p to run; last seen: Pending"


def test_a_control_that_does_not_run_proves_nothing() -> None:
    workloads(OnePod(RUNNING)).require_running(POD, "W-3.3")
    with pytest.raises(NotProven, match="connection refused") as stopped:
        workloads(OnePod(PENDING, UNAVAILABLE)).require_running(POD, "W-3.3")
    assert stopped.value.owner == "W-3.3"


NO_KEY = "Policy validation failed: fw digest not valid"


@pytest.mark.parametrize("clause", ["W-3.3", "W-4.3"])
def test_a_policy_on_no_key_is_one_clause_s_business(clause: str) -> None:
    refused = workloads(OnePod(PENDING, P1 + NO_KEY))
    with pytest.raises(NotProven, match="fw digest not valid") as stopped:
        refused.require_running(POD, clause)
    assert stopped.value.owner == "K-1.5"
    with pytest.raises(NotProven) as stopped:
        refused.require_running(POD, "A-2.6")
    assert stopped.value.owner == "A-2.6"


def test_a_refusal_needs_its_cause() -> None:
    workloads(OnePod(PENDING, P1 + NO_KEY)).require_refusal(POD, Stage.LAUNCH, NO_KEY)
    with pytest.raises(AssertionError, match="is Running"):
        workloads(OnePod(RUNNING)).require_refusal(POD, Stage.LAUNCH, NO_KEY)
    with pytest.raises(AssertionError, match="policy not valid"):
        workloads(OnePod(PENDING, P1 + "Policy validation failed: policy not valid")).require_refusal(
            POD, Stage.LAUNCH, NO_KEY
        )
    with pytest.raises(NotProven, match="connection refused"):
        workloads(OnePod(PENDING, UNAVAILABLE)).require_refusal(POD, Stage.LAUNCH, NO_KEY)
    with pytest.raises(NotProven, match="fw digest not valid") as stopped:
        workloads(OnePod(PENDING, P1 + NO_KEY)).require_refusal(POD, Stage.IMAGE, "no key")
    assert stopped.value.owner == "K-1.5"


def test_a_container_that_started_was_not_refused() -> None:
    started = pod("Pending", {"name": "workload", "containerID": "containerd://1"})
    with pytest.raises(AssertionError, match="was started"):
        workloads(OnePod(started, P1 + NO_KEY)).require_refusal(POD, Stage.LAUNCH, NO_KEY)


class Forbidding:
    """What borrows pods, in a cluster that takes none."""

    def __init__(self, status: int, message: str) -> None:
        self._refusal = ApiRefused("POST pods", status, "Forbidden", message)

    def pod(self, _: Any) -> None:
        raise self._refusal


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (403, 'pods "x" is forbidden: violates PodSecurity "restricted:latest": seccompProfile', NotProven),
        (400, 'admission webhook "images.example.org" denied the request: not signed', NotProven),
        (422, "Pod is invalid: spec.containers: Required value", ApiRefused),
    ],
)
def test_a_pod_that_the_clusters_own_rules_keep_out_is_a_precondition(
    status: int, message: str, kind: type[Exception]
) -> None:
    pods = workloads(OnePod(RUNNING))
    pods._borrowing = cast("Any", Forbidding(status, message))
    with pytest.raises(kind, match=re.escape(message)) as refused:
        pods.start(kind="nginx", image="x", runtime_class="kata")
    assert ("cluster.namespace in the lab file" in str(refused.value)) is (kind is NotProven)


def test_no_pod_is_made_for_a_runtime_class_of_another_handler() -> None:
    with pytest.raises(NotProven, match="kata has the handler runc") as stopped:
        workloads(OnePod(RUNNING, handler="runc")).start(kind="nginx", image="x", runtime_class="kata")
    assert stopped.value.owner == "O-3.2"
