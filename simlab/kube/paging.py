"""Lists and their pages.

Behaviour and texts: Kubernetes v1.24, apiserver `pkg/storage/etcd3/store.go` and `pkg/storage/errors.go`. The
pages of a real server are of one moment; these show each page's own moment.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from simlab.kube.errors import ApiError, bad_request, expired
from simlab.kube.watch import selected

if TYPE_CHECKING:
    from simlab.kube.request import ListOptions, Target
    from simlab.kube.resources import Resource
    from simlab.kube.store import Entry, Store


def page(
    store: Store, resource: Resource, target: Target, options: ListOptions
) -> tuple[list[Entry], dict[str, Any]]:
    """Return the objects of a list, or of its next part, and the list's metadata."""
    version_now = store.version
    if options.version and int(options.version) > version_now:
        text = f"Too large resource version: {options.version}, current: {version_now}"
        causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
        raise ApiError(504, "Timeout", text, {"causes": causes, "retryAfterSeconds": 1})
    start: tuple[str, str] | None = None
    if options.token:
        version_now, start = _continued(store, resource, options.token)
    found = [
        entry
        for entry in store.entries(resource.store, target.namespace)
        if (start is None or _key(entry) > start) and selected(options, target.namespace, entry.obj)
    ]
    metadata: dict[str, Any] = {"resourceVersion": str(version_now)}
    if options.limit and len(found) > options.limit:
        left = len(found) - options.limit
        found = found[: options.limit]
        token = json.dumps({"rv": version_now, "start": _key(found[-1])})
        metadata["continue"] = base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
        if not options.labels and not options.fields:
            metadata["remainingItemCount"] = left
    return found, metadata


def _continued(store: Store, resource: Resource, token: str) -> tuple[int, tuple[str, str]]:
    try:
        data = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        started, start = int(data["rv"]), (str(data["start"][0]), str(data["start"][1]))
    except (ValueError, KeyError, TypeError, IndexError):
        raise bad_request("continue key is not valid") from None
    if not store.table(resource.store).reaches(started):
        raise expired(
            "The provided continue parameter is too old to display a consistent list result. You must "
            "start a new list without the continue parameter."
        )
    return started, start


def _key(entry: Entry) -> tuple[str, str]:
    metadata = entry.obj["metadata"]
    return metadata.get("namespace", ""), metadata["name"]
