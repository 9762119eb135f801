"""Watches a collection of Kubernetes objects: list, watch, and list again where the watch is worth nothing.

Kubernetes API concepts, "Efficient detection of changes": a watch goes on from a resource version; the server
ends it when it likes, and says 410 where the version is too old. A connection that is cut says nothing.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

from lab.errors import ApiRefused, LabError, Unreachable
from lab.record import Exchange

if TYPE_CHECKING:
    from collections.abc import Callable

    import urllib3

    from lab.kube_api import KubeApi

Objects = dict[str, dict[str, Any]]

# The server ends each watch after this many seconds; one that lasts longer than the silence has been cut.
WATCH_SECONDS = 30
SILENCE = 40.0
# Seconds between two tries against a server that refuses or is gone.
PACE = 1.0

# These may heal: too many requests, and a server that is not itself.
_TRANSIENT = frozenset({429, 500, 502, 503, 504})


class Feed:
    """Follows a collection in a thread until it is closed.

    `tell` gets each state of the collection, objects by uid, the first one from a list; or the error that
    ends the feed; or, as text, what hinders it for now.
    """

    def __init__(
        self, api: KubeApi, path: str, tell: Callable[[Objects | LabError | str], None], **selectors: str
    ) -> None:
        self._api = api
        self._path = path
        self._tell = tell
        self._selectors = selectors
        self._objects: Objects = {}
        self._closed = threading.Event()
        self._response: urllib3.BaseHTTPResponse | None = None
        self._thread = threading.Thread(target=self._follow, name=f"watch {path}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the feed."""
        self._closed.set()
        response = self._response
        if response is not None:
            # It wakes the thread that reads; closing alone does not.
            try:
                response.shutdown()
            except (ValueError, RuntimeError, OSError):
                return

    def _follow(self) -> None:
        version: str | None = None
        while not self._closed.is_set():
            try:
                if version is None:
                    version = self._list()
                version = self._watch(version)
            except ApiRefused as refusal:
                if refusal.status == 410:
                    version = None
                elif refusal.status in _TRANSIENT:
                    self._hindered(refusal)
                    version = None
                else:
                    self._tell(refusal)
                    return
            except Unreachable as error:
                if self._closed.is_set():
                    return
                self._hindered(error)
                version = None
            except LabError as error:
                self._tell(error)
                return

    def _hindered(self, error: LabError) -> None:
        self._tell(str(error))
        self._closed.wait(PACE)

    def _list(self) -> str:
        listed = self._api.json("GET", self._path, None, **self._selectors)
        self._objects = {item["metadata"]["uid"]: item for item in listed.get("items") or []}
        self._tell(dict(self._objects))
        return str(listed["metadata"]["resourceVersion"])

    def _watch(self, version: str) -> str | None:
        """Watch from `version` on; where to go on from once the watch ends, None to list again."""
        query: dict[str, Any] = {
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": WATCH_SECONDS,
        }
        rest = b""
        with self._api.stream(self._path, SILENCE, **query, **self._selectors) as response:
            self._response = response
            if self._closed.is_set():
                return version
            for chunk in response.stream(amt=None, decode_content=False):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in filter(None, lines):
                    following = self._apply(line)
                    if following is None:
                        return None
                    version = following
                if self._closed.is_set():
                    break
        return version

    def _apply(self, line: bytes) -> str | None:
        """Take one line of a watch; the version it brings, or None where the watch is worth nothing."""
        try:
            event = json.loads(line)
            kind, item = event["type"], event["object"]
            if kind == "ERROR":
                if item.get("code") != 410:
                    self._hindered(ApiRefused("watch", item["code"], item["reason"], item["message"]))
                return None
            version = str(item["metadata"]["resourceVersion"])
            if kind == "BOOKMARK":
                return version
            asked = {"path": self._path, "query": self._selectors}
            self._api.exchanged(Exchange("watch", asked, {"type": kind, "body": item}))
            if kind == "DELETED":
                self._objects.pop(item["metadata"]["uid"], None)
            else:
                self._objects[item["metadata"]["uid"]] = item
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        self._tell(dict(self._objects))
        return version
