"""The objects, and the history of their changes: what etcd and the watch cache are to a real API server."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from simlab.kube.objects import Obj, name_of, namespace_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

ADDED: Final = "ADDED"
MODIFIED: Final = "MODIFIED"
DELETED: Final = "DELETED"

# Changes kept for each resource. A watch that resumes from before them gets 410 Gone and must list again.
HISTORY: Final = 2000

Key = tuple[str, str]


@dataclass
class Entry:
    """One version of one object. The object is shared by all readers and never changed."""

    obj: Obj
    version: int
    _text: str | None = None
    _item: str | None = None

    @property
    def text(self) -> str:
        """The object as JSON, made once for all who read it."""
        if self._text is None:
            self._text = json.dumps(self.obj, separators=(",", ":"))
        return self._text

    @property
    def item(self) -> str:
        """The object as JSON as an item of a list, where the list's kind speaks for it."""
        if self._item is None:
            bare = {key: value for key, value in self.obj.items() if key not in ("kind", "apiVersion")}
            self._item = json.dumps(bare, separators=(",", ":"))
        return self._item


@dataclass(frozen=True)
class Change:
    """One step in a resource's history."""

    version: int
    action: str
    entry: Entry
    before: Entry | None


@dataclass
class Table:
    """The objects of one resource and its recent changes."""

    history: int
    objects: dict[Key, Entry] = field(default_factory=dict)
    changes: deque[Change] = field(default_factory=deque)
    forgotten: int = 0
    wakers: set[asyncio.Event] = field(default_factory=set)

    def record(self, change: Change) -> None:
        """Append a change, forget what is too old, and wake every watch."""
        self.changes.append(change)
        while len(self.changes) > self.history:
            self.forgotten = self.changes.popleft().version
        for waker in self.wakers:
            waker.set()

    def since(self, version: int) -> list[Change]:
        """Return the changes after a version, oldest first. The caller has checked `reaches`."""
        found: list[Change] = []
        for change in reversed(self.changes):
            if change.version <= version:
                break
            found.append(change)
        found.reverse()
        return found

    def reaches(self, version: int) -> bool:
        """Say whether history still holds every change after a version."""
        return version >= self.forgotten


class Store:
    """Every object of the cluster under one rising resource version."""

    def __init__(self, history: int = HISTORY) -> None:
        self.version = 1
        self._history = history
        self._tables: dict[str, Table] = {}

    def table(self, name: str) -> Table:
        """Return a resource's table."""
        if name not in self._tables:
            self._tables[name] = Table(self._history)
        return self._tables[name]

    def wake_all(self) -> None:
        """Wake every watch, also those of resources that are no longer served."""
        for rows in self._tables.values():
            for waker in rows.wakers:
                waker.set()

    def get(self, table: str, namespace: str, name: str) -> Entry | None:
        """Return an object's present version, or None."""
        return self.table(table).objects.get((namespace, name))

    def entries(self, table: str, namespace: str = "") -> Iterator[Entry]:
        """Yield a resource's objects, ordered by namespace and name; of one namespace if it is given."""
        objects = self.table(table).objects
        for key in sorted(objects):
            if not namespace or key[0] == namespace:
                yield objects[key]

    def put(self, table: str, obj: Obj) -> Entry:
        """Store a new version of an object and return it; the caller gives the object away."""
        rows = self.table(table)
        key = (namespace_of(obj), name_of(obj))
        before = rows.objects.get(key)
        entry = self._stamp(obj)
        rows.objects[key] = entry
        rows.record(Change(entry.version, MODIFIED if before else ADDED, entry, before))
        return entry

    def remove(self, table: str, obj: Obj) -> Entry:
        """Remove an object.

        The entry that is returned is its last state, stamped with the removal's version.
        """
        rows = self.table(table)
        before = rows.objects.pop((namespace_of(obj), name_of(obj)))
        entry = self._stamp(obj)
        rows.record(Change(entry.version, DELETED, entry, before))
        return entry

    def _stamp(self, obj: Obj) -> Entry:
        self.version += 1
        metadata: dict[str, Any] = obj["metadata"]
        metadata["resourceVersion"] = str(self.version)
        return Entry(obj, self.version)
