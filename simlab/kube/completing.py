"""Completing a new object: what the server itself decides about it.

Source: Kubernetes v1.24, apiserver `pkg/registry/rest/create.go` and the strategies in `pkg/registry`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simlab.kube.defaults import apply_defaults, custom_defaults, qos_class
from simlab.kube.objects import Obj, clone, dig, items, mapping, meta, new_uid, now
from simlab.kube.schema import fields_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from simlab.kube.resources import Resource


def complete(resource: Resource, obj: Obj) -> None:
    """Fill in what the server itself decides about a new object."""
    metadata = meta(obj)
    for key in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation"):
        metadata.pop(key, None)
    metadata["uid"] = new_uid()
    metadata["creationTimestamp"] = now()
    if resource.generation:
        metadata["generation"] = 1
    if "status" in resource.subresources and not resource.keeps_status:
        obj.pop("status", None)
    fill_in(resource, obj)
    if resource.model is not None and resource.kind in _FIRST_STATUS:
        obj["status"] = _FIRST_STATUS[resource.kind](obj)


def fill_in(resource: Resource, obj: Obj) -> None:
    """Fill in, in place, what an object leaves out."""
    for key in ("spec", "status"):
        # A built-in kind's answer always has them, if only as empty structures.
        if key in fields_of(resource.model):
            obj.setdefault(key, {})
    if resource.model is not None:
        apply_defaults(resource.kind, obj)
    elif resource.custom is not None:
        custom_defaults(dig(resource.custom, "version", "schema", "openAPIV3Schema"), obj)


def _established(definition: Obj) -> Obj:
    """Return the status of a definition whose names are free and which is served at once."""
    spec = mapping(definition, "spec")
    conditions = [
        {
            "type": kind,
            "status": "True",
            "lastTransitionTime": now(),
            "reason": reason,
            "message": message,
        }
        for kind, reason, message in (
            ("NamesAccepted", "NoConflicts", "no conflicts found"),
            ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        )
    ]
    return {
        "conditions": conditions,
        "acceptedNames": clone(mapping(spec, "names")),
        "storedVersions": [
            version.get("name") for version in items(spec, "versions") if version.get("storage")
        ],
    }


def _counts(*keys: str) -> Callable[[Obj], Obj]:
    return lambda _: dict.fromkeys(keys, 0)


_FIRST_STATUS: Final[dict[str, Callable[[Obj], Obj]]] = {
    "Pod": lambda pod: {"phase": "Pending", "qosClass": qos_class(mapping(pod, "spec"))},
    "CustomResourceDefinition": _established,
    "ReplicaSet": _counts("replicas"),
    "StatefulSet": _counts("replicas"),
    "DaemonSet": _counts(
        "currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady"
    ),
}
