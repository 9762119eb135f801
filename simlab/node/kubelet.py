"""The kubelet: watches the pods that are bound to this node, one worker a pod."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from simlab.kube.client import ApiError, ApiUnreachableError
from simlab.node import pod as pods
from simlab.node.podworker import PodWorker

if TYPE_CHECKING:
    from collections.abc import Callable

    from simlab.kube.client import Api, Object
    from simlab.node.containerd.cri import Cri
    from simlab.node.events import EventRecorder

_RECONNECT_SECONDS: Final = 1.0
_GONE: Final = 410
_RUNTIME_CLASSES: Final = "/apis/node.k8s.io/v1/runtimeclasses"

_log = logging.getLogger(__name__)


class Kubelet:
    """Workers for this node's pods, and the RuntimeClasses that they name."""

    def __init__(self, api: Api, cri: Cri, events: EventRecorder, node: str) -> None:
        self.workers: dict[str, PodWorker] = {}
        self._api = api
        self._cri = cri
        self._events = events
        self._node = node
        self._handlers: dict[str, str] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Follow pods and RuntimeClasses until cancelled; workers then leave their pods as they are."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow(_RUNTIME_CLASSES, self._runtime_classes, self._runtime_class))
                group.create_task(
                    self._follow(
                        "/api/v1/pods", self._all_pods, self._pod, fieldSelector=f"spec.nodeName={self._node}"
                    )
                )
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def worker_of(self, namespace: str, name: str) -> PodWorker | None:
        """The worker of a pod by its name."""
        return next(
            (worker for worker in self.workers.values() if pods.key(worker.pod) == f"{namespace}/{name}"),
            None,
        )

    async def _follow(
        self,
        path: str,
        on_list: Callable[[list[Object]], None],
        on_event: Callable[[str, Object], None],
        **query: str,
    ) -> None:
        """List, then watch; list again when the watch's version is too old or the connection broke."""
        while True:
            try:
                listed = await self._api.get(path, **query)
                on_list(listed["items"])
                version = listed["metadata"]["resourceVersion"]
                while True:
                    async for event in self._api.watch(path, version, **query):
                        version = event.object["metadata"]["resourceVersion"]
                        if event.kind != "BOOKMARK":
                            on_event(event.kind, event.object)
            except ApiError as error:
                if error.code != _GONE:
                    _log.warning("%s: %s", path, error)
                    await asyncio.sleep(_RECONNECT_SECONDS)
            except ApiUnreachableError as error:
                _log.warning("%s", error)
                await asyncio.sleep(_RECONNECT_SECONDS)

    def _runtime_classes(self, items: list[Object]) -> None:
        self._handlers = {item["metadata"]["name"]: item["handler"] for item in items}

    def _runtime_class(self, kind: str, item: Object) -> None:
        if kind == "DELETED":
            self._handlers.pop(item["metadata"]["name"], None)
        else:
            self._handlers[item["metadata"]["name"]] = item["handler"]

    def _handler_of(self, runtime_class: str) -> str:
        return self._handlers[runtime_class] if runtime_class else ""

    def _all_pods(self, items: list[Object]) -> None:
        present = {pods.uid(item) for item in items}
        for uid in self.workers.keys() - present:
            self.workers[uid].removed()
        for item in items:
            self._pod("ADDED", item)

    def _pod(self, kind: str, pod: dict[str, Any]) -> None:
        uid = pods.uid(pod)
        worker = self.workers.get(uid)
        if kind == "DELETED":
            if worker is not None:
                worker.removed()
            return
        if worker is not None:
            worker.update(pod)
            return
        worker = PodWorker(pod, self._api, self._cri, self._events, self._handler_of)
        self.workers[uid] = worker
        task = asyncio.create_task(worker.run())
        self._tasks[uid] = task
        task.add_done_callback(lambda done: self._worker_ended(uid, done))

    def _worker_ended(self, uid: str, task: asyncio.Task[None]) -> None:
        self.workers.pop(uid, None)
        self._tasks.pop(uid, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("worker of pod %s failed", uid, exc_info=error)
