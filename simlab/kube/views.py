"""One stored object seen through each of the API versions that serve it.

Events are stored as core `v1` and served as `events.k8s.io/v1` too (Kubernetes v1.24,
`pkg/apis/events/v1/conversion.go`); a custom resource is stored as it came and served in each served version
under that version's name.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from simlab.kube.objects import Obj
    from simlab.kube.resources import Resource
    from simlab.kube.store import Entry

_EVENT_NAMES: Final = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
_CORE_NAMES: Final = {new: old for old, new in _EVENT_NAMES.items()}


def stored(resource: Resource, obj: Obj) -> Obj:
    """Return a request's object in the form in which it is stored."""
    if resource.group != "events.k8s.io":
        return obj
    result = {_CORE_NAMES.get(key, key): value for key, value in obj.items()}
    result["apiVersion"] = "v1"
    return result


def shown(resource: Resource, obj: Obj) -> Obj:
    """Return a stored object as a resource's clients see it."""
    if obj.get("apiVersion") == resource.api_version:
        return obj
    if resource.group == "events.k8s.io":
        obj = {_EVENT_NAMES.get(key, key): value for key, value in obj.items()}
    return {**obj, "apiVersion": resource.api_version}


def shown_text(resource: Resource, entry: Entry) -> str:
    """Return a stored object's JSON as a resource's clients see it."""
    if entry.obj.get("apiVersion") == resource.api_version:
        return entry.text
    return json.dumps(shown(resource, entry.obj), separators=(",", ":"))
