"""What all controllers share.

Passes over the cluster's state, woken by changes, and the events that they record.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from typing import TYPE_CHECKING, Final

from simlab.kube.client import Api, ApiError, ApiUnreachableError
from simlab.kube.controllers.informer import Informer
from simlab.kube.objects import Obj, meta, now, now_micro

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)
_RETRY_SECONDS: Final = 0.5


class Cluster:
    """The API as controllers see it: one connection, and one informer a resource, shared by all."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self._informers: dict[str, Informer] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def informer(self, path: str) -> Informer:
        """Return the informer of a collection path (`/api/v1/pods`), started if it is new."""
        if path not in self._informers:
            self._informers[path] = Informer(self.api, path)
            self._tasks[path] = asyncio.create_task(self._informers[path].run(), name=path)
        return self._informers[path]

    async def drop(self, path: str) -> None:
        """Stop the informer of a resource that is gone."""
        self._informers.pop(path, None)
        task = self._tasks.pop(path, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def stop(self) -> None:
        """Stop every informer."""
        for path in list(self._tasks):
            await self.drop(path)


class Controller:
    """One control loop.

    A pass (`step`) brings the cluster nearer to what it should be, and may be repeated at will.
    """

    # How long the loop sleeps when nothing changes.
    period: float = 30.0

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.api = cluster.api
        self._wake = asyncio.Event()
        self._watched: list[Informer] = []

    def watched(
        self, path: str, concerns: Callable[[Obj | None, Obj | None], bool] | None = None
    ) -> Informer:
        """Return a resource's informer, whose changes (those that concern us) wake this loop."""
        informer = self.cluster.informer(path)

        def tell(before: Obj | None, after: Obj | None) -> None:
            if concerns is None or concerns(before, after):
                self._wake.set()

        informer.on_change(tell)
        self._watched.append(informer)
        return informer

    async def step(self) -> float | None:
        """Do one pass; return the seconds until the next is due by itself, or None for the loop's period."""
        raise NotImplementedError

    async def run(self) -> None:
        """Do passes until cancelled."""
        for informer in self._watched:
            await informer.synced.wait()
        while True:
            self._wake.clear()
            try:
                pause = await self.step()
            except ApiError as error:
                # A conflict or a vanished object only means that our copy is behind: look again.
                if error.code not in (404, 409):
                    _log.warning("%s: %s", type(self).__name__, error)
                pause = _RETRY_SECONDS
            except ApiUnreachableError as error:
                _log.warning("%s: %s", type(self).__name__, error)
                pause = _RETRY_SECONDS
            try:
                async with asyncio.timeout(self.period if pause is None else pause):
                    await self._wake.wait()
            except TimeoutError:
                pass


def reference(obj: Obj) -> Obj:
    """Return an ObjectReference to an object."""
    metadata = meta(obj)
    found = {
        "kind": obj.get("kind"),
        "apiVersion": obj.get("apiVersion"),
        "namespace": metadata.get("namespace"),
        "name": metadata["name"],
        "uid": metadata.get("uid"),
        "resourceVersion": metadata.get("resourceVersion"),
    }
    return {key: value for key, value in found.items() if value}


class Recorder:
    """Records events in the name of one component.

    An event that cannot be written is dropped, as everywhere.
    """

    def __init__(self, api: Api, component: str) -> None:
        self._api = api
        self._component = component
        self._known: dict[tuple[str, str, str], tuple[str, str, int]] = {}

    async def event(self, obj: Obj, kind: str, reason: str, message: str) -> None:
        """Record a core event about an object; the same one again counts up."""
        about = reference(obj)
        namespace = about.get("namespace", "default")
        key = (str(about.get("uid")), reason, message)
        path = f"/api/v1/namespaces/{namespace}/events"
        try:
            if key in self._known:
                name, first, count = self._known[key]
                body = {"count": count + 1, "lastTimestamp": now()}
                await self._api.patch(f"{path}/{name}", body)
                self._known[key] = (name, first, count + 1)
                return
            name, moment = _event_name(obj), now()
            event = {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": name, "namespace": namespace},
                "involvedObject": about,
                "reason": reason,
                "message": message,
                "type": kind,
                "count": 1,
                "firstTimestamp": moment,
                "lastTimestamp": moment,
                "source": {"component": self._component},
            }
            await self._api.create(path, event)
            self._known[key] = (name, moment, 1)
        except (ApiError, ApiUnreachableError) as error:
            self._known.pop(key, None)
            _log.warning("event %s not written: %s", reason, error)

    async def action(self, obj: Obj, kind: str, reason: str, action: str, note: str) -> None:
        """Record an `events.k8s.io/v1` event, as the scheduler does; the same one again becomes a series."""
        about = reference(obj)
        namespace = about.get("namespace", "default")
        path = f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"
        key = (str(about.get("uid")), reason, note)
        try:
            if key in self._known:
                name, first, count = self._known[key]
                body = {"series": {"count": count + 1, "lastObservedTime": now_micro()}}
                await self._api.patch(f"{path}/{name}", body)
                self._known[key] = (name, first, count + 1)
                return
            name, moment = _event_name(obj), now_micro()
            event = {
                "apiVersion": "events.k8s.io/v1",
                "kind": "Event",
                "metadata": {"name": name, "namespace": namespace},
                "regarding": about,
                "reason": reason,
                "note": note,
                "type": kind,
                "action": action,
                "eventTime": moment,
                "reportingController": self._component,
                "reportingInstance": f"{self._component}-{socket.gethostname()}",
            }
            await self._api.create(path, event)
            self._known[key] = (name, moment, 1)
        except (ApiError, ApiUnreachableError) as error:
            self._known.pop(key, None)
            _log.warning("event %s not written: %s", reason, error)


def _event_name(obj: Obj) -> str:
    return f"{meta(obj)['name']}.{time.time_ns():x}"
