"""Garbage collection: what belonged to an owner that is gone goes too.

Behaviour: Kubernetes v1.24, `pkg/controller/garbagecollector`. Owners are known by uid; `foregroundDeletion`
lets an owner wait for its dependents, `orphan` sets them free.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from simlab.kube.client import ApiError
from simlab.kube.controllers.controller import Cluster, Controller
from simlab.kube.controllers.informer import Informer, key_of
from simlab.kube.controllers.namespaces import group_versions
from simlab.kube.objects import Obj, dig, items, mapping, meta

_FOREGROUND: Final = "foregroundDeletion"
_ORPHAN: Final = "orphan"
# How often new resources are looked for when no definition has changed (the real one's resync).
_DISCOVERY_SECONDS: Final = 30.0
_IGNORED: Final = ("events",)


@dataclass(frozen=True)
class _Kind:
    """A resource: where its collection is, and whether its objects live in namespaces."""

    prefix: str
    plural: str
    namespaced: bool

    @property
    def path(self) -> str:
        return f"{self.prefix}/{self.plural}"

    def of(self, namespace: str, name: str) -> str:
        """Return an object's path."""
        scope = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{self.prefix}{scope}/{self.plural}/{name}"


class GarbageCollector(Controller):
    """Watches every resource and deletes objects whose owners are all gone."""

    period = _DISCOVERY_SECONDS

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self.watched("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")
        self._kinds: dict[tuple[str, str], _Kind] = {}
        self._informers: dict[tuple[str, str], Informer] = {}

    async def step(self) -> float | None:
        """Find the resources that there are, then collect."""
        await self._discover()
        uids = {
            str(meta(obj).get("uid"))
            for informer in self._informers.values()
            for obj in informer.objects.values()
        }
        dependents = self._dependents()
        for key, informer in list(self._informers.items()):
            for obj in informer.all():
                if items(obj, "metadata", "ownerReferences"):
                    await self._collect(self._kinds[key], obj, uids)
                if dig(obj, "metadata", "deletionTimestamp"):
                    await self._finish(self._kinds[key], obj, dependents.get(str(meta(obj)["uid"]), []))
        return None

    async def _discover(self) -> None:
        found: dict[tuple[str, str], _Kind] = {}
        for prefix, version in await group_versions(self.api):
            try:
                listed = await self.api.get(prefix)
            except ApiError as error:
                if error.code == 404:
                    continue
                raise
            for resource in listed.get("resources") or []:
                name, verbs = resource["name"], resource.get("verbs") or []
                usable = {"list", "watch", "delete"} <= set(verbs)
                if "/" not in name and usable and name not in _IGNORED:
                    found[(version, resource["kind"])] = _Kind(prefix, name, bool(resource["namespaced"]))
        for key in set(self._kinds) - set(found):
            del self._kinds[key]
            await self.cluster.drop(self._informers.pop(key).path)
        for key, kind in found.items():
            if key not in self._informers:
                self._kinds[key] = kind
                self._informers[key] = self.watched(kind.path, _concerns)
        for informer in self._informers.values():
            await informer.synced.wait()

    def _dependents(self) -> dict[str, list[tuple[_Kind, Obj]]]:
        found: dict[str, list[tuple[_Kind, Obj]]] = {}
        for key, informer in self._informers.items():
            for obj in informer.objects.values():
                for owner in items(obj, "metadata", "ownerReferences"):
                    found.setdefault(str(owner.get("uid")), []).append((self._kinds[key], obj))
        return found

    async def _collect(self, kind: _Kind, obj: Obj, uids: set[str]) -> None:
        """Delete an object if none of its owners is there (asked of the server, not only of our copy)."""
        owners = items(obj, "metadata", "ownerReferences")
        if dig(obj, "metadata", "deletionTimestamp") or any(owner.get("uid") in uids for owner in owners):
            return
        for owner in owners:
            if await self._exists(obj, owner):
                return
        await self._delete(kind, obj, "Background")

    async def _exists(self, obj: Obj, owner: Obj) -> bool:
        kind = self._kinds.get((str(owner.get("apiVersion")), str(owner.get("kind"))))
        if kind is None:
            # A kind that we cannot see: the real collector leaves its dependents alone too.
            return True
        try:
            found = await self.api.get(kind.of(str(meta(obj).get("namespace") or ""), str(owner["name"])))
        except ApiError as error:
            if error.code == 404:
                return False
            raise
        return bool(meta(found).get("uid") == owner.get("uid"))

    async def _finish(self, kind: _Kind, obj: Obj, dependents: list[tuple[_Kind, Obj]]) -> None:
        """Do what an owner's finalizers ask before it may go."""
        finalizers = items(obj, "metadata", "finalizers")
        if _ORPHAN in finalizers:
            for of_kind, dependent in dependents:
                await self._release(of_kind, dependent, str(meta(obj)["uid"]))
            await self._remove_finalizer(kind, obj, _ORPHAN)
        elif _FOREGROUND in finalizers:
            blocking = [each for each in dependents if _blocks(each[1], str(meta(obj)["uid"]))]
            for of_kind, dependent in dependents:
                if not dig(dependent, "metadata", "deletionTimestamp"):
                    await self._delete(of_kind, dependent, "Foreground")
            if not blocking:
                await self._remove_finalizer(kind, obj, _FOREGROUND)

    async def _delete(self, kind: _Kind, obj: Obj, propagation: str) -> None:
        namespace, name = key_of(obj)
        body: Obj = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "propagationPolicy": propagation,
            "preconditions": {"uid": meta(obj)["uid"]},
        }
        await self._tolerant("delete", kind.of(namespace, name), body)

    async def _release(self, kind: _Kind, obj: Obj, uid: str) -> None:
        kept = [owner for owner in items(obj, "metadata", "ownerReferences") if owner.get("uid") != uid]
        patch = {"metadata": {"uid": meta(obj)["uid"], "ownerReferences": kept or None}}
        await self._tolerant("patch", kind.of(*key_of(obj)), patch)

    async def _remove_finalizer(self, kind: _Kind, obj: Obj, finalizer: str) -> None:
        kept = [each for each in items(obj, "metadata", "finalizers") if each != finalizer]
        version = mapping(obj, "metadata").get("resourceVersion")
        patch = {"metadata": {"resourceVersion": version, "finalizers": kept or None}}
        await self._tolerant("patch", kind.of(*key_of(obj)), patch)

    async def _tolerant(self, verb: str, path: str, body: Obj) -> None:
        try:
            await (self.api.delete(path, body) if verb == "delete" else self.api.patch(path, body))
        except ApiError as error:
            # Gone already, or changed meanwhile: the next pass sees.
            if error.code not in (404, 409):
                raise


def _blocks(dependent: Obj, uid: str) -> bool:
    return any(
        owner.get("uid") == uid and owner.get("blockOwnerDeletion")
        for owner in items(dependent, "metadata", "ownerReferences")
    )


def _concerns(before: Obj | None, after: Obj | None) -> bool:
    """Wake at what can make garbage: an object that goes or is going, and one that comes with owners."""
    if after is None:
        return True
    if dig(after, "metadata", "deletionTimestamp"):
        return before is None or dig(before, "metadata") != dig(after, "metadata")
    return before is None and bool(items(after, "metadata", "ownerReferences"))
