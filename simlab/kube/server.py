"""The HTTP side of the API server: from a request to an operation on the cluster, and back to an answer."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from aiohttp import web

from simlab.kube import discovery, reviews, version
from simlab.kube.answers import as_json
from simlab.kube.auth import Authenticator, User, authorize_path, authorize_resource
from simlab.kube.errors import ApiError, bad_request, internal
from simlab.kube.kubelet import KubeletClient
from simlab.kube.openapi import Documents
from simlab.kube.operations import Call, perform
from simlab.kube.request import Target, parse_path, read_body

if TYPE_CHECKING:
    from pathlib import Path

    from simlab.kube.cluster import Cluster
    from simlab.kube.objects import Obj
    from simlab.kube.resources import Registry
    from simlab.kube.store import Store

_log = logging.getLogger("simlab.kube.apiserver")

# What a real API server takes at most as a request's body.
MAX_BODY: Final = 3 * 1024 * 1024
_VERBS: Final = {
    "GET": "get",
    "HEAD": "get",
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}
_ROOTS: Final = (
    *("/api", "/apis", "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"),
)


class ApiServer:
    """Answers requests for one cluster."""

    def __init__(self, cluster: Cluster, pki: Path) -> None:
        self.cluster = cluster
        self.closing = asyncio.Event()
        self._authenticator = Authenticator(pki)
        self._schemas = Documents(cluster.registry)
        self._kubelets = KubeletClient(cluster.store)

    @property
    def store(self) -> Store:
        """The cluster's objects."""
        return self.cluster.store

    @property
    def registry(self) -> Registry:
        """The resources that are served."""
        return self.cluster.registry

    def application(self) -> web.Application:
        """Return the aiohttp application."""
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_route("*", "/{path:.*}", self.handle)
        app.on_shutdown.append(self._close)
        return app

    async def _close(self, _app: web.Application) -> None:
        await self._kubelets.close()

    def end_watches(self) -> None:
        """Let every watch end as if its time were up."""
        self.closing.set()
        self.store.wake_all()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request; whatever goes wrong, the client gets a Status."""
        try:
            return await self._answer(request)
        except ApiError as error:
            return as_json(request, error.status(), error.code)
        except web.HTTPRequestEntityTooLarge:
            text = f"Request entity too large: limit is {MAX_BODY}"
            return as_json(request, ApiError(413, "RequestEntityTooLarge", text).status(), 413)
        except asyncio.CancelledError:
            raise
        except ConnectionError:
            # The client went away while its answer was on the way.
            return web.Response(status=499)
        except Exception as error:  # noqa: BLE001 - a bug here must not cost the client its Status
            _log.exception("%s %s", request.method, request.path)
            refusal = internal(f"{type(error).__name__} while serving {request.method} {request.path}")
            return as_json(request, refusal.status(), refusal.code)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        user = self._authenticator.user(request)
        path = request.path.rstrip("/") or "/"
        target = parse_path(path)
        if target is None:
            return self._document(request, user, path)
        resource = self.registry.find(target.group, target.version, target.plural)
        verb = _verb(request, target)
        shown = f"{target.plural}/{target.part}" if target.part else target.plural
        authorize_resource(user, verb, shown, target.group, target.namespace, target.name)
        if resource is None or (target.namespace and not resource.namespaced):
            return web.Response(status=404, text="404 page not found\n")
        if resource.verbs == ("create",) and verb == "create":
            return as_json(request, reviews.answer(resource, await read_body(request), user), 201)
        if resource.namespaced and not target.namespace and (target.name or verb == "create"):
            raise bad_request("an empty namespace may not be set during creation")
        call = Call(request, resource, target, self.cluster, self._kubelets, self.closing)
        return await perform(call, verb)

    def _document(self, request: web.Request, user: User, path: str) -> web.Response:
        """Answer for a path that names no resource: health, version, discovery, schemas."""
        authorize_path(user, path, _VERBS.get(request.method, request.method.lower()))
        if request.method not in ("GET", "HEAD"):
            raise _wrong_method()
        match path.strip("/").split("/"):
            case ["healthz" | "livez" | "readyz", *_]:
                return web.Response(text="ok")
            case ["openapi", *rest]:
                return self._schemas.respond(request, rest)
            case [""]:
                document: Obj | None = {"paths": list(_ROOTS)}
            case ["version"]:
                document = dict(version.document())
            case parts:
                document = discovery.document(self.registry, parts)
        if document is None:
            return web.Response(status=404, text="404 page not found\n")
        return as_json(request, document)


def _wrong_method() -> ApiError:
    text = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", text)


def _verb(request: web.Request, target: Target) -> str:
    verb = _VERBS.get(request.method)
    if verb is None:
        raise _wrong_method()
    if verb == "get" and not target.part:
        if request.query.get("watch", "").lower() in ("1", "true"):
            return "watch"
        return "get" if target.name else "list"
    if verb == "delete" and not target.name:
        return "deletecollection"
    misplaced = verb == "create" and target.name and not target.part
    if misplaced or (verb in ("update", "patch") and not target.name):
        raise _wrong_method()
    return verb
