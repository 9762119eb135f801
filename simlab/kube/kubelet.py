"""`pods/log` and `pods/exec`: what the API server asks of the kubelet on a pod's node.

Behaviour and texts: Kubernetes v1.24, `pkg/registry/core/pod/strategy.go` (LogLocation). The kubelet's
address is what the node reports; its certificate is signed by itself and so not verified, as without
`--kubelet-certificate-authority`.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final, NoReturn

import aiohttp
from aiohttp import web

from simlab.kube.errors import ApiError, bad_request, internal
from simlab.kube.objects import Obj, dig, items, meta

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from simlab.kube.store import Store

_PASSED: Final = (
    "follow",
    "previous",
    "sinceSeconds",
    "sinceTime",
    "timestamps",
    "tailLines",
    "limitBytes",
)
_REASONS: Final = {400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound"}
_CONNECT_SECONDS: Final = 10.0


def container_of(pod: Obj, wanted: str) -> str:
    """Return the container whose log is meant; raises 400 where it is not clear or not there."""
    name = meta(pod)["name"]
    own = [str(item["name"]) for item in items(pod, "spec", "containers")]
    init = [str(item["name"]) for item in items(pod, "spec", "initContainers")]
    if wanted:
        if wanted not in own + init:
            raise bad_request(f"container {wanted} is not valid for pod {name}")
        return wanted
    if len(own) == 1:
        return own[0]
    text = f"a container name must be specified for pod {name}, choose one of: [{' '.join(own)}]"
    if init:
        text += f" or one of the init containers: [{' '.join(init)}]"
    raise bad_request(text)


def kubelet_address(store: Store, node_name: str) -> tuple[str, int]:
    """Return the address and port at which a node's kubelet answers.

    Raises the 500 of a node that tells none.
    """
    entry = store.get("nodes.", "", node_name)
    if entry is None:
        raise internal(f'nodes "{node_name}" not found')
    port = dig(entry.obj, "status", "daemonEndpoints", "kubeletEndpoint", "Port")
    addresses = {item.get("type"): item.get("address") for item in items(entry.obj, "status", "addresses")}
    host = addresses.get("InternalIP") or addresses.get("Hostname")
    if not host or not isinstance(port, int):
        raise internal(f"no preferred addresses found; known addresses: {list(addresses)}")
    return str(host), port


class KubeletClient:
    """The API server's connections to kubelets, opened when the first is needed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    @contextlib.asynccontextmanager
    async def _ask(
        self, method: str, action: str, pod: Obj, container: str, parameters: list[tuple[str, str]]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        host, port = kubelet_address(self._store, str(dig(pod, "spec", "nodeName")))
        metadata = meta(pod)
        path = f"/{action}/{metadata['namespace']}/{metadata['name']}/{container}"
        limits = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS)
        url = f"https://{host}:{port}{path}"
        try:
            async with self._session.request(
                method, url, params=parameters, timeout=limits, ssl=False
            ) as answer:
                yield answer
        except (aiohttp.ClientConnectorError, TimeoutError) as error:
            text = f'Get "{url}": dial tcp {host}:{port}: connect: {_why(error)}'
            raise ApiError(500, "", text) from None

    async def log(self, request: web.Request, pod: Obj) -> web.StreamResponse:
        """Answer with a container's log, followed if the request says so."""
        container = container_of(pod, request.query.get("container", ""))
        if not dig(pod, "spec", "nodeName"):
            return web.Response(content_type="text/plain")
        parameters = [(key, request.query[key]) for key in _PASSED if key in request.query]
        async with self._ask("GET", "containerLogs", pod, container, parameters) as answer:
            if answer.status != 200:
                text = (await answer.text()).strip()
                raise ApiError(answer.status, _REASONS.get(answer.status, "InternalError"), text)
            response = web.StreamResponse(headers={"Content-Type": "text/plain"})
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            await response.write_eof()
            return response

    async def run(self, request: web.Request, pod: Obj, action: str) -> NoReturn:
        """Pass a request to exec or attach on, and raise the kubelet's refusal: no stream is upgraded."""
        if not dig(pod, "spec", "nodeName"):
            raise bad_request(f"pod {meta(pod)['name']} does not have a host assigned")
        container = container_of(pod, request.query.get("container", ""))
        async with self._ask("POST", action, pod, container, list(request.query.items())) as answer:
            if answer.status < 400:
                raise ApiError(501, "NotImplemented", f"pods/{action} does not stream here")
            # As a Status: kubectl takes a text with a colon for YAML, and shows nothing of it.
            reason = _REASONS.get(answer.status, "InternalError")
            raise ApiError(answer.status, reason, (await answer.text()).strip())


def _why(error: BaseException) -> str:
    system = getattr(error, "os_error", None)
    return str(system.strerror).lower() if system is not None and system.strerror else "i/o timeout"
