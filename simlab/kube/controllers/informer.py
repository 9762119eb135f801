"""A local copy of one resource's objects, kept up to date by list and watch."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from simlab.kube.client import Api, ApiError, ApiUnreachableError
from simlab.kube.objects import Obj, meta

if TYPE_CHECKING:
    from collections.abc import Callable

Key = tuple[str, str]
_log = logging.getLogger(__name__)

# After a failed list or a broken watch. A watch that ends in order is taken up again at once.
_RETRY_SECONDS: Final = 0.5
_TOMBSTONES: Final = 4096


def key_of(obj: Obj) -> Key:
    """Return an object's namespace and name."""
    metadata = meta(obj)
    return str(metadata.get("namespace") or ""), str(metadata["name"])


def _version(obj: Obj) -> int:
    # Resource versions are opaque by contract; every server there is writes rising numbers.
    text = str(meta(obj).get("resourceVersion") or "0")
    return int(text) if text.isdigit() else 0


class Informer:
    """The objects at one collection path. `on_change` is called with (before, after); None is absence."""

    def __init__(self, api: Api, path: str) -> None:
        self.path = path
        self.objects: dict[Key, Obj] = {}
        self.synced = asyncio.Event()
        self._api = api
        self._listeners: list[Callable[[Obj | None, Obj | None], None]] = []
        self._gone: dict[str, None] = {}

    def on_change(self, listener: Callable[[Obj | None, Obj | None], None]) -> None:
        """Have a function called at every change."""
        self._listeners.append(listener)

    def all(self) -> list[Obj]:
        """Return the objects, ordered by namespace and name."""
        return [self.objects[key] for key in sorted(self.objects)]

    def get(self, namespace: str, name: str) -> Obj | None:
        """Return an object, or None."""
        return self.objects.get((namespace, name))

    def learn(self, obj: Obj) -> None:
        """Take over what a write of our own returned, ahead of the watch."""
        if meta(obj).get("uid") in self._gone:
            return
        known = self.objects.get(key_of(obj))
        if known is None or _version(obj) > _version(known):
            self.objects[key_of(obj)] = obj
            self._tell(known, obj)

    def forget(self, obj: Obj) -> None:
        """Take an object as gone, ahead of the watch."""
        self._gone[str(meta(obj).get("uid"))] = None
        while len(self._gone) > _TOMBSTONES:
            self._gone.pop(next(iter(self._gone)))
        known = self.objects.get(key_of(obj))
        if known is not None and meta(known).get("uid") == meta(obj).get("uid"):
            del self.objects[key_of(obj)]
            self._tell(known, None)

    def _tell(self, before: Obj | None, after: Obj | None) -> None:
        for listener in self._listeners:
            listener(before, after)

    async def run(self) -> None:
        """Keep the copy up to date until cancelled."""
        version = ""
        while True:
            try:
                if not version:
                    version = await self._list()
                version = await self._watch(version)
            except ApiError as error:
                version = ""
                if error.code not in (404, 410):
                    _log.warning("%s: %s", self.path, error)
                if error.code != 410:
                    await asyncio.sleep(_RETRY_SECONDS)
            except ApiUnreachableError as error:
                _log.warning("%s", error)
                await asyncio.sleep(_RETRY_SECONDS)

    async def _list(self) -> str:
        listed = await self._api.get(self.path)
        kind = str(listed.get("kind", "")).removesuffix("List")
        found: dict[Key, Obj] = {}
        for item in listed.get("items") or []:
            item.setdefault("kind", kind)
            item.setdefault("apiVersion", listed.get("apiVersion"))
            found[key_of(item)] = item
        for key, obj in list(self.objects.items()):
            if key not in found:
                self.forget(obj)
        for obj in found.values():
            self.learn(obj)
        self.synced.set()
        return str(listed["metadata"]["resourceVersion"])

    async def _watch(self, version: str) -> str:
        async for event in self._api.watch(self.path, version):
            version = str(event.object["metadata"]["resourceVersion"])
            if event.kind in ("ADDED", "MODIFIED"):
                self.learn(event.object)
            elif event.kind == "DELETED":
                self.forget(event.object)
        return version
