"""The confidential computing operator: its Deployment, its daemons, and its custom resource.

Source: confidential-containers/operator v0.3.0, config/default, config/samples/ccruntime,
api/v1beta1/ccruntime_types.go (the status), controllers/ccruntime_controller.go (the daemons' names).
"""

from __future__ import annotations

import re
import threading
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lab.errors import ApiRefused, DeadlineExceeded, NotProven
from lab.node_service import LEASES
from lab.pod_health import faults_of, is_being_deleted, owned_by, started_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.cluster import Cluster
    from lab.deadline import Deadline
    from lab.worker_nodes import WorkerNode, WorkerNodes

NAMESPACE = "confidential-containers-system"
DEFINITION = "ccruntimes.confidentialcontainers.org"
CONTROLLER = "cc-operator-controller-manager"
MANAGER, PROXY = "manager", "kube-rbac-proxy"
# What the custom resource makes on every worker; before it there is neither.
DAEMONS = ("cc-operator-daemon-install", "cc-operator-pre-install-daemon")
NOT_FOUND, CONFLICT = 404, 409
ATTEMPTS = 20
# What kubectl says of the label with which the installer ends (kubectl 1.24, pkg/cmd/label/label.go).
LABELLED = re.compile(r"node/\S+ (not )?labeled")
# Seconds between two looks at its log.
PACE = 1.0
# A pod's uid, and when its container was started last.
Start = tuple[str, datetime]
CRASHING, HOPELESS_RESTARTS = "CrashLoopBackOff", 5


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
        deployment = self._cluster.get("Deployment", CONTROLLER, NAMESPACE, as_evidence=True)
        return {each["name"]: each["image"] for each in containers_of(deployment)} if deployment else {}

    def require_images(self, manager: str, proxy: str) -> None:
        """Raise NotProven where it is not deployed, of another release, or has another proxy."""
        images = self.images()
        if not is_of_release(images.get(MANAGER), manager):
            raise NotProven(f"the manager is {images.get(MANAGER, 'not deployed')}", owner="O-2.1")
        if images.get(PROXY) != proxy:
            raise NotProven(f"the proxy's image is {images.get(PROXY)}", owner="O-2.2")

    def set_image(self, container: str, image: str) -> None:
        """Give one container of the controller another image, and leave the others alone.

        Raises ApiRefused where the Deployment is changed by others each time that it was read.
        """
        for attempt in range(1, ATTEMPTS + 1):
            deployment = self.deployment() or {}
            containers = [
                {**each, "image": image} if each["name"] == container else each
                for each in containers_of(deployment)
            ]
            # With its resource version: a list is patched whole, and nobody else's change may be lost.
            version = {"resourceVersion": deployment["metadata"]["resourceVersion"]}
            changes = {"metadata": version, "spec": {"template": {"spec": {"containers": containers}}}}
            try:
                self._cluster.patch("Deployment", CONTROLLER, changes, NAMESPACE)
            except ApiRefused as refusal:
                # Of a Deployment that was just made the status is written all the time.
                if refusal.status != CONFLICT or attempt == ATTEMPTS:
                    raise
            else:
                return

    def runtimes(self) -> list[dict[str, Any]]:
        """The CcRuntime resources, of which there is one."""
        return self._cluster.list("CcRuntime")

    def being_deleted(self) -> list[tuple[str, str]]:
        """Kind and name of what an uninstallation under way deletes before the operator can be deployed."""
        return [
            (kind, name)
            for kind, name in (("CustomResourceDefinition", DEFINITION), ("Namespace", NAMESPACE))
            if is_being_deleted(self._cluster.get(kind, name))
        ]

    def wait_until_deleted(self, deadline: Deadline) -> None:
        """Wait for the end of an uninstallation that is under way.

        Raises NotProven where it cannot end by itself, DeadlineExceeded.
        """
        for kind, name in self.being_deleted():
            if (runtimes := self.runtimes()) and not self.deployment():
                waits = ", ".join(runtime["metadata"]["name"] for runtime in runtimes)
                raise NotProven(
                    f"{kind} {name} is being deleted, which waits for CcRuntime {waits}, and no operator is "
                    "there to take off its finalizer: do so by kubectl edit ccruntime",
                    owner="O-4.1",
                )
            self.wait_until_gone(kind, name, None, deadline)

    def wait_until_runtimes_deleted(self, deadline: Deadline) -> None:
        """Wait until CcRuntimes that are being deleted are gone. Raises DeadlineExceeded."""
        for runtime in filter(is_being_deleted, self.runtimes()):
            self.wait_until_gone("CcRuntime", runtime["metadata"]["name"], None, deadline)

    def wait_until_gone(self, kind: str, name: str, namespace: str | None, deadline: Deadline) -> None:
        """Watch an object until it, or its kind, is gone. Raises DeadlineExceeded with what was seen last."""

        def gone(found: dict[str, Any] | None, _: list[dict[str, Any]]) -> bool | None:
            return True if found is None else None

        try:
            self._cluster.wait(kind, name, namespace, gone, f"{kind} {name} to be gone", deadline)
        except ApiRefused as refusal:
            if refusal.status != NOT_FOUND:
                raise

    def daemon_objects(self) -> list[dict[str, Any]]:
        """What there is of its daemons: the DaemonSets and their pods, each with its kind."""
        pods = [pod for pod in self._cluster.list("Pod", NAMESPACE) if not owned_by(pod, CONTROLLER)]
        sets = self._cluster.list("DaemonSet", NAMESPACE)
        return [{**item, "kind": "DaemonSet"} for item in sets] + [{**item, "kind": "Pod"} for item in pods]

    def installer_starts(self, node: str) -> frozenset[Start]:
        """The newest start of each of a node's installers."""
        return frozenset(start for pod in self._installer_pods(node) if (start := _start_of(pod)))

    def wait_for_installer_again(self, node: str, before: frozenset[Start], deadline: Deadline) -> None:
        """Wait until the installer, where a node has one, has installed after another start than `before`'s.

        Raises DeadlineExceeded.
        """
        if self._installer_pods(node) and not self._installs(node, deadline, before=before):
            raise DeadlineExceeded(
                f"{DAEMONS[0]} did not install on {node} within {deadline.seconds:.0f} s of its start"
            )

    def wait_for_first_installer(self, node: str, deadline: Deadline) -> None:
        """Wait until the installer has installed on a node that has just become a worker.

        The resource's status stays complete meanwhile. Ends also where the operator cannot go on, and at the
        deadline: what is not installed then is clause O-3.1's to tell.
        """
        self._installs(node, deadline, hopeless=lambda: self.hindrance() is not None)

    def _installs(
        self,
        node: str,
        deadline: Deadline,
        *,
        before: frozenset[Start] = frozenset(),
        hopeless: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Wait until an installer's pod on a node has come to its script's end; whether it has."""
        pause = threading.Event()
        while not any(self._has_installed(pod, before) for pod in self._installer_pods(node)):
            if deadline.expired or hopeless():
                return False
            pause.wait(deadline.cap(PACE))
        return True

    def _installer_pods(self, node: str) -> list[dict[str, Any]]:
        """A node's pods that copy the release's files over the host's at each start."""
        return [
            pod
            for pod in self._cluster.list("Pod", NAMESPACE)
            if owned_by(pod, DAEMONS[0]) and pod["spec"].get("nodeName") == node and not is_being_deleted(pod)
        ]

    def _has_installed(self, pod: dict[str, Any], before: frozenset[Start]) -> bool:
        """Whether a pod's script came to its end: it labels the node then, and sleeps."""
        start = _start_of(pod)
        if start is None or start in before:
            return False
        log = self._cluster.pod_log(NAMESPACE, pod["metadata"]["name"])
        return any(LABELLED.fullmatch(line) for line in log.splitlines())

    def hindrance(self) -> str | None:
        """Why it cannot go on with what it does; None where nothing tells that."""
        deployment = self.deployment()
        if deployment is None:
            return f"there is no {CONTROLLER}"
        if not (deployment.get("status") or {}).get("availableReplicas"):
            return f"{CONTROLLER} has no pod that is available"
        for pod in self.daemon_objects():
            for state in (pod.get("status") or {}).get("containerStatuses") or []:
                reason = ((state.get("state") or {}).get("waiting") or {}).get("reason")
                if reason == CRASHING and int(state.get("restartCount") or 0) >= HOPELESS_RESTARTS:
                    return f"{pod['metadata']['name']} crashes over and over ({reason})"
        return None

    def pod_faults(self) -> list[str]:
        """What is wrong with the operator's pods (guide: 注意这三个pod都要存在，且STATUS都要为Running).

        Raises NotProven where no node is a worker: there the daemons have nowhere to be.
        """
        pods, now = self._cluster.list("Pod", NAMESPACE, as_evidence=True), self._now()
        faults = faults_of(CONTROLLER, [pod for pod in pods if owned_by(pod, CONTROLLER)], 2, now)
        if not self.runtimes():
            return faults
        for node in self.workers():
            for daemon in DAEMONS:
                mine = [p for p in pods if owned_by(p, daemon) and p["spec"].get("nodeName") == node.name]
                faults += faults_of(f"{daemon} on {node.name}", mine, 1, now)
        return faults

    def installation_faults(self) -> list[str]:
        """What is wrong with the installation on the workers (clause O-3.1). Raises NotProven without one."""
        runtimes = self._cluster.list("CcRuntime", as_evidence=True)
        if len(runtimes) != 1:
            names = ", ".join(each["metadata"]["name"] for each in runtimes) or "none"
            return [f"there should be one CcRuntime, found {names}"]
        if fault := installation_fault(runtimes[0]):
            return [fault]
        done = runtimes[0]["status"]["installationStatus"]["completed"].get("completedNodesList") or []
        label = ((runtimes[0].get("spec") or {}).get("config") or {}).get("installDoneLabel") or {}
        faults = []
        for node in self.workers():
            if node.name not in done:
                faults.append(f"not installed on {node.name}, which is a worker")
            # The status never goes back; the label does, once the runtime is taken off the node.
            labels = node.object["metadata"].get("labels") or {}
            faults += [
                f"not installed any more on {node.name}: its label {key} is {labels.get(key, 'gone')}"
                for key, value in label.items()
                if labels.get(key) != value
            ]
        return faults

    def workers(self) -> list[WorkerNode]:
        """The nodes that it installs on. Raises NotProven where there is none."""
        workers = self._nodes.workers()
        if not workers:
            raise NotProven("no node carries the worker label with an empty value", owner="C-5.2")
        return workers

    def _now(self) -> datetime | None:
        """The cluster's time, as its nodes last told it; None where none did."""
        times = [(each.get("spec") or {}).get("renewTime") for each in self._cluster.list("Lease", LEASES)]
        return max((datetime.fromisoformat(time) for time in times if time), default=None)


def _start_of(pod: dict[str, Any]) -> Start | None:
    started = started_at(pod)
    return (pod["metadata"]["uid"], started) if started else None


def is_of_release(image: str | None, wanted: str) -> bool:
    """Whether an image of the manager is the release's, whichever registry it comes from."""
    return image is not None and image.rpartition("/")[2] == wanted.rpartition("/")[2]


def containers_of(deployment: dict[str, Any]) -> list[dict[str, Any]]:
    """The containers in a Deployment's template."""
    containers: list[dict[str, Any]] = deployment["spec"]["template"]["spec"]["containers"]
    return containers


def installation_fault(runtime: dict[str, Any] | None) -> str | None:
    """Why a CcRuntime's installation is not complete on every node; None where it is.

    The status never tells of a failure: that shows in the daemons' pods.
    """
    if runtime and is_being_deleted(runtime):
        return f"CcRuntime {runtime['metadata']['name']} is being deleted"
    status = (runtime or {}).get("status") or {}
    total = int(status.get("totalNodesCount") or 0)
    completed = ((status.get("installationStatus") or {}).get("completed") or {}).get(
        "completedNodesCount"
    ) or 0
    if total and int(completed) == total:
        return None
    return f"installed on {completed} of {total} nodes" if runtime else "there is no CcRuntime"
