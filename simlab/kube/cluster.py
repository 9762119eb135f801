"""The API's operations on objects: create, update, patch, delete, bind, evict, scale.

The order of checks, and what a write may change, follow Kubernetes v1.24: apiserver `pkg/registry/rest`,
`pkg/registry/generic/registry/store.go` and the strategies in `pkg/registry`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from simlab.kube import admission, completing, deleting, managed, views
from simlab.kube.decode import decode, refuse_unknown
from simlab.kube.errors import (
    already_exists,
    bad_request,
    conflict,
    invalid,
    invalid_value,
    not_found,
    unsupported_media,
)
from simlab.kube.objects import (
    Obj,
    clone,
    copied,
    dig,
    generated_name,
    items,
    meta,
    name_of,
    now,
)
from simlab.kube.patch import json_patch, merge_patch
from simlab.kube.strategic import strategic_merge
from simlab.kube.validation import validate, validate_update

if TYPE_CHECKING:
    from collections.abc import Callable

    from simlab.kube.resources import Registry, Resource
    from simlab.kube.store import Entry, Store

JSON_PATCH: Final = "application/json-patch+json"
MERGE_PATCH: Final = "application/merge-patch+json"
STRATEGIC_PATCH: Final = "application/strategic-merge-patch+json"
APPLY_PATCH: Final = "application/apply-patch+yaml"
PATCHES: Final = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH)


@dataclass
class Write:
    """How a request wants its write done; `warnings` collects what the client is to be told."""

    dry_run: bool = False
    manager: str = "unknown"
    validation: str = "Warn"
    force: bool = False
    warnings: list[str] = field(default_factory=list)


class Cluster:
    """All objects of the cluster, and what may be done with them."""

    def __init__(self, store: Store, registry: Registry) -> None:
        self.store = store
        self.registry = registry

    def get(self, resource: Resource, namespace: str, name: str) -> Entry:
        """Return an object; raises the 404 if there is none."""
        entry = self.store.get(resource.store, namespace, name)
        if entry is None:
            raise not_found(resource.plural, resource.group, name)
        return entry

    def create(self, resource: Resource, namespace: str, body: Any, write: Write) -> Obj:
        """Create an object from a request's body and return it as stored."""
        obj = self._decoded(resource, body, write)
        metadata = meta(obj)
        _match_namespace(resource, metadata, namespace)
        if metadata.get("resourceVersion"):
            raise bad_request("resourceVersion should not be set on objects to be created")
        return self._insert(resource, obj, write, applied=None)

    def _insert(self, resource: Resource, obj: Obj, write: Write, applied: Obj | None) -> Obj:
        """Complete, admit, check and store a new object."""
        metadata = meta(obj)
        completing.complete(resource, obj)
        if resource.namespaced:
            admission.check_namespace(self.store, resource, obj)
        if resource.kind == "Pod" and resource.model is not None:
            admission.admit_pod(self.store, obj)
        elif resource.kind == "Service" and resource.model is not None:
            admission.give_address(self.store, obj)
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = generated_name(metadata["generateName"])
        if resource.kind == "Namespace":
            completing.fill_in(resource, obj)
        stored = views.stored(resource, obj)
        errors = validate(self._row_of(resource), stored)
        if errors:
            raise invalid(resource.kind, resource.group, name_of(obj), errors)
        if self.store.get(resource.store, metadata.get("namespace", ""), metadata["name"]) is not None:
            raise already_exists(resource.plural, resource.group, metadata["name"])
        managed.record_create(resource, obj, write.manager, applied)
        if write.dry_run:
            return obj
        return self._put(resource, views.stored(resource, obj))

    def _row_of(self, resource: Resource) -> Resource:
        """Return the row whose form the objects are stored in: events are stored as core v1."""
        if resource.group != "events.k8s.io":
            return resource
        return self.registry.find("", "v1", "events") or resource

    def _put(self, resource: Resource, obj: Obj) -> Obj:
        stored = self.store.put(resource.store, obj).obj
        if resource.kind == "CustomResourceDefinition":
            self.registry.add_definition(stored)
        return stored

    def _decoded(self, resource: Resource, body: Any, write: Write) -> Obj:
        decoded = decode(resource, body)
        if write.validation == "Strict":
            refuse_unknown(resource, decoded)
        elif write.validation == "Warn":
            write.warnings.extend(f'unknown field "{path}"' for path in decoded.unknown)
        return decoded.obj

    def update(
        self, resource: Resource, namespace: str, name: str, body: Any, write: Write, part: str = ""
    ) -> tuple[Obj, bool]:
        """Replace an object, or its status (`part` "status"); return it and whether it was created."""
        obj = self._decoded(resource, body, write)
        metadata = meta(obj)
        _match_namespace(resource, metadata, namespace)
        if metadata.setdefault("name", name) != name:
            raise bad_request(
                f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})"
            )
        entry = self.store.get(resource.store, namespace, name)
        if entry is None:
            if not resource.create_on_update or part:
                raise not_found(resource.plural, resource.group, name)
            metadata.pop("resourceVersion", None)
            return self._insert(resource, obj, write, applied=None), True
        return self._replace(resource, entry, obj, write, part), False

    def _replace(
        self, resource: Resource, entry: Entry, obj: Obj, write: Write, part: str, applied: Obj | None = None
    ) -> Obj:
        """Check a new version of an object against the old one and store it."""
        before = views.shown(resource, entry.obj)
        metadata, old = meta(obj), meta(before)
        _check_preconditions(resource, metadata, old)
        for key in ("uid", "creationTimestamp", "generation", "deletionTimestamp", "selfLink"):
            metadata.pop(key, None)
            if key in old:
                metadata[key] = old[key]
        if "deletionGracePeriodSeconds" in old:
            metadata.setdefault("deletionGracePeriodSeconds", old["deletionGracePeriodSeconds"])
        obj = _writable(resource, obj, before, part)
        metadata = meta(obj)
        completing.fill_in(resource, obj)
        errors = [
            *validate(self._row_of(resource), views.stored(resource, obj)),
            *validate_update(resource, obj, before),
        ]
        if errors:
            raise invalid(resource.kind, resource.group, name_of(obj), errors)
        if resource.generation and _spec(obj) != _spec(before):
            metadata["generation"] = int(old.get("generation", 0)) + 1
        managed.record_update(resource, obj, before, write.manager, part, applied)
        if _same(obj, before):
            return before
        metadata["resourceVersion"] = old["resourceVersion"]
        if write.dry_run:
            return obj
        if deleting.is_finished(resource, obj):
            self._remove(resource, views.stored(resource, obj))
            return obj
        return views.shown(resource, self._put(resource, views.stored(resource, obj)))

    def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        kind: str,
        patch: Any,
        write: Write,
        part: str = "",
    ) -> tuple[Obj, bool]:
        """Change an object by a patch of a media type; return it and whether it was created (by an apply)."""
        if kind == APPLY_PATCH:
            return self._apply(resource, namespace, name, patch, write, part)
        entry = self.get(resource, namespace, name)
        current = views.shown(resource, entry.obj)
        if kind == JSON_PATCH:
            changed = json_patch(current, patch)
        elif not isinstance(patch, dict):
            raise bad_request(
                "error decoding patch: json: cannot unmarshal into Go value of type map[string]interface {}"
            )
        elif kind == MERGE_PATCH:
            changed = merge_patch(current, patch)
        else:
            if resource.model is None:
                raise unsupported_media((JSON_PATCH, MERGE_PATCH, APPLY_PATCH))
            changed = strategic_merge(current, patch, resource.model)
        obj = self._decoded(resource, clone(changed), write)
        metadata = meta(obj)
        if metadata.get("name") != name:
            raise invalid(
                resource.kind,
                resource.group,
                name,
                [invalid_value("metadata.name", metadata.get("name"), "field is immutable")],
            )
        _match_namespace(resource, metadata, namespace)
        return self._replace(resource, entry, obj, write, part), False

    def _apply(
        self, resource: Resource, namespace: str, name: str, body: Any, write: Write, part: str
    ) -> tuple[Obj, bool]:
        """Do a server-side apply."""
        applied = self._decoded(resource, body, write)
        metadata = meta(applied)
        _match_namespace(resource, metadata, namespace)
        if metadata.setdefault("name", name) != name:
            raise bad_request(
                f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})"
            )
        if metadata.get("managedFields"):
            raise bad_request("metadata.managedFields must be nil")
        entry = self.store.get(resource.store, namespace, name)
        if entry is None:
            if part:
                raise not_found(resource.plural, resource.group, name)
            return self._insert(resource, clone(applied), write, applied=applied), True
        current = views.shown(resource, entry.obj)
        merged = managed.merge_applied(resource, current, applied, write.manager, part, force=write.force)
        return self._replace(resource, entry, merged, write, part, applied=applied), False

    def delete(
        self, resource: Resource, namespace: str, name: str, deletion: deleting.Deletion
    ) -> tuple[Obj, bool]:
        """Delete an object, or mark it; return it and whether it is gone."""
        entry = self.get(resource, namespace, name)
        deleting.check(resource, entry.obj, deletion)
        obj = clone(entry.obj)
        gone = deleting.mark(resource, obj, deletion)
        if deletion.dry_run:
            return obj, gone
        if gone:
            return self._remove(resource, obj), True
        if obj != entry.obj:
            obj = self._put(resource, obj)
        return obj, False

    def _remove(self, resource: Resource, obj: Obj) -> Obj:
        entry = self.store.remove(resource.store, obj)
        if resource.kind == "CustomResourceDefinition":
            self._forget_custom(entry.obj)
        return entry.obj

    def _forget_custom(self, definition: Obj) -> None:
        """Delete the objects of a definition that is gone, and their resource."""
        spec = definition["spec"]
        table = f"{spec['names']['plural']}.{spec['group']}"
        for entry in list(self.store.entries(table)):
            self.store.remove(table, clone(entry.obj))
        self.registry.remove_definition(definition)

    def bind(self, namespace: str, name: str, body: Any, write: Write) -> None:
        """Assign a pod to the node that a Binding names."""
        pods = self.registry.find("", "v1", "pods")
        if pods is None:
            raise not_found("pods", "", name)
        node = dig(body, "target", "name")
        if not isinstance(node, str) or not node:
            raise bad_request("target.name: Required value")
        entry = self.get(pods, namespace, name)
        pod = clone(entry.obj)
        bound = dig(pod, "spec", "nodeName")
        if dig(pod, "metadata", "deletionTimestamp"):
            raise conflict(
                "pods/binding", "", name, f"pod {name} is being deleted, cannot be assigned to a host"
            )
        if bound:
            raise conflict("pods/binding", "", name, f'pod {name} is already assigned to node "{bound}"')
        wanted = dig(body, "metadata", "uid")
        if wanted and wanted != meta(pod)["uid"]:
            why = (
                f"Precondition failed: UID in precondition: {wanted}, UID in object meta: {meta(pod)['uid']}"
            )
            raise conflict("pods/binding", "", name, why)
        pod["spec"]["nodeName"] = node
        conditions = [c for c in items(pod, "status", "conditions") if c.get("type") != "PodScheduled"]
        scheduled = {
            "type": "PodScheduled",
            "status": "True",
            "lastProbeTime": None,
            "lastTransitionTime": now(),
        }
        pod.setdefault("status", {})["conditions"] = [*conditions, scheduled]
        if not write.dry_run:
            self._put(pods, pod)

    def change(
        self, resource: Resource, namespace: str, name: str, edit: Callable[[Obj], None], write: Write
    ) -> Obj:
        """Change an object's spec by a function, as a subresource such as scale does."""
        entry = self.get(resource, namespace, name)
        obj = clone(entry.obj)
        edit(obj)
        return self._replace(resource, entry, obj, write, "scale")


def _match_namespace(resource: Resource, metadata: Obj, namespace: str) -> None:
    if not resource.namespaced:
        metadata.pop("namespace", None)
        return
    if metadata.setdefault("namespace", namespace) != namespace:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )


def _has_status(resource: Resource) -> bool:
    return "status" in resource.subresources


def _check_preconditions(resource: Resource, metadata: Obj, old: Obj) -> None:
    version = metadata.get("resourceVersion")
    if version in (None, "", "0"):
        if not resource.unconditional_update:
            detail = "must be specified for an update"
            raise invalid(
                resource.kind,
                resource.group,
                old["name"],
                [invalid_value("metadata.resourceVersion", 0, detail)],
            )
    elif version != old["resourceVersion"]:
        raise conflict(resource.plural, resource.group, old["name"])
    uid = metadata.get("uid")
    if uid and uid != old["uid"]:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {old['uid']}"
        raise conflict(resource.plural, resource.group, old["name"], why)


def _writable(resource: Resource, obj: Obj, before: Obj, part: str) -> Obj:
    """Return an object of which only the part that is written differs from what it was."""
    if part == "status":
        return _status_only(resource, obj, before)
    if _has_status(resource):
        _keep(obj, before, "status")
    if resource.kind == "Namespace" and part != "finalize":
        _keep(obj, before, "spec")
    return obj


def _keep(obj: Obj, before: Obj, key: str) -> None:
    obj.pop(key, None)
    if key in before:
        obj[key] = copied(before[key])


def _status_only(resource: Resource, obj: Obj, before: Obj) -> Obj:
    """Return the old object with the new one's status.

    Of built-in kinds labels and annotations may change too.
    """
    result = clone(before)
    if "status" in obj:
        result["status"] = obj["status"]
    else:
        result.pop("status", None)
    metadata, new = meta(result), meta(obj)
    keys = ("labels", "annotations", "finalizers") if resource.model is not None else ()
    for key in (*keys, "managedFields"):
        metadata.pop(key, None)
        if key in new:
            metadata[key] = new[key]
    return result


def _spec(obj: Obj) -> Obj:
    return {
        key: value for key, value in obj.items() if key not in ("metadata", "status", "apiVersion", "kind")
    }


def _same(obj: Obj, before: Obj) -> bool:
    """Say whether a write changes nothing: such a write leaves the resource version alone."""
    ignored = ("resourceVersion", "managedFields")
    strip = [
        {**each, "metadata": {k: v for k, v in meta(each).items() if k not in ignored}}
        for each in (obj, before)
    ]
    if strip[0] != strip[1]:
        return False
    return managed.owners(obj) == managed.owners(before)
