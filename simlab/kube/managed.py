"""Field managers: who owns which field of an object, and server-side apply.

Behaviour and texts: Kubernetes v1.24, apiserver `pkg/endpoints/handlers/fieldmanager`, and structured-merge-
diff v4 `merge/update.go`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from simlab.kube.errors import ApiError
from simlab.kube.fieldsets import (
    FieldSet,
    Path,
    Shape,
    from_fields,
    leaves,
    merge,
    path_text,
    to_fields,
    without,
)
from simlab.kube.objects import Obj, clone, dig, meta, now

if TYPE_CHECKING:
    from simlab.kube.resources import Resource

# What nobody owns: identity and what the server alone writes.
_UNOWNED: Final = (
    ("f:apiVersion",),
    ("f:kind",),
    *(
        ("f:metadata", f"f:{key}")
        for key in (
            "name",
            "namespace",
            "uid",
            "resourceVersion",
            "generation",
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "selfLink",
            "managedFields",
            "generateName",
        )
    ),
)
_EMPTY: Final[FieldSet] = frozenset()


@dataclass(frozen=True)
class _Entry:
    """One manager's fields."""

    manager: str
    operation: str
    version: str
    part: str
    fields: FieldSet
    time: str

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What tells entries apart."""
        version = "" if self.operation == "Apply" else self.version
        return self.manager, self.operation, version, self.part

    def written(self) -> Obj:
        """Return the entry as `managedFields` has it."""
        entry: Obj = {
            "manager": self.manager,
            "operation": self.operation,
            "apiVersion": self.version,
            "time": self.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": to_fields(self.fields),
        }
        if self.part:
            entry["subresource"] = self.part
        return entry


def _read(obj: Obj) -> list[_Entry]:
    return [
        _Entry(
            manager=str(entry.get("manager", "")),
            operation=str(entry.get("operation", "Update")),
            version=str(entry.get("apiVersion", "")),
            part=str(entry.get("subresource", "")),
            fields=from_fields(entry.get("fieldsV1")),
            time=str(entry.get("time", "")),
        )
        for entry in dig(obj, "metadata", "managedFields") or []
        if entry
    ]


def _write(obj: Obj, entries: list[_Entry]) -> None:
    metadata = meta(obj)
    metadata.pop("managedFields", None)
    written = [entry.written() for entry in entries if entry.fields]
    if written:
        metadata["managedFields"] = written


def owners(obj: Obj) -> list[tuple[tuple[str, str, str, str], FieldSet]]:
    """Return who owns what, without when."""
    return [(entry.identity, entry.fields) for entry in _read(obj)]


def shape_of(resource: Resource) -> Shape:
    """Return the shape of a resource's objects."""
    if resource.model is not None:
        return resource.model
    schema = dig(resource.custom, "version", "schema", "openAPIV3Schema") or {}
    return {**schema, "x-root": True}


def _owned(resource: Resource, obj: Obj, part: str) -> dict[Path, Any]:
    """Return the fields of an object that a write through a subresource (or the object itself) can own."""
    found = leaves(obj, shape_of(resource))
    hidden_status = not part and "status" in resource.subresources and not resource.keeps_status
    return {
        path: value
        for path, value in found.items()
        if path[:2] not in _UNOWNED
        and path[:1] not in _UNOWNED
        and not (hidden_status and path[0] == "f:status")
    }


def record_create(resource: Resource, obj: Obj, manager: str, applied: Obj | None) -> None:
    """Note, in a new object, who made it: a creator owns all of it, an applier what it applied."""
    operation = "Update" if applied is None else "Apply"
    fields = frozenset(_owned(resource, obj if applied is None else applied, ""))
    _write(obj, [_Entry(manager, operation, resource.api_version, "", fields, now())])


def record_update(
    resource: Resource, obj: Obj, before: Obj, manager: str, part: str, applied: Obj | None
) -> None:
    """Note, in a changed object, who changed what."""
    explicit = dig(obj, "metadata", "managedFields")
    entries = [] if explicit in ([], [{}]) else _read(before)
    operation = "Update" if applied is None else "Apply"
    mine = _Entry(manager, operation, resource.api_version, part, _EMPTY, now())
    held = next((entry.fields for entry in entries if entry.identity == mine.identity), _EMPTY)
    was, is_now = _owned(resource, before, part), _owned(resource, obj, part)
    changed = frozenset(path for path, value in is_now.items() if path not in was or was[path] != value)
    removed = frozenset(was) - frozenset(is_now)
    fields = (held - removed) | changed if applied is None else frozenset(_owned(resource, applied, part))
    result: list[_Entry] = []
    for entry in entries:
        if entry.identity == mine.identity:
            continue
        # Whoever set what was just changed to another value no longer owns it.
        result.append(replace(entry, fields=entry.fields - changed - removed))
    if fields == held:
        mine = next((entry for entry in entries if entry.identity == mine.identity), mine)
    result.append(replace(mine, fields=fields))
    _write(obj, sorted(result, key=lambda entry: (entry.operation != "Apply", entry.time, entry.manager)))


def merge_applied(
    resource: Resource, current: Obj, applied: Obj, manager: str, part: str, *, force: bool
) -> Obj:
    """Return an object with a manager's configuration applied; raises the 409 of fields that others own."""
    shape = shape_of(resource)
    identity = (manager, "Apply", "", part)
    entries = _read(current)
    live, wanted = leaves(current, shape), _owned(resource, applied, part)
    others = [entry for entry in entries if entry.identity != identity]
    conflicts = {
        entry: sorted(
            path for path in entry.fields & frozenset(wanted) if path in live and live[path] != wanted[path]
        )
        for entry in others
    }
    found = {entry: paths for entry, paths in conflicts.items() if paths}
    if found and not force:
        raise _conflict(found)
    merged = merge(clone(current), clone(applied), shape)
    previous = next((entry.fields for entry in entries if entry.identity == identity), _EMPTY)
    elsewhere = frozenset(path for entry in others for path in entry.fields)
    # An item goes before its fields: without its key it could no longer be found.
    for path in sorted(previous - frozenset(wanted), key=len):
        held_below = any(other[: len(path)] == path for other in elsewhere)
        if not held_below:
            merged = without(merged, path, shape)
    meta(merged)["managedFields"] = meta(current).get("managedFields", [{}])
    return dict(merged)


def _conflict(found: dict[_Entry, list[Path]]) -> ApiError:
    count = sum(len(paths) for paths in found.values())
    causes: list[Obj] = []
    texts: list[str] = []
    for entry, paths in found.items():
        with_whom = f'"{entry.manager}"' + (f' with subresource "{entry.part}"' if entry.part else "")
        using = f"using {entry.version}"
        causes.extend(
            {
                "reason": "FieldManagerConflict",
                "message": f"conflict with {with_whom} {using}",
                "field": path_text(path),
            }
            for path in paths
        )
        if len(paths) == 1:
            texts.append(f"conflict with {with_whom} {using}: {path_text(paths[0])}")
        else:
            listed = "".join(f"\n- {path_text(path)}" for path in paths)
            texts.append(f"conflicts with {with_whom} {using}:{listed}")
    message = f"Apply failed with {count} conflict{'s' if count > 1 else ''}: " + "\n".join(texts)
    return ApiError(409, "Conflict", message, {"causes": causes})
