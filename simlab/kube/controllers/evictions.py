"""Pods that must go because of their node: taints with NoExecute, and nodes that no longer exist.

Behaviour and texts: Kubernetes v1.24, `pkg/controller/nodelifecycle/scheduler/taint_manager.go` and
`pkg/controller/podgc/gc_controller.go` (its quarantine).
"""

from __future__ import annotations

import asyncio
from typing import Final

from simlab.kube.client import ApiError
from simlab.kube.controllers.controller import Cluster, Controller, Recorder
from simlab.kube.controllers.fit import tolerates
from simlab.kube.controllers.informer import key_of
from simlab.kube.objects import Obj, dig, items

QUARANTINE_SECONDS: Final = 40.0
_PERIOD_SECONDS: Final = 5.0


class Evictions(Controller):
    """Deletes pods whose node cannot or must not run them."""

    period = _PERIOD_SECONDS

    def __init__(self, cluster: Cluster, quarantine: float = QUARANTINE_SECONDS) -> None:
        super().__init__(cluster)
        self._quarantine = quarantine
        self._pods = cluster.informer("/api/v1/pods")
        self._watched.append(self._pods)
        self._nodes = self.watched(
            "/api/v1/nodes",
            lambda before, after: (
                dig(before, "spec", "taints") != dig(after, "spec", "taints") or after is None
            ),
        )
        self._recorder = Recorder(self.api, "taint-controller")
        self._missing: dict[str, float] = {}
        self._tainted: dict[str, float] = {}

    async def step(self) -> float | None:
        """Delete the pods whose time has come."""
        moment = asyncio.get_running_loop().time()
        nodes = self._nodes.objects
        tainted: dict[str, float] = {}
        for pod in self._pods.all():
            node_name = str(dig(pod, "spec", "nodeName") or "")
            if not node_name:
                if dig(pod, "metadata", "deletionTimestamp"):
                    await self._delete(pod, 0)
                continue
            node = nodes.get(("", node_name))
            if node is None:
                since = self._missing.setdefault(node_name, moment)
                if moment - since >= self._quarantine:
                    await self._delete(pod, 0)
                continue
            self._missing.pop(node_name, None)
            allowed = _seconds_allowed(pod, node)
            if allowed is None or dig(pod, "metadata", "deletionTimestamp"):
                continue
            uid = pod["metadata"]["uid"]
            tainted[uid] = self._tainted.get(uid, moment)
            if moment - tainted[uid] >= allowed:
                namespace, name = key_of(pod)
                note = f"Marking for deletion Pod {namespace}/{name}"
                await self._recorder.event(pod, "Normal", "TaintManagerEviction", note)
                await self._delete(pod, None)
        self._tainted = tainted
        return None

    async def _delete(self, pod: Obj, grace: int | None) -> None:
        namespace, name = key_of(pod)
        body: Obj = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "preconditions": {"uid": pod["metadata"]["uid"]},
        }
        if grace is not None:
            body["gracePeriodSeconds"] = grace
        try:
            await self.api.delete(f"/api/v1/namespaces/{namespace}/pods/{name}", body)
        except ApiError as error:
            if error.code not in (404, 409):
                raise


def _seconds_allowed(pod: Obj, node: Obj) -> float | None:
    """Return how long a pod may stay on a node with its NoExecute taints; None is forever."""
    limits: list[float] = []
    for taint in items(node, "spec", "taints"):
        if taint.get("effect") != "NoExecute":
            continue
        fitting = [each for each in items(pod, "spec", "tolerations") if tolerates([each], taint)]
        if not fitting:
            return 0.0
        limits.extend(
            float(each["tolerationSeconds"]) for each in fitting if each.get("tolerationSeconds") is not None
        )
    return min(limits, default=None)
