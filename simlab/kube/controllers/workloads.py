"""What the controllers of workloads share: pods made from a template, owned, counted."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

from simlab.kube.client import ApiError
from simlab.kube.controllers.controller import Cluster, Controller, Recorder
from simlab.kube.controllers.informer import key_of
from simlab.kube.objects import Obj, clone, dig, items, mapping, meta, name_of, parse_time
from simlab.kube.selectors import from_object, matches_labels

if TYPE_CHECKING:
    import datetime as dt

    from simlab.kube.controllers.informer import Informer

# The alphabet of Kubernetes' safe hashes (apimachinery v0.24, pkg/util/rand).
_ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"
HASH_LENGTH: Final = 10


def template_hash(template: Obj, salt: object = "") -> str:
    """Return a short name for a pod template; equal templates have equal names."""
    digest = hashlib.sha256(json.dumps([template, salt], sort_keys=True).encode()).digest()
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:HASH_LENGTH])


def controller_of(obj: Obj) -> Obj | None:
    """Return the owner reference of an object's controller."""
    for owner in items(obj, "metadata", "ownerReferences"):
        if owner.get("controller"):
            return dict(owner)
    return None


def owner_reference(owner: Obj) -> Obj:
    """Return the reference by which an object's controller owns it."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": name_of(owner),
        "uid": meta(owner)["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def is_active(pod: Obj) -> bool:
    """Say whether a pod still counts for its owner."""
    ended = dig(pod, "status", "phase") in ("Succeeded", "Failed")
    return not ended and not dig(pod, "metadata", "deletionTimestamp")


def ready_since(pod: Obj) -> dt.datetime | None:
    """Return since when a pod has been ready, or None if it is not."""
    for condition in items(pod, "status", "conditions"):
        if condition.get("type") == "Ready" and condition.get("status") == "True":
            return parse_time(condition.get("lastTransitionTime") or meta(pod)["creationTimestamp"])
    return None


class Workloads(Controller):
    """A control loop over one kind of workload (`kind` at `path`) and the pods that it owns."""

    kind: str = ""
    plural: str = ""
    component: str = ""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self.owners: Informer = self.watched(f"/apis/apps/v1/{self.plural}")
        self.pods = self.watched("/api/v1/pods", self._concerns)
        self.recorder = Recorder(self.api, self.component)

    def _concerns(self, before: Obj | None, after: Obj | None) -> bool:
        found = [controller_of(obj) for obj in (before, after) if obj is not None]
        return any(owner is not None and owner.get("kind") == self.kind for owner in found)

    async def step(self) -> float | None:
        """Do one pass over every workload; trouble with one does not hold the others up."""
        again: float | None = None
        for owner in self.owners.all():
            if dig(owner, "metadata", "deletionTimestamp"):
                continue
            try:
                wait = await self.reconcile(owner)
            except ApiError as error:
                if error.code not in (404, 409):
                    await self.recorder.event(owner, "Warning", "FailedCreate", f"Error creating: {error}")
                wait = 1.0
            if wait is not None:
                again = wait if again is None else min(again, wait)
        return again

    async def reconcile(self, owner: Obj) -> float | None:
        """Bring one workload nearer to what its spec says; return when to look again, if not at a change."""
        raise NotImplementedError

    def pods_of(self, owner: Obj) -> list[Obj]:
        """Return the pods that a workload controls."""
        namespace, uid = meta(owner)["namespace"], meta(owner)["uid"]
        selector = from_object(mapping(owner, "spec", "selector")) or ()
        found = []
        for pod in self.pods.all():
            controller = controller_of(pod)
            ours = controller is not None and controller.get("uid") == uid
            if ours and meta(pod).get("namespace") == namespace and matches_labels(selector, pod):
                found.append(pod)
        return found

    async def create_pod(self, owner: Obj, labels: Obj, edit: Obj | None = None) -> Obj:
        """Create a pod from a workload's template; `edit` replaces top-level fields of its spec."""
        template = clone(mapping(owner, "spec", "template"))
        metadata = mapping(template, "metadata")
        pod: Obj = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "generateName": f"{name_of(owner)}-",
                "labels": {**mapping(metadata, "labels"), **labels},
                "ownerReferences": [owner_reference(owner)],
            },
            "spec": {**mapping(template, "spec"), **(edit or {})},
        }
        for key in ("annotations", "finalizers"):
            if metadata.get(key):
                pod["metadata"][key] = metadata[key]
        made = await self.api.create(f"/api/v1/namespaces/{meta(owner)['namespace']}/pods", pod)
        self.pods.learn(made)
        await self.recorder.event(owner, "Normal", "SuccessfulCreate", f"Created pod: {name_of(made)}")
        return made

    async def delete_pod(self, owner: Obj, pod: Obj) -> None:
        """Delete a pod of a workload."""
        namespace, name = key_of(pod)
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": meta(pod)["uid"]}}
        try:
            left = await self.api.delete(f"/api/v1/namespaces/{namespace}/pods/{name}", body)
        except ApiError as error:
            if error.code != 404:
                raise
            return
        if dig(left, "metadata", "deletionGracePeriodSeconds"):
            self.pods.learn(left)
        else:
            self.pods.forget(pod)
        await self.recorder.event(owner, "Normal", "SuccessfulDelete", f"Deleted pod: {name}")

    async def write_status(self, owner: Obj, status: Obj) -> None:
        """Write a workload's status, if it differs from what is there."""
        kept = {key: value for key, value in status.items() if value is not None}
        if kept == mapping(owner, "status"):
            return
        path = f"/apis/apps/v1/namespaces/{meta(owner)['namespace']}/{self.plural}/{name_of(owner)}/status"
        self.owners.learn(await self.api.replace(path, {**owner, "status": kept}))
