"""Watches: the changes of a resource as a stream, with bookmarks, and 410 for a version that history has lost.

Behaviour: Kubernetes v1.24, apiserver `pkg/endpoints/handlers/watch.go` and `pkg/storage/cacher`.
"""

from __future__ import annotations

import asyncio
import json
import random
from typing import TYPE_CHECKING, Any, Final

from simlab.kube.errors import ApiError, expired
from simlab.kube.selectors import matches_fields, matches_labels
from simlab.kube.store import ADDED, DELETED, MODIFIED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from simlab.kube.objects import Obj
    from simlab.kube.request import ListOptions
    from simlab.kube.resources import Resource
    from simlab.kube.store import Change, Entry, Store

# A bookmark a minute, and between half an hour and an hour for who asks for no limit (--min-request-timeout's default).
_BOOKMARK_SECONDS: Final = 60.0
_SHORTEST_SECONDS: Final = 1800
# A real API server's own first bookmark tells a client that its initial events are complete.
INITIAL_EVENTS_END: Final = "k8s.io/initial-events-end"


def selected(options: ListOptions, namespace: str, obj: Obj) -> bool:
    """Say whether an object is among those that a list or watch is of."""
    if namespace and obj["metadata"].get("namespace") != namespace:
        return False
    return matches_labels(options.labels, obj) and matches_fields(options.fields, obj)


def seen_as(change: Change, options: ListOptions, namespace: str) -> str | None:
    """Return what a change is to one watch: an object that begins to match is ADDED to it, one that ends DELETED."""
    after = change.action != DELETED and selected(options, namespace, change.entry.obj)
    before = change.before is not None and selected(options, namespace, change.before.obj)
    if after:
        return MODIFIED if before else ADDED
    return DELETED if before else None


def gone(version: int, oldest: int) -> ApiError:
    """Return the 410 of a version that history no longer reaches."""
    return expired(f"too old resource version: {version} ({oldest})")


async def follow(
    store: Store, resource: Resource, namespace: str, options: ListOptions, closing: asyncio.Event
) -> AsyncIterator[tuple[str, Entry | Obj]]:
    """Yield (type, object) for a watch until its time is up or the server closes.

    The object is an Entry for an object's version, and plain data for a BOOKMARK or an ERROR, which is the last.
    """
    table = store.table(resource.store)
    loop = asyncio.get_running_loop()
    limit = options.timeout or int(_SHORTEST_SECONDS * (1 + random.random()))  # noqa: S311 - spread, not secrecy
    deadline = loop.time() + limit
    bookmark_at = loop.time() + _BOOKMARK_SECONDS
    at = int(options.version or 0)
    initial = options.initial_events or at == 0
    waker = asyncio.Event()
    table.wakers.add(waker)
    try:
        if initial:
            at = store.version
            for entry in list(store.entries(resource.store, namespace)):
                if selected(options, namespace, entry.obj):
                    yield ADDED, entry
            if options.initial_events and options.bookmarks:
                yield "BOOKMARK", _bookmark(resource, at, initial_end=True)
        while True:
            waker.clear()
            if not table.reaches(at):
                yield "ERROR", gone(at, table.forgotten).status()
                return
            for change in table.since(at):
                at = change.version
                kind = seen_as(change, options, namespace)
                if kind is not None:
                    yield kind, _left(change) if kind == DELETED else change.entry
            now = loop.time()
            if closing.is_set() or now >= deadline:
                return
            if options.bookmarks and now >= bookmark_at:
                bookmark_at = now + _BOOKMARK_SECONDS
                at = max(at, store.version)
                yield "BOOKMARK", _bookmark(resource, at, initial_end=False)
                continue
            if waker.is_set():
                continue
            try:
                async with asyncio.timeout_at(min(deadline, bookmark_at) if options.bookmarks else deadline):
                    await waker.wait()
            except TimeoutError:
                continue
    finally:
        table.wakers.discard(waker)


def _left(change: Change) -> Entry | Obj:
    """Return what a watch is shown of an object that left it: its last matching state, under the change's version."""
    if change.action == DELETED or change.before is None:
        return change.entry
    old = change.before.obj
    return {**old, "metadata": {**old["metadata"], "resourceVersion": str(change.version)}}


def _bookmark(resource: Resource, version: int, *, initial_end: bool) -> dict[str, Any]:
    metadata: dict[str, Any] = {"resourceVersion": str(version), "creationTimestamp": None}
    if initial_end:
        metadata["annotations"] = {INITIAL_EVENTS_END: "true"}
    return {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}


def line(kind: str, text: str) -> bytes:
    """Return one watch event as it goes over the wire; `text` is the object's JSON."""
    return f'{{"type":{json.dumps(kind)},"object":{text}}}\n'.encode()
