"""Node lifecycle: a node whose kubelet is silent becomes Unknown, and one that is not ready is tainted.

Behaviour and texts: Kubernetes v1.24, `pkg/controller/nodelifecycle/node_lifecycle_controller.go` (its
default times).
"""

from __future__ import annotations

import asyncio
from typing import Final

from simlab.kube.client import ApiError
from simlab.kube.controllers.controller import Cluster, Controller, Recorder
from simlab.kube.controllers.informer import key_of
from simlab.kube.objects import Obj, dig, items, name_of, now

# --node-monitor-grace-period and --node-monitor-period
GRACE_SECONDS: Final = 40.0
_PERIOD_SECONDS: Final = 5.0
_STRATEGIC: Final = "application/strategic-merge-patch+json"
_CONDITIONS: Final = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
_NOT_READY: Final = "node.kubernetes.io/not-ready"
_UNREACHABLE: Final = "node.kubernetes.io/unreachable"
_UNSCHEDULABLE: Final = "node.kubernetes.io/unschedulable"


class NodeLifecycle(Controller):
    """Watches nodes and their heartbeats."""

    period = _PERIOD_SECONDS

    def __init__(self, cluster: Cluster, grace: float = GRACE_SECONDS) -> None:
        super().__init__(cluster)
        self._grace = grace
        self._nodes = self.watched("/api/v1/nodes")
        self._leases = cluster.informer("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases")
        self._watched.append(self._leases)
        self._pods = cluster.informer("/api/v1/pods")
        self._watched.append(self._pods)
        self._recorder = Recorder(self.api, "node-controller")
        # When each node last showed a sign of life, by our own clock: the node's may be wrong.
        self._seen: dict[str, tuple[tuple[object, ...], float]] = {}

    async def step(self) -> float | None:
        """Look at every node once."""
        moment = asyncio.get_running_loop().time()
        nodes = self._nodes.all()
        for name in set(self._seen) - {name_of(node) for node in nodes}:
            del self._seen[name]
        for node in nodes:
            try:
                await self._look(node, moment)
            except ApiError as error:
                if error.code not in (404, 409):
                    raise
        return None

    async def _look(self, node: Obj, moment: float) -> None:
        name = name_of(node)
        lease = self._leases.get("kube-node-lease", name)
        ready = _condition(node, "Ready")
        sign = (dig(lease, "spec", "renewTime"), ready.get("lastHeartbeatTime"), node["metadata"]["uid"])
        if name not in self._seen:
            note = f"Node {name} event: Registered Node {name} in Controller"
            await self._recorder.event(node, "Normal", "RegisteredNode", note)
        if name not in self._seen or self._seen[name][0] != sign:
            self._seen[name] = (sign, moment)
        if moment - self._seen[name][1] > self._grace and ready.get("status") != "Unknown":
            node = await self._mark_unknown(node)
        await self._taint(node)
        if _condition(node, "Ready").get("status") != "True":
            await self._unready_pods(node)

    async def _mark_unknown(self, node: Obj) -> Obj:
        conditions = []
        for kind in _CONDITIONS:
            old = _condition(node, kind)
            if old.get("status") == "Unknown":
                continue
            conditions.append(
                {
                    "type": kind,
                    "status": "Unknown",
                    "reason": "NodeStatusUnknown" if old else "NodeStatusNeverUpdated",
                    "message": "Kubelet stopped posting node status."
                    if old
                    else "Kubelet never posted node status.",
                    "lastTransitionTime": now(),
                    "lastHeartbeatTime": old.get("lastHeartbeatTime")
                    or node["metadata"]["creationTimestamp"],
                }
            )
        name = name_of(node)
        path = f"/api/v1/nodes/{name}/status"
        node = await self.api.patch(path, {"status": {"conditions": conditions}}, _STRATEGIC)
        self._nodes.learn(node)
        note = f"Node {name} status is now: NodeNotReady"
        await self._recorder.event(node, "Normal", "NodeNotReady", note)
        return node

    async def _taint(self, node: Obj) -> None:
        """Give a node the taints of its state, and take away those of other states."""
        state = _condition(node, "Ready").get("status", "Unknown")
        wanted: list[tuple[str, str]] = []
        if state == "Unknown":
            wanted = [(_UNREACHABLE, "NoSchedule"), (_UNREACHABLE, "NoExecute")]
        elif state == "False":
            wanted = [(_NOT_READY, "NoSchedule"), (_NOT_READY, "NoExecute")]
        if dig(node, "spec", "unschedulable"):
            wanted.append((_UNSCHEDULABLE, "NoSchedule"))
        taints = items(node, "spec", "taints")
        ours = (_NOT_READY, _UNREACHABLE, _UNSCHEDULABLE)
        present = [(taint.get("key"), taint.get("effect")) for taint in taints]
        kept = [
            taint
            for taint in taints
            if taint.get("key") not in ours or (taint.get("key"), taint.get("effect")) in wanted
        ]
        added = [
            {"key": key, "effect": effect, "timeAdded": now()}
            for key, effect in wanted
            if (key, effect) not in present
        ]
        if not added and len(kept) == len(taints):
            return
        patch = {
            "metadata": {"resourceVersion": node["metadata"]["resourceVersion"]},
            "spec": {"taints": [*kept, *added] or None},
        }
        changed = await self.api.patch(f"/api/v1/nodes/{name_of(node)}", patch)
        self._nodes.learn(changed)

    async def _unready_pods(self, node: Obj) -> None:
        """Let the pods of a node that is not ready be not ready either."""
        if _condition(node, "Ready").get("status") != "Unknown":
            return
        for pod in self._pods.all():
            if dig(pod, "spec", "nodeName") != name_of(node):
                continue
            if _condition(pod, "Ready").get("status") != "True":
                continue
            condition = {"type": "Ready", "status": "False", "lastTransitionTime": now()}
            namespace, name = key_of(pod)
            path = f"/api/v1/namespaces/{namespace}/pods/{name}/status"
            changed = await self.api.patch(path, {"status": {"conditions": [condition]}}, _STRATEGIC)
            self._pods.learn(changed)
            await self._recorder.event(pod, "Warning", "NodeNotReady", "Node is not ready")


def _condition(obj: Obj, kind: str) -> Obj:
    return next((dict(c) for c in items(obj, "status", "conditions") if c.get("type") == kind), {})
