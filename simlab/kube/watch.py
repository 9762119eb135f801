"""Watches: a resource's changes as a stream, with bookmarks, and 410 for what history has lost.

Behaviour: Kubernetes v1.24, apiserver `pkg/endpoints/handlers/watch.go` and `pkg/storage/cacher`.
"""

from __future__ import annotations

import asyncio
import contextlib
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

# A bookmark a minute; half an hour to an hour for who asks for no limit (--min-request-timeout's default).
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
    """Return what a change is to one watch.

    An object that begins to match is ADDED to it, one that ends DELETED.
    """
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

    The object is an Entry for an object's version, and plain data for a BOOKMARK or an ERROR, which is the
    last.
    """
    table = store.table(resource.store)
    at = int(options.version or 0)
    waker = asyncio.Event()
    table.wakers.add(waker)
    try:
        if options.initial_events or at == 0:
            at = store.version
            for event in _initial(store, resource, namespace, options):
                yield event
        pauses = _Pauses(options)
        while True:
            waker.clear()
            if not table.reaches(at):
                yield "ERROR", gone(at, table.forgotten).status()
                return
            for change in table.since(at):
                at = change.version
                for event in _events(change, options, namespace):
                    yield event
            if closing.is_set() or pauses.over:
                return
            if pauses.bookmark_due():
                at = max(at, store.version)
                yield "BOOKMARK", _bookmark(resource, at, initial_end=False)
            elif not waker.is_set():
                await pauses.wait(waker)
    finally:
        table.wakers.discard(waker)


def _events(change: Change, options: ListOptions, namespace: str) -> list[tuple[str, Entry | Obj]]:
    kind = seen_as(change, options, namespace)
    if kind is None:
        return []
    return [(kind, _left(change) if kind == DELETED else change.entry)]


def _initial(
    store: Store, resource: Resource, namespace: str, options: ListOptions
) -> list[tuple[str, Entry | Obj]]:
    """Return what a watch begins with: the objects that there are, and a bookmark where it asks for one."""
    entries = store.entries(resource.store, namespace)
    found: list[tuple[str, Entry | Obj]] = [
        (ADDED, entry) for entry in entries if selected(options, namespace, entry.obj)
    ]
    if options.initial_events and options.bookmarks:
        found.append(("BOOKMARK", _bookmark(resource, store.version, initial_end=True)))
    return found


class _Pauses:
    """When a watch ends, when its next bookmark is due, and the waiting in between."""

    def __init__(self, options: ListOptions) -> None:
        self._loop = asyncio.get_running_loop()
        spread = random.random()  # noqa: S311 - spreads reconnections, keeps no secret
        limit = options.timeout or int(_SHORTEST_SECONDS * (1 + spread))
        self._deadline = self._loop.time() + limit
        self._wants_bookmarks = options.bookmarks
        self._bookmark_at = self._loop.time() + _BOOKMARK_SECONDS

    @property
    def over(self) -> bool:
        """Whether the watch's time is up."""
        return self._loop.time() >= self._deadline

    def bookmark_due(self) -> bool:
        """Say whether a bookmark is due now; the next is due a period later."""
        if not self._wants_bookmarks or self._loop.time() < self._bookmark_at:
            return False
        self._bookmark_at = self._loop.time() + _BOOKMARK_SECONDS
        return True

    async def wait(self, waker: asyncio.Event) -> None:
        """Wait for a change, at most until there is something to do without one."""
        until = min(self._deadline, self._bookmark_at) if self._wants_bookmarks else self._deadline
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await waker.wait()


def _left(change: Change) -> Entry | Obj:
    """Return what a watch is shown of an object that left it.

    Its last matching state, under the change's version.
    """
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
