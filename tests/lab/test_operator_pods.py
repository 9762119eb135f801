"""The operator's pods that run and yet do not stay, its installation on every worker, and its deletion."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from lab.deadline import Deadline
from lab.errors import ApiRefused, DeadlineExceeded, NotProven
from lab.operator import CONTROLLER, DAEMONS, Operator
from lab.worker_nodes import WorkerNodes
from tests.lab.objects_cluster import LABEL, ObjectsCluster, node, pod, runtime

NOW = "2026-11-23T15:00:00.400000Z"


@pytest.fixture
def cluster() -> ObjectsCluster:
    pods = [pod(f"{CONTROLLER}-x", 0, ready=2, of=2), *(pod(name, 0, ready=1, of=1) for name in DAEMONS)]
    lease = {"metadata": {"name": "sev-1"}, "spec": {"renewTime": NOW}}
    workers = [node(**{LABEL: ""})]
    return ObjectsCluster({"Node": workers, "Lease": [lease], "Pod": pods, "CcRuntime": [runtime(1, 1)]})


@pytest.fixture
def operator(cluster: ObjectsCluster, lab_of: Any) -> Operator:
    lab = lab_of({"host": "h", "known_hosts": "/dev/null"})
    return Operator(cluster.as_cluster, WorkerNodes(lab, cluster.as_cluster, LABEL))


@pytest.mark.parametrize(
    ("finished", "reason", "told"),
    [
        ("2026-11-23T14:58:00Z", "Error", True),
        ("2026-11-23T14:58:00Z", "Completed", True),
        ("2026-11-23T14:45:00Z", "Error", False),  # it ran for longer than the kubelet remembers
        ("2026-11-23T14:58:00Z", "Unknown", False),  # the host was rebooted under it
    ],
)
def test_a_container_that_was_restarted_a_moment_ago_is_told(
    cluster: ObjectsCluster, operator: Operator, finished: str, reason: str, *, told: bool
) -> None:
    assert operator.pod_faults() == []
    state = cluster.objects["Pod"][1]["status"]["containerStatuses"][0]
    ended = {"finishedAt": finished, "reason": reason, "exitCode": 1}
    state |= {"name": "c", "restartCount": 3, "lastState": {"terminated": ended}}
    where = f"{DAEMONS[0]} on sev-1"
    assert operator.pod_faults() == (
        [f"{where}: c was restarted 3 times, at {finished} last (exit code 1)"] if told else []
    )


def test_without_a_worker_the_daemons_are_not_proven(cluster: ObjectsCluster, operator: Operator) -> None:
    cluster.objects["Node"] = [node()]
    for ask in (operator.pod_faults, operator.installation_faults):
        with pytest.raises(NotProven) as refused:
            ask()
        assert refused.value.owner == "C-5.2"


def test_a_worker_that_came_later_is_missed(cluster: ObjectsCluster, operator: Operator) -> None:
    assert operator.installation_faults() == []
    cluster.objects["Node"].append(node("sev-2", **{LABEL: ""}))
    assert operator.installation_faults() == ["not installed on sev-2, which is a worker"]
    cluster.objects["CcRuntime"].append(runtime(1, 1))
    assert operator.installation_faults() == [
        "there should be one CcRuntime, found ccruntime-sample, ccruntime-sample"
    ]


def test_a_runtime_that_is_being_deleted_is_not_installed(
    cluster: ObjectsCluster, operator: Operator
) -> None:
    cluster.objects["CcRuntime"][0]["metadata"]["deletionTimestamp"] = NOW
    assert operator.installation_faults() == ["CcRuntime ccruntime-sample is being deleted"]


def test_an_uninstallation_that_nobody_finishes_is_not_waited_for(
    cluster: ObjectsCluster, operator: Operator
) -> None:
    operator.wait_until_deleted(Deadline(1))
    deleted = {"name": "confidential-containers-system", "deletionTimestamp": NOW}
    cluster.objects["Namespace"] = [{"metadata": deleted}]
    with pytest.raises(NotProven, match="no operator is there to take off its finalizer"):
        operator.wait_until_deleted(Deadline(1))


def test_what_hinders_the_operator_is_told(cluster: ObjectsCluster, operator: Operator) -> None:
    assert operator.hindrance() == f"there is no {CONTROLLER}"
    cluster.objects["Deployment"] = [{"metadata": {"name": CONTROLLER}, "status": {}}]
    assert operator.hindrance() == f"{CONTROLLER} has no pod that is available"
    cluster.objects["Deployment"][0]["status"] = {"availableReplicas": 1}
    assert operator.hindrance() is None
    state = cluster.objects["Pod"][1]["status"]["containerStatuses"][0]
    state |= {"restartCount": 5, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    assert operator.hindrance() == f"{DAEMONS[0]}-0 crashes over and over (CrashLoopBackOff)"


def test_an_image_is_set_though_others_write_to_the_deployment(
    cluster: ObjectsCluster, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = {"spec": {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]}}
    metadata = {"name": CONTROLLER, "resourceVersion": "1"}
    cluster.objects["Deployment"] = [{"metadata": metadata, "spec": {"template": template}}]
    patch, conflicts = cluster.patch, itertools.count(1)

    def conflicting(*args: Any) -> None:
        if next(conflicts) < 3:
            raise ApiRefused("PATCH", 409, "Conflict", "the object has been modified")
        patch(*args)

    monkeypatch.setattr(cluster, "patch", conflicting)
    operator.set_image("b", "2")
    assert operator.images() == {"a": "1", "b": "2"}
    conflicts = itertools.count(-100)
    with pytest.raises(ApiRefused):
        operator.set_image("b", "3")


def test_the_installer_is_waited_for_until_its_script_has_ended_once_more(
    cluster: ObjectsCluster, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.operator.PACE", 0.01)
    cluster.logs = iter(["copying kata artifacts onto host\n", "copying\nnode/sev-1 not labeled\n"])
    installer = cluster.objects["Pod"][1]
    installer["metadata"]["uid"] = "u"
    state = installer["status"]["containerStatuses"][0]
    state["state"] = {"running": {"startedAt": "2026-11-23T14:00:00Z"}}
    before = operator.installer_starts("sev-1")
    with pytest.raises(DeadlineExceeded, match=f"{DAEMONS[0]} did not install on sev-1"):
        operator.wait_for_installer_again("sev-1", before, Deadline(0.05))
    # Of another node, which was not rebooted, nothing is awaited.
    operator.wait_for_installer_again("sev-2", before, Deadline(0.05))
    # A clock that was wrong may go back.
    state["state"] = {"running": {"startedAt": "2026-11-23T13:31:00Z"}}
    operator.wait_for_installer_again("sev-1", before, Deadline(9))
    assert next(cluster.logs, None) is None


def test_a_node_that_lost_the_runtime_is_told_by_its_label(
    cluster: ObjectsCluster, operator: Operator
) -> None:
    label = {"katacontainers.io/kata-runtime": "true"}
    cluster.objects["CcRuntime"][0]["spec"] = {"config": {"installDoneLabel": label}}
    told = "not installed any more on sev-1: its label katacontainers.io/kata-runtime is"
    assert operator.installation_faults() == [f"{told} gone"]
    labels = cluster.objects["Node"][0]["metadata"]["labels"]
    labels |= {"katacontainers.io/kata-runtime": "cleanup"}
    assert operator.installation_faults() == [f"{told} cleanup"]
    labels |= label
    assert operator.installation_faults() == []


def test_an_image_that_keeps_the_controller_from_running_has_an_owner(
    cluster: ObjectsCluster, operator: Operator
) -> None:
    for manager, proxy, owner in (("r/m:v1", "p:2", "O-2.2"), ("m:v0", "p:1", "O-2.1")):
        containers = [{"name": "manager", "image": manager}, {"name": "kube-rbac-proxy", "image": proxy}]
        template = {"template": {"spec": {"containers": containers}}}
        cluster.objects["Deployment"] = [{"metadata": {"name": CONTROLLER}, "spec": template}]
        with pytest.raises(NotProven) as refused:
            operator.require_images("quay.io/m:v1", "p:1")
        assert refused.value.owner == owner
    cluster.objects["Deployment"] = []
    with pytest.raises(NotProven, match=r"the manager is not deployed \(O-2\.1\)"):
        operator.require_images("m:v1", "p:1")
