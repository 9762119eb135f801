"""The confidential computing operator: its Deployment, its daemons, and its custom resource.

Source: confidential-containers/operator v0.3.0, config/default, config/samples/ccruntime,
api/v1beta1/ccruntime_types.go (the status), controllers/ccruntime_controller.go (the daemons' names).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab.cluster import Cluster
    from lab.worker_nodes import WorkerNodes

NAMESPACE = "confidential-containers-system"
CONTROLLER = "cc-operator-controller-manager"
MANAGER, PROXY = "manager", "kube-rbac-proxy"
# What the custom resource makes on every worker; before it there is neither.
DAEMONS = ("cc-operator-daemon-install", "cc-operator-pre-install-daemon")


class Operator:
    """The operator of one cluster. Every question looks again."""

    def __init__(self, cluster: Cluster, nodes: WorkerNodes) -> None:
        self._cluster = cluster
        self._nodes = nodes

    def deployment(self) -> dict[str, Any] | None:
        """The controller's Deployment."""
        return self._cluster.get("Deployment", CONTROLLER, NAMESPACE)

    def images(self) -> dict[str, str]:
        """The image of each container of the controller; none where it is not deployed."""
        deployment = self.deployment()
        return {each["name"]: each["image"] for each in containers_of(deployment)} if deployment else {}

    def set_image(self, container: str, image: str) -> None:
        """Give one container of the controller another image, and leave the others alone."""
        deployment = self.deployment() or {}
        containers = [
            {**each, "image": image} if each["name"] == container else each
            for each in containers_of(deployment)
        ]
        # With its resource version: a list is patched whole, and nobody else's change may be lost.
        version = {"resourceVersion": deployment["metadata"]["resourceVersion"]}
        changes = {"metadata": version, "spec": {"template": {"spec": {"containers": containers}}}}
        self._cluster.patch("Deployment", CONTROLLER, changes, NAMESPACE)

    def runtimes(self) -> list[dict[str, Any]]:
        """The CcRuntime resources, of which there is one."""
        return self._cluster.list("CcRuntime")

    def pod_faults(self) -> list[str]:
        """What is wrong with the operator's pods (guide: 注意这三个pod都要存在，且STATUS都要为Running)."""
        pods = self._cluster.list("Pod", NAMESPACE)
        faults = _faults(CONTROLLER, [pod for pod in pods if _owned_by(pod, CONTROLLER)], containers=2)
        for daemon in DAEMONS if self.runtimes() else ():
            for node in self._nodes.workers():
                mine = [p for p in pods if _owned_by(p, daemon) and p["spec"].get("nodeName") == node.name]
                faults += _faults(f"{daemon} on {node.name}", mine, containers=1)
        return faults


def containers_of(deployment: dict[str, Any]) -> list[dict[str, Any]]:
    """The containers in a Deployment's template."""
    containers: list[dict[str, Any]] = deployment["spec"]["template"]["spec"]["containers"]
    return containers


def installation_fault(runtime: dict[str, Any] | None) -> str | None:
    """Why a CcRuntime's installation is not complete on every node; None where it is.

    The status never tells of a failure: that shows in the daemons' pods.
    """
    status = (runtime or {}).get("status") or {}
    total = int(status.get("totalNodesCount") or 0)
    completed = ((status.get("installationStatus") or {}).get("completed") or {}).get(
        "completedNodesCount"
    ) or 0
    if total and int(completed) == total:
        return None
    return f"installed on {completed} of {total} nodes" if runtime else "there is no CcRuntime"


def _owned_by(pod: dict[str, Any], name: str) -> bool:
    """Whether a controller of this name, or a ReplicaSet of it, owns the pod."""
    owners = pod["metadata"].get("ownerReferences") or []
    return any(owner["name"] == name or owner["name"].rpartition("-")[0] == name for owner in owners)


def _faults(what: str, pods: list[dict[str, Any]], *, containers: int) -> list[str]:
    alive = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    if len(alive) != 1:
        return [f"{what}: {len(alive)} pods instead of one"]
    status = alive[0].get("status", {})
    if status.get("phase") != "Running":
        return [f"{what}: {status.get('phase', 'Unknown')}"]
    states = status.get("containerStatuses", [])
    ready = sum(bool(state.get("ready")) for state in states)
    if ready != containers or len(states) != containers:
        waiting = [
            reason for state in states if (reason := state.get("state", {}).get("waiting", {}).get("reason"))
        ]
        return [
            f"{what}: {ready}/{containers} containers ready{''.join(f', {reason}' for reason in waiting)}"
        ]
    return []
