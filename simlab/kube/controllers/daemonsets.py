"""DaemonSets: one pod on each node that fits.

Behaviour and texts: Kubernetes v1.24, `pkg/controller/daemon` (daemon_controller.go, update.go) and its
`util`.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from simlab.kube.client import ApiError
from simlab.kube.controllers.fit import matches_node, untolerated
from simlab.kube.controllers.workloads import (
    Workloads,
    is_active,
    owner_reference,
    ready_since,
    template_hash,
)
from simlab.kube.objects import Obj, clone, dig, items, mapping, meta, name_of

if TYPE_CHECKING:
    from simlab.kube.controllers.controller import Cluster

_HASH: Final = "controller-revision-hash"
# A daemon's pod stays where other pods may not go or stay.
_TOLERATIONS: Final = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)
_HOST_NETWORK: Final = ("node.kubernetes.io/network-unavailable", "NoSchedule")


class DaemonSets(Workloads):
    """Creates, renews and deletes the pods of DaemonSets."""

    kind = "DaemonSet"
    plural = "daemonsets"
    component = "daemonset-controller"

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._nodes = self.watched("/api/v1/nodes", _concerns_nodes)

    async def reconcile(self, owner: Obj) -> float | None:
        """Give each fitting node its pod, take others away, and count."""
        spec = _pod_spec(owner)
        digest = template_hash(mapping(owner, "spec", "template"))
        await self._keep_revision(owner, digest)
        nodes = self._nodes.all()
        should = {name_of(node): _should_run(spec, node) for node in nodes}
        by_node: dict[str, list[Obj]] = {}
        for pod in self.pods_of(owner):
            by_node.setdefault(_node_of(pod), []).append(pod)
        again = await self._place(owner, spec, digest, should, by_node)
        await self._renew(owner, digest, by_node, should)
        await self.write_status(owner, self._count(owner, digest, nodes, should))
        return again

    async def _place(
        self,
        owner: Obj,
        spec: Obj,
        digest: str,
        should: dict[str, tuple[bool, bool]],
        by_node: dict[str, list[Obj]],
    ) -> float | None:
        again: float | None = None
        for name, (run, stay) in should.items():
            pods = by_node.get(name, [])
            failed = [pod for pod in pods if dig(pod, "status", "phase") == "Failed"]
            for pod in failed:
                if not dig(pod, "metadata", "deletionTimestamp"):
                    which = f"{meta(pod)['namespace']}/{name_of(pod)}"
                    note = f"Found failed daemon pod {which} on node {name}, will try to kill it"
                    await self.recorder.event(owner, "Warning", "FailedDaemonPod", note)
                    await self.delete_pod(owner, pod)
                again = 1.0
            living = [pod for pod in pods if pod not in failed]
            if run and not pods:
                labels = {_HASH: digest, "pod-template-generation": str(meta(owner).get("generation", 1))}
                edit = {"affinity": _pinned(spec, name), "tolerations": spec["tolerations"]}
                by_node[name] = [await self.create_pod(owner, labels, edit)]
            superfluous = living[1:] if stay else living
            for pod in superfluous:
                if is_active(pod):
                    await self.delete_pod(owner, pod)
        return again

    async def _renew(
        self, owner: Obj, digest: str, by_node: dict[str, list[Obj]], should: dict[str, tuple[bool, bool]]
    ) -> None:
        """Delete pods of an older template, as many at a time as the strategy allows."""
        if dig(owner, "spec", "updateStrategy", "type") != "RollingUpdate":
            return
        limit = dig(owner, "spec", "updateStrategy", "rollingUpdate", "maxUnavailable")
        wanted = sum(run for run, _ in should.values())
        if isinstance(limit, str) and limit.endswith("%"):
            limit = -(-wanted * int(limit[:-1]) // 100)
        current = [
            pod for name, pods in by_node.items() if should.get(name, (False, False))[0] for pod in pods
        ]
        missing = wanted - sum(is_active(pod) and ready_since(pod) is not None for pod in current)
        room = int(limit or 1) - missing
        for pod in current:
            if mapping(pod, "metadata", "labels").get(_HASH) == digest or not is_active(pod):
                continue
            # One that is not ready anyway costs nothing.
            free = ready_since(pod) is None
            if not free and room <= 0:
                continue
            room -= 0 if free else 1
            await self.delete_pod(owner, pod)

    async def _keep_revision(self, owner: Obj, digest: str) -> None:
        """Keep the template as a ControllerRevision, which `kubectl rollout` reads."""
        namespace, name = meta(owner)["namespace"], f"{name_of(owner)}-{digest}"
        revisions = self.cluster.informer("/apis/apps/v1/controllerrevisions")
        await revisions.synced.wait()
        if revisions.get(namespace, name) is not None:
            return
        known = [
            int(each.get("revision", 0))
            for each in revisions.all()
            if any(ref.get("uid") == meta(owner)["uid"] for ref in items(each, "metadata", "ownerReferences"))
        ]
        template = {**clone(mapping(owner, "spec", "template")), "$patch": "replace"}
        body = {
            "apiVersion": "apps/v1",
            "kind": "ControllerRevision",
            "metadata": {
                "name": name,
                "labels": {**mapping(owner, "spec", "template", "metadata", "labels"), _HASH: digest},
                "ownerReferences": [owner_reference(owner)],
            },
            "data": {"spec": {"template": template}},
            "revision": 1 + max(known, default=0),
        }
        try:
            revisions.learn(
                await self.api.create(f"/apis/apps/v1/namespaces/{namespace}/controllerrevisions", body)
            )
        except ApiError as error:
            if error.code != 409:
                raise

    def _count(self, owner: Obj, digest: str, nodes: list[Obj], should: dict[str, tuple[bool, bool]]) -> Obj:
        by_node: dict[str, Obj] = {}
        for pod in self.pods_of(owner):
            if is_active(pod):
                by_node[_node_of(pod)] = pod
        settle = dt.timedelta(seconds=int(dig(owner, "spec", "minReadySeconds") or 0))
        moment = dt.datetime.now(tz=dt.UTC)
        desired = scheduled = misplaced = ready = available = updated = 0
        for node in nodes:
            name = name_of(node)
            found = by_node.get(name)
            if not should[name][0]:
                misplaced += found is not None
                continue
            desired += 1
            if found is None:
                continue
            scheduled += 1
            updated += mapping(found, "metadata", "labels").get(_HASH) == digest
            since = ready_since(found)
            ready += since is not None
            available += since is not None and moment - since >= settle
        return {
            "currentNumberScheduled": scheduled,
            "numberMisscheduled": misplaced,
            "desiredNumberScheduled": desired,
            "numberReady": ready,
            "observedGeneration": meta(owner).get("generation"),
            "updatedNumberScheduled": updated or None,
            "numberAvailable": available or None,
            "numberUnavailable": desired - available or None,
        }


def _concerns_nodes(before: Obj | None, after: Obj | None) -> bool:
    return (dig(before, "spec"), dig(before, "metadata", "labels")) != (
        dig(after, "spec"),
        dig(after, "metadata", "labels"),
    )


def _pod_spec(owner: Obj) -> Obj:
    """Return the spec of a daemon's pods, before they are pinned to a node."""
    spec = clone(mapping(owner, "spec", "template", "spec"))
    tolerations = spec.setdefault("tolerations", [])
    wanted = [*_TOLERATIONS, *([_HOST_NETWORK] if spec.get("hostNetwork") else [])]
    for key, effect in wanted:
        toleration = {"key": key, "operator": "Exists", "effect": effect}
        if toleration not in tolerations:
            tolerations.append(toleration)
    return spec


def _pinned(spec: Obj, node: str) -> Obj:
    """Return an affinity by which the scheduler can choose this node only."""
    affinity = clone(mapping(spec, "affinity"))
    fields = [{"key": "metadata.name", "operator": "In", "values": [node]}]
    required = {"nodeSelectorTerms": [{"matchFields": fields}]}
    affinity.setdefault("nodeAffinity", {})["requiredDuringSchedulingIgnoredDuringExecution"] = required
    return affinity


def _node_of(pod: Obj) -> str:
    """Return the node that a daemon's pod is on, or is meant for."""
    bound = dig(pod, "spec", "nodeName")
    if bound:
        return str(bound)
    path = ("spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    for term in items(dig(pod, *path), "nodeSelectorTerms"):
        for field in items(term, "matchFields"):
            if field.get("key") == "metadata.name" and field.get("values"):
                return str(field["values"][0])
    return ""


def _should_run(spec: Obj, node: Obj) -> tuple[bool, bool]:
    """Return whether a daemon's pod should be started on a node, and whether one that is there may stay."""
    if not matches_node(spec, node):
        return False, False
    if untolerated(spec, node) is None:
        return True, True
    return False, untolerated(spec, node, ("NoExecute",)) is None
