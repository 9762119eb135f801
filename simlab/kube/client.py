"""A small client of the Kubernetes API, on aiohttp: what the kubelet and the controllers need of it."""

from __future__ import annotations

import base64
import json
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import yaml

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

Object = dict[str, Any]

MERGE_PATCH: Final = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH: Final = "application/strategic-merge-patch+json"

_REQUEST_SECONDS: Final = 30.0
_CONNECT_SECONDS: Final = 10.0
# The server ends a watch after this; with a little more on this side, a silent connection is noticed too.
_WATCH_SECONDS: Final = 300


class ApiError(Exception):
    """The API refused a request. `code` is HTTP's, `reason` Kubernetes' (NotFound, Conflict, …)."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message or f"{code} {reason}")
        self.code = code
        self.reason = reason


class ApiUnreachableError(Exception):
    """No answer from the API."""


@dataclass(frozen=True)
class WatchEvent:
    """One event of a watch: ADDED, MODIFIED, DELETED, BOOKMARK."""

    kind: str
    object: Object


class Api:
    """Connection to an API server as a kubeconfig names it."""

    def __init__(self, server: str, tls: ssl.SSLContext | None, headers: Mapping[str, str]) -> None:
        self._server = server.rstrip("/")
        connector = aiohttp.TCPConnector(ssl=tls if tls is not None else False, limit=0)
        self._session = aiohttp.ClientSession(connector=connector, headers=dict(headers))

    @classmethod
    def from_kubeconfig(cls, path: Path) -> Api:
        """Open the current context of a kubeconfig; must be called in a running event loop."""
        document: Object = yaml.safe_load(path.read_text())
        context = _named(document["contexts"], document["current-context"])["context"]
        cluster = _named(document["clusters"], context["cluster"])["cluster"]
        user = _named(document["users"], context["user"])["user"]
        tls = _tls(cluster, user) if cluster["server"].startswith("https:") else None
        headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
        return cls(cluster["server"], tls, headers)

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    async def get(self, path: str, **query: str) -> Object:
        """GET an object or a list. Raises ApiError, ApiUnreachableError."""
        return await self._request("GET", path, query=query)

    async def create(self, path: str, body: Object) -> Object:
        """POST to a collection. Raises ApiError, ApiUnreachableError."""
        return await self._request("POST", path, body=body)

    async def replace(self, path: str, body: Object) -> Object:
        """PUT an object. Raises ApiError, ApiUnreachableError."""
        return await self._request("PUT", path, body=body)

    async def patch(self, path: str, body: Object, kind: str = MERGE_PATCH) -> Object:
        """PATCH an object. Raises ApiError, ApiUnreachableError."""
        return await self._request("PATCH", path, body=body, content_type=kind)

    async def delete(self, path: str, body: Object) -> Object:
        """DELETE an object with DeleteOptions. Raises ApiError, ApiUnreachableError."""
        return await self._request("DELETE", path, body=body)

    async def watch(self, path: str, resource_version: str, **query: str) -> AsyncIterator[WatchEvent]:
        """Watch a collection until the server ends it.

        Raises ApiError (code 410 when the version is too old) and ApiUnreachableError.
        """
        query |= {
            "watch": "true",
            "resourceVersion": resource_version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        limits = aiohttp.ClientTimeout(sock_connect=_CONNECT_SECONDS, sock_read=_WATCH_SECONDS + 30)
        try:
            async with self._session.get(f"{self._server}{path}", params=query, timeout=limits) as answer:
                if answer.status >= 400:
                    raise _error(answer.status, await answer.text())
                async for line in _lines(answer.content):
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        raise _error(int(event["object"].get("code", 500)), json.dumps(event["object"]))
                    yield WatchEvent(event["type"], event["object"])
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiUnreachableError(f"watch {path}: {error or type(error).__name__}") from None

    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        content_type: str = "application/json",
    ) -> Object:
        limits = aiohttp.ClientTimeout(total=_REQUEST_SECONDS, sock_connect=_CONNECT_SECONDS)
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": content_type, "Accept": "application/json"}
        try:
            async with self._session.request(
                method, f"{self._server}{path}", params=query, data=data, headers=headers, timeout=limits
            ) as answer:
                text = await answer.text()
                if answer.status >= 400:
                    raise _error(answer.status, text)
                result: Object = json.loads(text)
                return result
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiUnreachableError(f"{method} {path}: {error or type(error).__name__}") from None


async def _lines(stream: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Lines of a stream, however long; a rest without an end is dropped with the connection."""
    rest = b""
    async for chunk in stream.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield line


def _error(code: int, text: str) -> ApiError:
    try:
        status: Object = json.loads(text)
    except ValueError:
        status = {}
    return ApiError(code, str(status.get("reason", "")), str(status.get("message", text[:200])))


def _named(items: list[Object], name: str) -> Object:
    return next(item for item in items if item["name"] == name)


def _tls(cluster: Object, user: Object) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=_pem(cluster, "certificate-authority") or None)
    certificate, key = _pem(user, "client-certificate"), _pem(user, "client-key")
    if certificate:
        # The ssl module reads client certificates from files only.
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as both:
            both.write(certificate + "\n" + key)
            both.flush()
            context.load_cert_chain(both.name)
    return context


def _pem(table: Object, field: str) -> str:
    if data := table.get(f"{field}-data"):
        return base64.b64decode(data).decode()
    return Path(table[field]).read_text() if field in table else ""
