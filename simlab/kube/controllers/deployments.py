"""Deployments: a ReplicaSet for each template, and the way from the old one to the new.

Behaviour and texts: Kubernetes v1.24, `pkg/controller/deployment` (sync.go, rolling.go, recreate.go,
progress.go).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from simlab.kube.client import ApiError
from simlab.kube.controllers.workloads import Workloads, controller_of, owner_reference, template_hash
from simlab.kube.objects import Obj, clone, dig, items, mapping, meta, name_of, now

if TYPE_CHECKING:
    from simlab.kube.controllers.controller import Cluster

_HASH: Final = "pod-template-hash"
_REVISION: Final = "deployment.kubernetes.io/revision"
_MERGE: Final = "application/merge-patch+json"


class Deployments(Workloads):
    """Makes and scales the ReplicaSets of Deployments."""

    kind = "Deployment"
    plural = "deployments"
    component = "deployment-controller"

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._sets = self.watched("/apis/apps/v1/replicasets", self._concerns)

    async def reconcile(self, owner: Obj) -> float | None:
        """Move a deployment one step on."""
        sets = self._sets_of(owner)
        template = mapping(owner, "spec", "template")
        new = next((each for each in sets if _template_of(each) == _plain(template)), None)
        old = [each for each in sets if each is not new]
        if new is None:
            new = await self._create_set(owner, sets)
        if not dig(owner, "spec", "paused"):
            if dig(owner, "spec", "strategy", "type") == "Recreate":
                new, old = await self._recreate(owner, new, old)
            else:
                new, old = await self._roll(owner, new, old)
        await self._clean_up(owner, old)
        await self._annotate(owner, new)
        await self.write_status(owner, _status(owner, new, old))
        return None

    def _sets_of(self, owner: Obj) -> list[Obj]:
        uid = meta(owner)["uid"]
        found = []
        for each in self._sets.all():
            controller = controller_of(each)
            if controller is not None and controller.get("uid") == uid:
                found.append(each)
        return sorted(found, key=_revision)

    async def _create_set(self, owner: Obj, sets: list[Obj]) -> Obj:
        template = _plain(mapping(owner, "spec", "template"))
        digest = template_hash(template, dig(owner, "status", "collisionCount") or 0)
        metadata = template.setdefault("metadata", {})
        metadata["labels"] = {**mapping(metadata, "labels"), _HASH: digest}
        selector = clone(mapping(owner, "spec", "selector"))
        selector["matchLabels"] = {**mapping(selector, "matchLabels"), _HASH: digest}
        revision = 1 + max((_revision(each) for each in sets), default=0)
        replicas = int(dig(owner, "spec", "replicas") or 0)
        first = replicas if not sets else 0
        body = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": f"{name_of(owner)}-{digest}",
                "labels": metadata["labels"],
                "annotations": {
                    _REVISION: str(revision),
                    "deployment.kubernetes.io/desired-replicas": str(replicas),
                    "deployment.kubernetes.io/max-replicas": str(replicas + _bounds(owner)[0]),
                },
                "ownerReferences": [owner_reference(owner)],
            },
            "spec": {"replicas": first, "selector": selector, "template": template},
        }
        path = f"/apis/apps/v1/namespaces/{meta(owner)['namespace']}/replicasets"
        made = await self.api.create(path, body)
        self._sets.learn(made)
        if first:
            note = f"Scaled up replica set {name_of(made)} to {first}"
            await self.recorder.event(owner, "Normal", "ScalingReplicaSet", note)
        return made

    async def _scale(self, owner: Obj, replica_set: Obj, replicas: int) -> Obj:
        present = int(dig(replica_set, "spec", "replicas") or 0)
        if present == replicas:
            return replica_set
        path = f"/apis/apps/v1/namespaces/{meta(owner)['namespace']}/replicasets/{name_of(replica_set)}"
        changed = await self.api.patch(path, {"spec": {"replicas": replicas}}, _MERGE)
        self._sets.learn(changed)
        way = "up" if replicas > present else "down"
        note = f"Scaled {way} replica set {name_of(replica_set)} to {replicas}"
        await self.recorder.event(owner, "Normal", "ScalingReplicaSet", note)
        return changed

    async def _roll(self, owner: Obj, new: Obj, old: list[Obj]) -> tuple[Obj, list[Obj]]:
        """Go on with a rolling update: new pods within the surge, old ones as availability allows."""
        wanted = int(dig(owner, "spec", "replicas") or 0)
        surge, unavailable = _bounds(owner)
        others = sum(_replicas(each) for each in old)
        if _replicas(new) > wanted or not old or not others:
            new = await self._scale(owner, new, wanted)
        else:
            room = wanted + surge - others - _replicas(new)
            new = await self._scale(owner, new, min(wanted, _replicas(new) + max(room, 0)))
        return new, await self._shrink(owner, new, old, wanted - unavailable)

    async def _shrink(self, owner: Obj, new: Obj, old: list[Obj], least: int) -> list[Obj]:
        """Scale old sets down as far as `least` available pods stay: first what is not available anyway."""
        every = [new, *old]
        coming = max(_replicas(new) - _count(new, "availableReplicas"), 0)
        budget = sum(_replicas(each) for each in every) - least - coming
        spare = sum(_count(each, "availableReplicas") for each in every) - least
        result = []
        for each in old:
            sick = min(max(_replicas(each) - _count(each, "availableReplicas"), 0), max(budget, 0))
            well = min(max(min(spare, budget - sick), 0), _replicas(each) - sick)
            budget, spare = budget - sick - well, spare - well
            down = sick + well
            result.append(await self._scale(owner, each, _replicas(each) - down) if down else each)
        return result

    async def _recreate(self, owner: Obj, new: Obj, old: list[Obj]) -> tuple[Obj, list[Obj]]:
        old = [await self._scale(owner, each, 0) for each in old]
        if all(not _count(each, "replicas") for each in old):
            new = await self._scale(owner, new, int(dig(owner, "spec", "replicas") or 0))
        return new, old

    async def _clean_up(self, owner: Obj, old: list[Obj]) -> None:
        limit = dig(owner, "spec", "revisionHistoryLimit")
        empty = [each for each in old if not _replicas(each) and not _count(each, "replicas")]
        if not isinstance(limit, int) or len(empty) <= limit:
            return
        for each in empty[: len(empty) - limit]:
            path = f"/apis/apps/v1/namespaces/{meta(owner)['namespace']}/replicasets/{name_of(each)}"
            try:
                await self.api.delete(path, {"kind": "DeleteOptions", "apiVersion": "v1"})
            except ApiError as error:
                if error.code != 404:
                    raise
            self._sets.forget(each)

    async def _annotate(self, owner: Obj, new: Obj) -> None:
        """Note the revision on the deployment; a template that came back gets a new one."""
        newest = max(_revision(each) for each in self._sets_of(owner))
        namespace = meta(owner)["namespace"]
        revision = _revision(new)
        if revision < newest:
            revision = newest + 1
            path = f"/apis/apps/v1/namespaces/{namespace}/replicasets/{name_of(new)}"
            patch = {"metadata": {"annotations": {_REVISION: str(revision)}}}
            self._sets.learn(await self.api.patch(path, patch, _MERGE))
        if mapping(owner, "metadata", "annotations").get(_REVISION) != str(revision):
            path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{name_of(owner)}"
            patch = {"metadata": {"annotations": {_REVISION: str(revision)}}}
            changed = await self.api.patch(path, patch, _MERGE)
            self.owners.learn(changed)
            owner.clear()
            owner.update(changed)


def _plain(template: Obj) -> Obj:
    """Return a template without what tells one ReplicaSet's from another's."""
    result = clone(template)
    metadata = result.get("metadata") or {}
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key != _HASH}
    kept = {key: value for key, value in metadata.items() if key != "creationTimestamp" and value}
    result["metadata"] = {**kept, "labels": labels} if labels else kept
    return result


def _template_of(replica_set: Obj) -> Obj:
    return _plain(mapping(replica_set, "spec", "template"))


def _revision(replica_set: Obj) -> int:
    text = str(mapping(replica_set, "metadata", "annotations").get(_REVISION, "0"))
    return int(text) if text.isdigit() else 0


def _replicas(replica_set: Obj) -> int:
    return int(dig(replica_set, "spec", "replicas") or 0)


def _count(replica_set: Obj, key: str) -> int:
    return int(dig(replica_set, "status", key) or 0)


def _part(value: Any, whole: int, *, up: bool) -> int:
    """Return a number that may be written as a percentage of a whole."""
    if isinstance(value, str) and value.endswith("%"):
        share = whole * int(value[:-1]) / 100
        return math.ceil(share) if up else math.floor(share)
    return int(value or 0)


def _bounds(owner: Obj) -> tuple[int, int]:
    """Return how many pods a rolling update may have too many, and how many too few."""
    rolling = mapping(owner, "spec", "strategy", "rollingUpdate")
    wanted = int(dig(owner, "spec", "replicas") or 0)
    surge = _part(rolling.get("maxSurge"), wanted, up=True)
    unavailable = _part(rolling.get("maxUnavailable"), wanted, up=False)
    # With neither nothing could ever move.
    return surge, unavailable if surge or unavailable else 1


def _status(owner: Obj, new: Obj, old: list[Obj]) -> Obj:
    every = [new, *old]
    wanted = int(dig(owner, "spec", "replicas") or 0)
    total = sum(_count(each, "replicas") for each in every)
    available = sum(_count(each, "availableReplicas") for each in every)
    updated = _count(new, "replicas")
    result: Obj = {
        "observedGeneration": meta(owner).get("generation"),
        "replicas": total or None,
        "updatedReplicas": updated or None,
        "readyReplicas": sum(_count(each, "readyReplicas") for each in every) or None,
        "availableReplicas": available or None,
        "unavailableReplicas": max(wanted, total) - available or None,
    }
    enough = available >= wanted - _bounds(owner)[1]
    done = updated == wanted == total == available
    what = f'ReplicaSet "{name_of(new)}"'
    conditions = [
        {
            "type": "Available",
            "status": "True" if enough else "False",
            "reason": "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable",
            "message": f"Deployment {'has' if enough else 'does not have'} minimum availability.",
        },
        {
            "type": "Progressing",
            "status": "True",
            "reason": "NewReplicaSetAvailable" if done else "ReplicaSetUpdated",
            "message": f"{what} has successfully progressed." if done else f"{what} is progressing.",
        },
    ]
    result["conditions"] = [_kept(owner, condition) for condition in conditions]
    return result


def _kept(owner: Obj, condition: Obj) -> Obj:
    """Return a condition with its times: of its last change, and of its last change of status."""
    for old in items(owner, "status", "conditions"):
        if old.get("type") == condition["type"]:
            if all(old.get(key) == value for key, value in condition.items()):
                return dict(old)
            if old.get("status") == condition["status"]:
                return {**condition, "lastUpdateTime": now(), "lastTransitionTime": old["lastTransitionTime"]}
    return {**condition, "lastUpdateTime": now(), "lastTransitionTime": now()}
