"""Deleting: preconditions, grace, propagation, and what holds an object back.

Behaviour and texts: Kubernetes v1.24, apiserver `pkg/registry/rest/delete.go`,
`pkg/registry/core/pod/strategy.go` and `plugin/pkg/admission/namespace/lifecycle`.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simlab.kube.errors import conflict, forbidden
from simlab.kube.objects import Obj, dig, format_time, items, meta, name_of, parse_time

if TYPE_CHECKING:
    from simlab.kube.resources import Resource

# Namespaces that the cluster cannot be without.
_IMMORTAL: Final = ("default", "kube-system", "kube-public")
_BEING_EMPTIED: Final = (
    "The system is ensuring all content is removed from this namespace.  Upon completion, this namespace "
    "will automatically be purged by the system."
)


@dataclass(frozen=True)
class Deletion:
    """The options of a delete."""

    grace: int | None = None
    propagation: str | None = None
    uid: str | None = None
    version: str | None = None
    dry_run: bool = False


def check(resource: Resource, obj: Obj, deletion: Deletion) -> None:
    """Refuse a delete whose preconditions do not hold, or of what may not go; raises the 409 or 403."""
    metadata, name = meta(obj), name_of(obj)
    for label, wanted, found in (
        ("UID", deletion.uid, metadata.get("uid")),
        ("ResourceVersion", deletion.version, metadata.get("resourceVersion")),
    ):
        if wanted is not None and wanted != found:
            why = (
                f"the {label} in the precondition ({wanted}) does not match the {label} in record ({found}). "
                "The object might have been deleted and then recreated"
            )
            raise conflict(resource.kind, resource.group, name, why)
    if resource.kind != "Namespace":
        return
    if name in _IMMORTAL:
        raise forbidden("namespaces", "", name, "this namespace may not be deleted")
    if metadata.get("deletionTimestamp") and _is_held(resource, obj):
        raise conflict("namespaces", "", name, _BEING_EMPTIED)


def mark(resource: Resource, obj: Obj, deletion: Deletion) -> bool:
    """Mark an object, in place, as a delete wants it; say whether it may go at once."""
    _set_propagation(meta(obj), deletion.propagation)
    grace = _grace(resource, obj, deletion)
    gone = grace == 0 and not _is_held(resource, obj)
    if not gone or resource.kind == "Pod":
        _mark(resource, obj, grace)
    return gone


def _is_held(resource: Resource, obj: Obj) -> bool:
    """Say whether something must still be done before an object may go."""
    if items(obj, "metadata", "finalizers"):
        return True
    return resource.kind == "Namespace" and bool(items(obj, "spec", "finalizers"))


def is_finished(resource: Resource, obj: Obj) -> bool:
    """Say whether an object is marked as deleted and nothing holds it any longer."""
    metadata = meta(obj)
    return (
        bool(metadata.get("deletionTimestamp"))
        and not metadata.get("deletionGracePeriodSeconds")
        and not _is_held(resource, obj)
    )


def _grace(resource: Resource, obj: Obj, deletion: Deletion) -> int:
    """Return the seconds that an object gets: only pods that a node may be running get any (podStrategy)."""
    if resource.kind != "Pod" or resource.model is None:
        return 0
    asked = deletion.grace if deletion.grace is None or deletion.grace >= 0 else 1
    pending = meta(obj).get("deletionGracePeriodSeconds")
    if meta(obj).get("deletionTimestamp"):
        return int(pending or 0) if asked is None else min(asked, int(pending or 0))
    if not dig(obj, "spec", "nodeName") or dig(obj, "status", "phase") in ("Succeeded", "Failed"):
        return 0
    return asked if asked is not None else int(dig(obj, "spec", "terminationGracePeriodSeconds") or 0)


_PROPAGATION_FINALIZERS: Final = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}


def _set_propagation(metadata: Obj, propagation: str | None) -> None:
    """Give an object the finalizer of a propagation policy, by which the garbage collector knows of it."""
    if propagation is None:
        return
    finalizers = [
        name for name in metadata.pop("finalizers", []) if name not in _PROPAGATION_FINALIZERS.values()
    ]
    if propagation in _PROPAGATION_FINALIZERS:
        finalizers.append(_PROPAGATION_FINALIZERS[propagation])
    if finalizers:
        metadata["finalizers"] = finalizers


def _mark(resource: Resource, obj: Obj, grace: int) -> None:
    """Mark an object as being deleted."""
    metadata = meta(obj)
    first = not metadata.get("deletionTimestamp")
    pending = int(metadata.get("deletionGracePeriodSeconds") or 0)
    if first:
        moment = dt.datetime.now(tz=dt.UTC) + dt.timedelta(seconds=grace)
        metadata["deletionTimestamp"] = format_time(moment)
        if metadata.get("generation"):
            metadata["generation"] += 1
    elif grace < pending:
        moment = parse_time(metadata["deletionTimestamp"]) + dt.timedelta(seconds=grace - pending)
        metadata["deletionTimestamp"] = format_time(moment)
    metadata["deletionGracePeriodSeconds"] = grace
    if resource.kind == "Namespace":
        obj.setdefault("status", {})["phase"] = "Terminating"
        metadata.pop("deletionGracePeriodSeconds", None)
