"""Events as the kubelet's recorder makes them: a repeated one counts up instead of being written anew.

Source: client-go 0.24 `tools/record/events_cache.go` (what makes two events the same one, and the aggregation
of similar ones: same all but the message, 10 in 10 minutes).
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from simlab.kube.client import ApiError, ApiUnreachableError
from simlab.node import clock

if TYPE_CHECKING:
    from simlab.kube.client import Api, Object

NORMAL: Final = "Normal"
WARNING: Final = "Warning"

_SIMILAR_MOST: Final = 10
_SIMILAR_SECONDS: Final = 600.0
_COMBINED: Final = "(combined from similar events): "

_log = logging.getLogger(__name__)

_Key = tuple[str, str, str, str, str]


@dataclass
class _Recorded:
    name: str
    first: str
    count: int


@dataclass
class _Similar:
    since: float
    messages: set[str] = field(default_factory=set)


class EventRecorder:
    """Writes events in the name of this node's kubelet, in order, without making the caller wait."""

    def __init__(self, api: Api, node: str) -> None:
        self._api = api
        self._source = {"component": "kubelet", "host": node}
        self._recorded: dict[_Key, _Recorded] = {}
        self._similar: dict[_Key, _Similar] = {}
        self._queue: asyncio.Queue[tuple[Object, str, str, str]] = asyncio.Queue()

    def pod(self, pod: Object, kind: str, reason: str, message: str, container: str = "") -> None:
        """Record an event about a pod, or about one of its containers."""
        meta = pod["metadata"]
        reference = {
            "kind": "Pod",
            "namespace": meta["namespace"],
            "name": meta["name"],
            "uid": meta["uid"],
            "apiVersion": "v1",
            "resourceVersion": meta.get("resourceVersion", ""),
        }
        if container:
            reference["fieldPath"] = f"spec.containers{{{container}}}"
        self._queue.put_nowait((reference, kind, reason, message))

    def node(self, name: str, kind: str, reason: str, message: str) -> None:
        """Record an event about the node."""
        self._queue.put_nowait(({"kind": "Node", "name": name, "uid": name}, kind, reason, message))

    async def run(self) -> None:
        """Write what is recorded, until cancelled."""
        while True:
            item = await self._queue.get()
            try:
                await self._write(*item)
            except (ApiError, ApiUnreachableError) as error:
                # As the real recorder: an event that cannot be written is not worth a failing pod.
                _log.warning("event %s not written: %s", item[2], error)
            finally:
                self._queue.task_done()

    async def flush(self) -> None:
        """Wait until everything recorded so far is written."""
        await self._queue.join()

    async def _write(self, reference: Object, kind: str, reason: str, message: str) -> None:
        about = f"{reference['uid']}{reference.get('fieldPath', '')}"
        message, counted = self._aggregate((about, kind, reason, "", ""), message)
        key = (about, kind, reason, counted, "")
        namespace = reference.get("namespace", "default")
        known = self._recorded.get(key)
        now = clock.now()
        if known is not None:
            known.count += 1
            body = {"count": known.count, "lastTimestamp": now, "message": message}
            try:
                await self._api.patch(f"/api/v1/namespaces/{namespace}/events/{known.name}", body)
            except ApiError as error:
                if error.reason != "NotFound":
                    raise
                del self._recorded[key]
                await self._create(key, namespace, reference, kind, reason, message)
            return
        await self._create(key, namespace, reference, kind, reason, message)

    async def _create(
        self, key: _Key, namespace: str, reference: Object, kind: str, reason: str, message: str
    ) -> None:
        now = clock.now()
        name = f"{reference['name']}.{time.time_ns():x}"
        await self._api.create(
            f"/api/v1/namespaces/{namespace}/events",
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": name, "namespace": namespace},
                "involvedObject": reference,
                "reason": reason,
                "message": message,
                "source": self._source,
                "firstTimestamp": now,
                "lastTimestamp": now,
                "count": 1,
                "type": kind,
                "reportingComponent": "",
                "reportingInstance": "",
            },
        )
        self._recorded[key] = _Recorded(name, now, 1)

    def _aggregate(self, key: _Key, message: str) -> tuple[str, str]:
        """The message to write, and the one that decides which event counts up."""
        similar = self._similar.get(key)
        now = time.monotonic()
        if similar is None or now - similar.since > _SIMILAR_SECONDS:
            similar = self._similar[key] = _Similar(now)
        similar.messages.add(message)
        if len(similar.messages) < _SIMILAR_MOST:
            return message, message
        return f"{_COMBINED}{message}", _COMBINED
