"""The scheduler: gives pending pods a node, or says why it cannot.

Behaviour and texts: Kubernetes v1.24, `pkg/scheduler/scheduler.go`, `pkg/scheduler/framework/types.go`
(FitError), `pkg/scheduler/framework/preemption/preemption.go`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simlab.kube.client import ApiError
from simlab.kube.controllers.controller import Cluster, Controller, Recorder
from simlab.kube.controllers.fit import is_hopeless, obstacles, requests_of, used_on
from simlab.kube.controllers.informer import Key, key_of
from simlab.kube.objects import Obj, dig, items, mapping, name_of, now

if TYPE_CHECKING:
    from decimal import Decimal

_NAME: Final = "default-scheduler"
_NO_NODES: Final = "no nodes available to schedule pods"
_FIRST_BACKOFF_SECONDS: Final = 1.0
_LONGEST_BACKOFF_SECONDS: Final = 10.0
# A pod that nothing new could help is tried again after this all the same.
_FLUSH_SECONDS: Final = 300.0
_STRATEGIC: Final = "application/strategic-merge-patch+json"


@dataclass
class _Attempt:
    uid: str
    count: int
    at: float
    clock: int


class Scheduler(Controller):
    """Binds pods whose `schedulerName` is the default one."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._clock = 0
        self._attempts: dict[Key, _Attempt] = {}
        self._pods = self.watched("/api/v1/pods", self._concerns_pods)
        self._nodes = self.watched("/api/v1/nodes", self._concerns_nodes)
        self._recorder = Recorder(self.api, _NAME)

    def _concerns_pods(self, before: Obj | None, after: Obj | None) -> bool:
        if after is None or (dig(after, "status", "phase") in ("Succeeded", "Failed")):
            # Room on a node.
            self._clock += 1
            return True
        return _is_pending(after) and (before is None or dig(before, "spec") != dig(after, "spec"))

    def _concerns_nodes(self, before: Obj | None, after: Obj | None) -> bool:
        parts = [
            (dig(node, "spec"), dig(node, "metadata", "labels"), dig(node, "status", "allocatable"))
            for node in (before, after)
        ]
        if parts[0] == parts[1]:
            return False
        self._clock += 1
        return True

    async def step(self) -> float | None:
        """Try every pending pod whose turn it is."""
        moment = asyncio.get_running_loop().time()
        pending = [pod for pod in self._pods.all() if _is_pending(pod)]
        alive = {key_of(pod) for pod in pending}
        self._attempts = {key: value for key, value in self._attempts.items() if key in alive}
        if not pending:
            return None
        used = self._used()
        next_due = _FLUSH_SECONDS
        for pod in sorted(pending, key=_queue_order):
            wait = self._wait(pod, moment)
            if wait > 0:
                next_due = min(next_due, wait)
            elif not await self._schedule(pod, used):
                next_due = min(next_due, self._wait(pod, moment))
        return float(max(next_due, 0.01))

    def _used(self) -> dict[str, dict[str, Decimal]]:
        by_node: dict[str, list[Obj]] = {}
        for pod in self._pods.objects.values():
            node = dig(pod, "spec", "nodeName")
            if node and dig(pod, "status", "phase") not in ("Succeeded", "Failed"):
                by_node.setdefault(str(node), []).append(pod)
        return {node: used_on(pods) for node, pods in by_node.items()}

    def _wait(self, pod: Obj, moment: float) -> float:
        """Return the seconds until a pod may be tried (again)."""
        attempt = self._attempts.get(key_of(pod))
        if attempt is None or attempt.uid != pod["metadata"]["uid"]:
            return 0.0
        backoff = min(_FIRST_BACKOFF_SECONDS * 2 ** (attempt.count - 1), _LONGEST_BACKOFF_SECONDS)
        if attempt.clock == self._clock:
            backoff = _FLUSH_SECONDS
        return float(attempt.at + backoff - moment)

    async def _schedule(self, pod: Obj, used: dict[str, dict[str, Decimal]]) -> bool:
        nodes = self._nodes.all()
        blocked = {name_of(node): obstacles(pod, node, used.get(name_of(node), {})) for node in nodes}
        fitting = [node for node in nodes if not blocked[name_of(node)]]
        key = key_of(pod)
        if not fitting:
            attempt = self._attempts.get(key)
            count = attempt.count + 1 if attempt and attempt.uid == pod["metadata"]["uid"] else 1
            moment = asyncio.get_running_loop().time()
            self._attempts[key] = _Attempt(pod["metadata"]["uid"], count, moment, self._clock)
            await self._say_unschedulable(pod, blocked)
            return False
        chosen = min(fitting, key=lambda node: (used.get(name_of(node), {}).get("pods", 0), name_of(node)))
        node_name = name_of(chosen)
        await self._bind(pod, node_name)
        taken = used.setdefault(node_name, used_on([]))
        taken["pods"] += 1
        for name, quantity in requests_of(mapping(pod, "spec")).items():
            taken[name] = taken.get(name, quantity - quantity) + quantity
        return True

    async def _bind(self, pod: Obj, node: str) -> None:
        namespace, name = key_of(pod)
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": name, "namespace": namespace, "uid": pod["metadata"]["uid"]},
            "target": {"kind": "Node", "name": node},
        }
        await self.api.create(f"/api/v1/namespaces/{namespace}/pods/{name}/binding", binding)
        self._attempts.pop(key_of(pod), None)
        note = f"Successfully assigned {namespace}/{name} to {node}"
        await self._recorder.action(pod, "Normal", "Scheduled", "Binding", note)

    async def _say_unschedulable(self, pod: Obj, blocked: dict[str, list[str]]) -> None:
        message = unschedulable_text(blocked)
        await self._recorder.action(pod, "Warning", "FailedScheduling", "Scheduling", message)
        conditions = items(pod, "status", "conditions")
        old: Obj = next((c for c in conditions if c.get("type") == "PodScheduled"), {})
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
        if all(old.get(field) == value for field, value in condition.items()):
            return
        same = old.get("status") == "False"
        condition["lastTransitionTime"] = old["lastTransitionTime"] if same else now()
        namespace, name = key_of(pod)
        path = f"/api/v1/namespaces/{namespace}/pods/{name}/status"
        try:
            await self.api.patch(path, {"status": {"conditions": [condition]}}, _STRATEGIC)
        except ApiError as error:
            if error.code != 404:
                raise


def unschedulable_text(blocked: dict[str, list[str]]) -> str:
    """Return what the scheduler says of a pod that fits no node; `blocked` has each node's reasons."""
    if not blocked:
        return _NO_NODES
    total = len(blocked)
    counted = Counter(reason for reasons in blocked.values() for reason in reasons)
    reasons = ", ".join(sorted(f"{count} {reason}" for reason, count in counted.items()))
    hopeless = sum(is_hopeless(reasons) for reasons in blocked.values())
    preemption = []
    if hopeless < total:
        preemption.append(f"{total - hopeless} No preemption victims found for incoming pod")
    if hopeless:
        preemption.append(f"{hopeless} Preemption is not helpful for scheduling")
    return (
        f"0/{total} nodes are available: {reasons}. "
        f"preemption: 0/{total} nodes are available: {', '.join(preemption)}."
    )


def _is_pending(pod: Obj) -> bool:
    return (
        not dig(pod, "spec", "nodeName")
        and dig(pod, "spec", "schedulerName") == _NAME
        and not dig(pod, "metadata", "deletionTimestamp")
        and dig(pod, "status", "phase") not in ("Succeeded", "Failed")
    )


def _queue_order(pod: Obj) -> tuple[int, str]:
    return -int(dig(pod, "spec", "priority") or 0), str(dig(pod, "metadata", "creationTimestamp"))
