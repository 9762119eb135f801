"""The HTTP side of the API server: from a request to an operation on the cluster, and back to an answer."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from simlab.kube import discovery, reviews, tables, version, views
from simlab.kube.auth import Authenticator, User, authorize_path, authorize_resource
from simlab.kube.cluster import Cluster
from simlab.kube.errors import (
    ApiError,
    bad_request,
    expired,
    internal,
    method_not_allowed,
    unknown_path,
)
from simlab.kube.kubelet import KubeletClient
from simlab.kube.objects import Obj
from simlab.kube.openapi import Documents
from simlab.kube.request import (
    Form,
    ListOptions,
    Target,
    delete_options,
    list_options,
    parse_path,
    patch_kind,
    read_body,
    wanted_form,
    write_options,
)
from simlab.kube.subresources import evict, scale_of, scaler
from simlab.kube.watch import follow, line, selected
from simlab.kube.wire import MEDIA_TYPE

if TYPE_CHECKING:
    from pathlib import Path

    from simlab.kube.cluster import Write
    from simlab.kube.resources import Registry, Resource
    from simlab.kube.store import Entry, Store

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
_STREAMING: Final = ("exec", "attach", "portforward")


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
        for row in self.registry.all():
            for waker in self.store.table(row.store).wakers:
                waker.set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request; whatever goes wrong, the client gets a Status."""
        try:
            return await self._answer(request)
        except ApiError as error:
            return _json(request, error.status(), error.code)
        except web.HTTPRequestEntityTooLarge:
            text = f"Request entity too large: limit is {MAX_BODY}"
            return _json(request, ApiError(413, "RequestEntityTooLarge", text).status(), 413)
        except asyncio.CancelledError:
            raise
        except ConnectionError:
            # The client went away while its answer was on the way.
            return web.Response(status=499)
        except Exception as error:
            _log.exception("%s %s", request.method, request.path)
            refusal = internal(f"{type(error).__name__} while serving {request.method} {request.path}")
            return _json(request, refusal.status(), refusal.code)

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
        if target.part:
            if target.part not in resource.subresources:
                raise unknown_path()
            return await self._subresource(request, resource, target, verb)
        if verb not in resource.verbs:
            raise method_not_allowed(resource.plural, resource.group, verb)
        if resource.verbs == ("create",):
            return _json(request, reviews.answer(resource, await read_body(request), user), 201)
        if resource.namespaced and not target.namespace and (target.name or verb == "create"):
            raise bad_request("an empty namespace may not be set during creation")
        return await self._resource(request, resource, target, verb)

    def _document(self, request: web.Request, user: User, path: str) -> web.Response:
        """Answer for a path that names no resource: health, version, discovery, schemas."""
        authorize_path(user, path, _VERBS.get(request.method, request.method.lower()))
        if request.method not in ("GET", "HEAD"):
            raise ApiError(
                405, "MethodNotAllowed", "the server does not allow this method on the requested resource"
            )
        parts = [part for part in path.split("/") if part]
        document: Any = None
        match parts:
            case ["healthz" | "livez" | "readyz", *_]:
                return web.Response(text="ok")
            case ["version"]:
                document = version.document()
            case ["api"]:
                document = discovery.api_versions()
            case ["apis"]:
                document = discovery.api_group_list(self.registry)
            case ["apis", group]:
                document = discovery.api_group(self.registry, group)
            case ["api", "v1"]:
                document = discovery.api_resource_list(self.registry, "", "v1")
            case ["apis", group, name]:
                document = discovery.api_resource_list(self.registry, group, name)
            case ["openapi", *rest]:
                return self._schemas.respond(request, rest)
            case []:
                document = {
                    "paths": [
                        "/api",
                        "/apis",
                        "/healthz",
                        "/livez",
                        "/openapi/v2",
                        "/openapi/v3",
                        "/readyz",
                        "/version",
                    ]
                }
        if document is None:
            return web.Response(status=404, text="404 page not found\n")
        return _json(request, document)

    async def _resource(
        self, request: web.Request, resource: Resource, target: Target, verb: str
    ) -> web.StreamResponse:
        form = wanted_form(request)
        namespace, name = target.namespace, target.name
        match verb:
            case "list":
                return self._list(request, resource, target, form)
            case "watch":
                return await self._watch(request, resource, target, form)
            case "get":
                return self._object(request, resource, self.cluster.get(resource, namespace, name), form)
            case "create":
                write = write_options(request)
                made = self.cluster.create(resource, namespace, await read_body(request), write)
                return self._object(request, resource, made, form, 201, write)
            case "update":
                write = write_options(request)
                body = await read_body(request)
                changed, created = self.cluster.update(resource, namespace, name, body, write)
                return self._object(request, resource, changed, form, 201 if created else 200, write)
            case "patch":
                changed, created, write = await self._patch(request, resource, target)
                return self._object(request, resource, changed, form, 201 if created else 200, write)
            case "delete":
                return await self._delete(request, resource, target, form)
        return await self._delete_collection(request, resource, target)

    async def _patch(
        self, request: web.Request, resource: Resource, target: Target
    ) -> tuple[Obj, bool, Write]:
        write = write_options(request)
        kind = patch_kind(request)
        body = await read_body(request, (kind,))
        if kind == "application/apply-patch+yaml" and "fieldManager" not in request.query:
            text = 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'
            raise ApiError(422, "Invalid", text)
        changed, created = self.cluster.patch(
            resource, target.namespace, target.name, kind, body, write, target.part
        )
        return changed, created, write

    async def _delete(
        self, request: web.Request, resource: Resource, target: Target, form: Form
    ) -> web.Response:
        options = await delete_options(request)
        obj, gone = self.cluster.delete(resource, target.namespace, target.name, options)
        if not gone or resource.returns_deleted or resource.kind == "Pod":
            return self._object(request, resource, obj, form)
        details = {"name": target.name, "kind": resource.plural, "uid": obj["metadata"]["uid"]}
        if resource.group:
            details["group"] = resource.group
        status = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "details": details,
        }
        return _json(request, status)

    async def _delete_collection(
        self, request: web.Request, resource: Resource, target: Target
    ) -> web.Response:
        options = list_options(request, resource, "")
        deletion = await delete_options(request)
        found = [
            entry
            for entry in self.store.entries(resource.store, target.namespace)
            if selected(options, target.namespace, entry.obj)
        ]
        deleted = []
        for entry in found:
            metadata = entry.obj["metadata"]
            obj, _ = self.cluster.delete(resource, metadata.get("namespace", ""), metadata["name"], deletion)
            deleted.append(views.shown(resource, obj))
        listed = {
            "kind": resource.list_kind,
            "apiVersion": resource.api_version,
            "metadata": {"resourceVersion": str(self.store.version)},
            "items": deleted,
        }
        return _json(request, listed)

    def _object(
        self,
        request: web.Request,
        resource: Resource,
        found: Entry | Obj,
        form: Form,
        code: int = 200,
        write: Write | None = None,
    ) -> web.Response:
        """Answer with one object in the form that the client wants."""
        obj = views.shown(resource, found if isinstance(found, dict) else found.obj)
        if form.shape == "Table":
            metadata = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
            include = request.query.get("includeObject", "Metadata")
            obj = tables.table(resource, [obj], metadata, include, form.version)
        elif form.shape == "PartialObjectMetadata":
            obj = _metadata_only(obj, form)
        response = _json(request, obj, code)
        for text in write.warnings if write is not None else []:
            response.headers.add("Warning", f"299 - {json.dumps(text)}")
        return response

    def _list(self, request: web.Request, resource: Resource, target: Target, form: Form) -> web.Response:
        options = list_options(request, resource, target.name)
        page, metadata = self._page(resource, target, options)
        if form.shape == "Table":
            include = request.query.get("includeObject", "Metadata")
            objects = [views.shown(resource, entry.obj) for entry in page]
            return _json(request, tables.table(resource, objects, metadata, include, form.version))
        if form.shape == "PartialObjectMetadataList":
            items = [_metadata_only(entry.obj, form) for entry in page]
            listed = {
                "kind": form.shape,
                "apiVersion": f"meta.k8s.io/{form.version}",
                "metadata": metadata,
                "items": items,
            }
            return _json(request, listed)
        plain = resource.custom is None and resource.group != "events.k8s.io"
        texts = [entry.item if plain else views.shown_text(resource, entry) for entry in page]
        head = {"kind": resource.list_kind, "apiVersion": resource.api_version, "metadata": metadata}
        body = f'{json.dumps(head)[:-1]},"items":[{",".join(texts)}]}}\n'
        return web.Response(body=body.encode(), content_type="application/json")

    def _page(
        self, resource: Resource, target: Target, options: ListOptions
    ) -> tuple[list[Entry], dict[str, Any]]:
        """Return the objects of a list, or of its next part, and the list's metadata."""
        version_now = self.store.version
        if options.version and int(options.version) > version_now:
            text = f"Too large resource version: {options.version}, current: {version_now}"
            causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
            raise ApiError(504, "Timeout", text, {"causes": causes, "retryAfterSeconds": 1})
        start: tuple[str, str] | None = None
        if options.token:
            version_now, start = self._continued(resource, options.token)
        found = [
            entry
            for entry in self.store.entries(resource.store, target.namespace)
            if (start is None or _key(entry) > start) and selected(options, target.namespace, entry.obj)
        ]
        metadata: dict[str, Any] = {"resourceVersion": str(version_now)}
        if options.limit and len(found) > options.limit:
            left = len(found) - options.limit
            found = found[: options.limit]
            token = json.dumps({"rv": version_now, "start": _key(found[-1])})
            metadata["continue"] = base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
            if not options.labels and not options.fields:
                metadata["remainingItemCount"] = left
        return found, metadata

    def _continued(self, resource: Resource, token: str) -> tuple[int, tuple[str, str]]:
        try:
            data = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
            started, start = int(data["rv"]), (str(data["start"][0]), str(data["start"][1]))
        except (ValueError, KeyError, TypeError, IndexError):
            raise bad_request("continue key is not valid") from None
        if not self.store.table(resource.store).reaches(started):
            raise expired(
                "The provided continue parameter is too old to display a consistent list result. You must start a "
                "new list without the continue parameter."
            )
        return started, start

    async def _watch(
        self, request: web.Request, resource: Resource, target: Target, form: Form
    ) -> web.StreamResponse:
        options = list_options(request, resource, target.name)
        response = web.StreamResponse(
            headers={"Content-Type": "application/json", "Cache-Control": "no-cache, private"}
        )
        await response.prepare(request)
        include = request.query.get("includeObject", "Metadata")
        head = True
        async for kind, found in follow(self.store, resource, target.namespace, options, self.closing):
            if isinstance(found, dict) and kind == "ERROR":
                text = json.dumps(found, separators=(",", ":"))
            elif form.shape == "Table" and kind != "BOOKMARK":
                obj = views.shown(resource, found if isinstance(found, dict) else found.obj)
                metadata = {"resourceVersion": obj["metadata"]["resourceVersion"]}
                text = json.dumps(tables.table(resource, [obj], metadata, include, form.version, head=head))
                head = False
            elif form.shape == "PartialObjectMetadata":
                text = json.dumps(_metadata_only(found if isinstance(found, dict) else found.obj, form))
            elif isinstance(found, dict):
                text = json.dumps(
                    found if kind == "BOOKMARK" else views.shown(resource, found), separators=(",", ":")
                )
            else:
                text = views.shown_text(resource, found)
            await response.write(line(kind, text))
        await response.write_eof()
        return response

    async def _subresource(
        self, request: web.Request, resource: Resource, target: Target, verb: str
    ) -> web.StreamResponse:
        form = wanted_form(request)
        namespace, name, part = target.namespace, target.name, target.part
        if part in _STREAMING:
            pod = self.cluster.get(resource, namespace, name).obj
            return await self._kubelets.run(request, pod, part)
        match part, verb:
            case "log", "get":
                pod = self.cluster.get(resource, namespace, name).obj
                return await self._kubelets.log(request, pod)
            case "binding", "create":
                self.cluster.bind(namespace, name, await read_body(request), write_options(request))
                return _json(request, _success(), 201)
            case "eviction", "create":
                evict(self.cluster, resource, namespace, name, await read_body(request))
                return _json(request, _success(), 201)
            case "scale", "get":
                return _json(request, scale_of(self.cluster.get(resource, namespace, name).obj))
            case "scale", "update" | "patch":
                edit = scaler(await read_body(request, ("application/json", MEDIA_TYPE, *_patches(request))))
                write = write_options(request)
                return _json(request, scale_of(self.cluster.change(resource, namespace, name, edit, write)))
            case "status", "get":
                return self._object(request, resource, self.cluster.get(resource, namespace, name), form)
            case "status" | "finalize", "update":
                write = write_options(request)
                body = await read_body(request)
                changed, _ = self.cluster.update(resource, namespace, name, body, write, part)
                return self._object(request, resource, changed, form, 200, write)
            case "status", "patch":
                changed, _, write = await self._patch(request, resource, target)
                return self._object(request, resource, changed, form, 200, write)
        raise method_not_allowed(f"{resource.plural}/{part}", resource.group, verb)


def _patches(request: web.Request) -> tuple[str, ...]:
    return (patch_kind(request),) if request.method == "PATCH" else ()


def _verb(request: web.Request, target: Target) -> str:
    verb = _VERBS.get(request.method)
    if verb is None:
        raise ApiError(
            405, "MethodNotAllowed", "the server does not allow this method on the requested resource"
        )
    if verb == "get" and not target.part:
        if request.query.get("watch", "").lower() in ("1", "true"):
            return "watch"
        return "get" if target.name else "list"
    if verb == "delete" and not target.name:
        return "deletecollection"
    misplaced = verb == "create" and target.name and not target.part
    if misplaced or (verb in ("update", "patch") and not target.name):
        raise ApiError(
            405, "MethodNotAllowed", "the server does not allow this method on the requested resource"
        )
    return verb


def _key(entry: Entry) -> tuple[str, str]:
    metadata = entry.obj["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def _metadata_only(obj: Obj, form: Form) -> Obj:
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": f"meta.k8s.io/{form.version}",
        "metadata": obj["metadata"],
    }


def _success() -> Obj:
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def _json(request: web.Request, document: Any, code: int = 200) -> web.Response:
    pretty = request.query.get("pretty", "").lower() in ("1", "true")
    text = json.dumps(document, indent=2 if pretty else None, separators=None if pretty else (",", ":"))
    headers = {"Cache-Control": "no-cache, private"}
    return web.Response(
        body=text.encode() + b"\n", status=code, content_type="application/json", headers=headers
    )
