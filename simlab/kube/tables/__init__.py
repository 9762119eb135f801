"""The server's own tables, which `kubectl get` shows: columns and cells of each kind.

Columns and cells: Kubernetes v1.24, `pkg/printers/internalversion/printers.go`; of custom resources:
apiextensions-apiserver `pkg/registry/customresource/tableconvertor`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from simlab.kube.objects import Obj, mapping
from simlab.kube.tables import custom, kinds, pods, workloads
from simlab.kube.tables.columns import Column, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from simlab.kube.resources import Resource

_Row = list[Any]
_PRINTERS: Final[dict[str, tuple[tuple[Column, ...], Callable[[Obj], _Row]]]] = {
    **pods.PRINTERS,
    **workloads.PRINTERS,
    **kinds.PRINTERS,
}
_PLAIN: Final = (text("Name", name=True), Column("Created At", "date"))


def columns(resource: Resource) -> list[Obj]:
    """Return the column definitions of a resource's table."""
    if resource.custom is not None:
        return [column.definition() for column in custom.columns(resource)]
    chosen = _PRINTERS[resource.kind][0] if resource.kind in _PRINTERS else _PLAIN
    return [column.definition() for column in chosen]


def cells(resource: Resource, obj: Obj) -> _Row:
    """Return an object's cells, one for each column."""
    if resource.custom is not None:
        return custom.cells(resource, obj)
    if resource.kind in _PRINTERS:
        return _PRINTERS[resource.kind][1](obj)
    metadata = mapping(obj, "metadata")
    return [metadata.get("name"), metadata.get("creationTimestamp")]


def row(resource: Resource, obj: Obj, include: str) -> Obj:
    """Return an object's row; `include` says what of the object goes with it (None, Metadata, Object)."""
    result: Obj = {"cells": cells(resource, obj)}
    if include == "Object":
        result["object"] = obj
    elif include != "None":
        result["object"] = {
            "kind": "PartialObjectMetadata",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": obj["metadata"],
        }
    return result


def table(
    resource: Resource, objects: list[Obj], metadata: Obj, include: str, version: str, *, head: bool = True
) -> Obj:
    """Return a Table of objects.

    Without `head` it has no columns, as in every event of a watch but the first.
    """
    return {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": metadata,
        "columnDefinitions": columns(resource) if head else [],
        "rows": [row(resource, obj, include) for obj in objects],
    }
