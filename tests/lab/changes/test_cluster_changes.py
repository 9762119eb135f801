"""The worker label, the operator, and containerd's restart, on a cluster that is a dictionary of objects."""

from __future__ import annotations

import itertools
import shlex
from typing import TYPE_CHECKING, Any

import pytest

from lab.changes.nodes import WorkerLabel
from lab.changes.operator import OperatorDeployed, ProxyImage, RuntimeInstalled
from lab.errors import DeadlineExceeded, NotProven
from lab.kubectl import Kubectl
from lab.node_service import NodeService
from lab.operator import CONTROLLER, DAEMONS, Operator, installation_fault
from lab.worker_nodes import WorkerNodes
from tests.lab.objects_cluster import LABEL, ObjectsCluster, lease, node, pod, runtime
from tests.lab.said import SayingHost

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.labfile import LabFile

SSH = {"host": "h", "known_hosts": "/dev/null"}
MANAGER_IMAGE = "quay.io/confidential-containers/operator:v0.2.0"
PROXY_IMAGE = "quay.io/brancz/kube-rbac-proxy:v0.13.0"


def deployment(manager: str = MANAGER_IMAGE, proxy: str = PROXY_IMAGE) -> dict[str, Any]:
    containers = [
        {"name": "kube-rbac-proxy", "image": proxy},
        {"name": "manager", "image": manager, "args": ["x"]},
    ]
    return {
        "metadata": {"name": CONTROLLER, "resourceVersion": "7"},
        "spec": {"template": {"spec": {"containers": containers}}},
    }


@pytest.fixture
def nodes_of(lab_of: Callable[..., LabFile]) -> Callable[[ObjectsCluster], WorkerNodes]:
    return lambda cluster: WorkerNodes(lab_of(SSH), cluster.as_cluster, LABEL)


def worker_label(cluster: ObjectsCluster, nodes: WorkerNodes, *, seconds: float = 0) -> WorkerLabel:
    return WorkerLabel(cluster.as_cluster, nodes, Operator(cluster.as_cluster, nodes), seconds=seconds)


def test_the_worker_label_gets_the_empty_value(nodes_of: Any) -> None:
    cluster = ObjectsCluster({"Node": [node(**{LABEL: "true"})]})
    change = worker_label(cluster, nodes_of(cluster))
    assert change.look().found == "no node has it with an empty value"
    change.apply()
    assert (change.look().holds, change.look().found) == (True, "sev-1")
    cluster.gone = True
    assert change.look().found == "cluster: connection refused"


def test_a_runtime_that_is_there_is_installed_on_the_new_worker(nodes_of: Any) -> None:
    available = {**deployment(), "status": {"availableReplicas": 1}}
    cluster = ObjectsCluster({"Node": [node()], "CcRuntime": [runtime(1, 1)], "Deployment": [available]})
    leaving = started(pod(DAEMONS[0], 1, ready=1, of=1))
    leaving["metadata"]["deletionTimestamp"] = "2026-11-23T15:00:00Z"
    cluster.objects["Pod"] = [started(pod(DAEMONS[0], 0, ready=1, of=1, where="sev-2")), leaving]
    cluster.logs = itertools.chain(["copying artifacts"] * 2, itertools.repeat("node/sev-1 labeled"))
    looks: list[int] = []

    class Deadline:
        expired = False

        def cap(self, _: float) -> float:
            looks.append(len(cluster.objects["Pod"]))
            if len(looks) == 2:
                cluster.objects["Pod"].append(started(pod(DAEMONS[0], 2, ready=1, of=1)))
            return 0

    operator = Operator(cluster.as_cluster, nodes_of(cluster))
    operator.wait_for_first_installer("sev-1", Deadline())  # type: ignore[arg-type]
    # Twice the node had no pod that stays, and twice that one was at work.
    assert looks == [2, 2, 3, 3]


@pytest.mark.parametrize("hindered", [True, False])
def test_an_operator_that_does_not_install_is_not_the_labels_fault(nodes_of: Any, *, hindered: bool) -> None:
    available = {**deployment(), "status": {"availableReplicas": 1}}
    deployed = [deployment() if hindered else available]
    cluster = ObjectsCluster({"Node": [node()], "CcRuntime": [runtime(1, 1)], "Deployment": deployed})
    change = worker_label(cluster, nodes_of(cluster), seconds=60 if hindered else 0)
    change.apply()
    assert change.look().holds


def started(installer: dict[str, Any]) -> dict[str, Any]:
    [state] = installer["status"]["containerStatuses"]
    state["state"] = {"running": {"startedAt": "2026-11-23T14:59:00Z"}}
    return installer


@pytest.mark.parametrize("source", ["/root/operator", "SOURCE?ref=v&timeout=30s"])
def test_a_kustomization_that_needs_no_more_time_is_taken_as_it_is(
    lab_of: Callable[..., LabFile], source: str
) -> None:
    host = SayingHost({"kubectl": ""})
    Kubectl(lab_of(SSH), host.as_host).delete(source)
    assert shlex.split(host.commands[0])[-1] == source


def test_the_operator_is_told_by_its_managers_image(nodes_of: Any, lab_of: Callable[..., LabFile]) -> None:
    cluster, host = ObjectsCluster(), SayingHost({"kubectl": ""})
    kubectl = Kubectl(lab_of(SSH), host.as_host)
    change = OperatorDeployed(
        Operator(cluster.as_cluster, nodes_of(cluster)), kubectl, "SOURCE?ref=v", MANAGER_IMAGE, seconds=1
    )
    assert change.look().found == "not deployed"
    change.apply()
    applied = "kubectl --kubeconfig /etc/kubernetes/admin.conf apply -k"
    assert host.commands == [f"{applied} 'SOURCE?ref=v&timeout=900s'"]
    cluster.objects["Deployment"] = [deployment("mirror.example.org/operator:v0.2.0")]
    assert change.look().holds
    cluster.objects["Deployment"] = [deployment("quay.io/confidential-containers/operator:v0.1.0")]
    assert not change.look().holds
    change.apply()
    cluster.objects["CcRuntime"] = [runtime(1, 1)]
    with pytest.raises(NotProven, match=r"another release is deployed, .*:v0\.1\.0, and has installed"):
        change.apply()
    assert len(host.commands) == 2


def test_kustomizations_need_a_kubeconfig_on_the_host(lab_of: Callable[..., LabFile]) -> None:
    lab = lab_of(SSH, cluster={"local_kubeconfig": "/dev/null"})
    with pytest.raises(NotProven, match=r"name the host's in cluster\.kubeconfig"):
        Kubectl(lab, SayingHost().as_host).apply("SOURCE")


def test_only_the_proxys_image_is_changed(nodes_of: Any) -> None:
    cluster = ObjectsCluster({"Deployment": [deployment(proxy="gcr.io/kubebuilder/kube-rbac-proxy:v0.13.0")]})
    change = ProxyImage(Operator(cluster.as_cluster, nodes_of(cluster)), PROXY_IMAGE)
    assert not change.look().holds
    change.apply()
    assert change.look().holds
    assert cluster.objects["Deployment"] == [deployment()]
    assert cluster.patches[0]["metadata"] == {"resourceVersion": "7"}


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        (None, "there is no CcRuntime"),
        ({"metadata": {}}, "installed on 0 of 0 nodes"),
        (runtime(0, 1), "installed on 0 of 1 nodes"),
        (runtime(1, 2), "installed on 1 of 2 nodes"),
        (runtime(2, 2), None),
    ],
)
def test_an_installation_is_complete_on_every_node_or_not(found: Any, fault: str | None) -> None:
    assert installation_fault(found) == fault


def test_the_custom_resource_is_made_once_and_waited_for(
    nodes_of: Any, lab_of: Callable[..., LabFile]
) -> None:
    cluster, host = ObjectsCluster(), SayingHost({"kubectl": ""})
    operator = Operator(cluster.as_cluster, nodes_of(cluster))
    change = RuntimeInstalled(
        operator, cluster.as_cluster, Kubectl(lab_of(SSH), host.as_host), "SOURCE", seconds=9
    )
    host.does["kubectl"] = lambda: cluster.objects.update({"CcRuntime": [runtime(1, 1)]})
    change.apply()
    assert change.look().holds
    cluster.objects["CcRuntime"] = [runtime(0, 1)]
    with pytest.raises(DeadlineExceeded, match="CcRuntime ccruntime-sample to be installed"):
        change.apply()
    assert len(host.commands) == 1


def test_the_three_pods_are_all_needed_and_ready(nodes_of: Any) -> None:
    number = itertools.count()
    controller = pod(f"{CONTROLLER}-56cb4d5ff5", next(number), ready=2, of=2)
    daemons = [pod(name, next(number), ready=1, of=1) for name in DAEMONS]
    cluster = ObjectsCluster({"Node": [node(**{LABEL: ""})], "Pod": [controller], "CcRuntime": []})
    operator = Operator(cluster.as_cluster, nodes_of(cluster))
    assert operator.pod_faults() == []  # before the custom resource there are no daemons
    cluster.objects["CcRuntime"] = [runtime(1, 1)]
    assert operator.pod_faults() == [f"{name} on sev-1: 0 pods instead of one" for name in DAEMONS]
    cluster.objects["Pod"] = [controller, *daemons]
    assert operator.pod_faults() == []
    cluster.objects["Pod"] = [
        pod(f"{CONTROLLER}-x", 1, ready=1, of=2),
        pod(DAEMONS[0], 1, ready=1, of=1, phase="Pending"),
    ]
    assert operator.pod_faults() == [
        f"{CONTROLLER}: 1/2 containers ready",
        f"{DAEMONS[0]} on sev-1: Pending",
        f"{DAEMONS[1]} on sev-1: 0 pods instead of one",
    ]


def test_a_restart_of_containerd_ends_with_a_newer_heartbeat(nodes_of: Any) -> None:
    host = SayingHost({"systemctl restart containerd": ""})
    # By a clock that is a day ahead: it says nothing of the host's.
    cluster = ObjectsCluster({"Node": [node()], "Lease": [lease("2026-11-24T15:00:00.400000Z")]})
    service = NodeService(host=host.as_host, cluster=cluster.as_cluster, nodes=nodes_of(cluster), seconds=9)
    with pytest.raises(DeadlineExceeded, match="a heartbeat of sev-1 from after containerd's restart"):
        service.restart()
    cluster.beats = True
    service.restart()
    cluster.objects["Node"][0]["status"]["conditions"][0]["status"] = "Unknown"
    with pytest.raises(DeadlineExceeded, match="sev-1 to be Ready"):
        service.restart()


def test_without_a_cluster_containerd_is_only_restarted(nodes_of: Any) -> None:
    host = SayingHost({"systemctl restart containerd": ""})
    cluster = ObjectsCluster(gone=True)
    NodeService(host=host.as_host, cluster=cluster.as_cluster, nodes=nodes_of(cluster), seconds=9).restart()
    assert host.commands[0] == "systemctl restart containerd"
