"""Requests for resources: each verb and each subresource as a function of request and target."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from aiohttp import web

from simlab.kube import views
from simlab.kube.answers import as_json, list_of, one_object, watch_of
from simlab.kube.cluster import APPLY_PATCH
from simlab.kube.errors import ApiError, method_not_allowed, unknown_path
from simlab.kube.request import (
    Target,
    delete_options,
    list_options,
    patch_kind,
    read_body,
    wanted_form,
    write_options,
)
from simlab.kube.subresources import evict, scale_of, scaler
from simlab.kube.watch import selected
from simlab.kube.wire import MEDIA_TYPE

if TYPE_CHECKING:
    import asyncio

    from simlab.kube.cluster import Cluster
    from simlab.kube.kubelet import KubeletClient
    from simlab.kube.objects import Obj
    from simlab.kube.resources import Resource


@dataclass(frozen=True)
class Call:
    """One request for a resource: what was asked, of what, and what the answer can draw on."""

    request: web.Request
    resource: Resource
    target: Target
    cluster: Cluster
    kubelets: KubeletClient
    closing: asyncio.Event

    @property
    def place(self) -> tuple[Resource, str, str]:
        """The resource, namespace and name of the object that is meant."""
        return self.resource, self.target.namespace, self.target.name


async def _get(call: Call) -> web.StreamResponse:
    return one_object(call.request, call.resource, call.cluster.get(*call.place), wanted_form(call.request))


async def _list(call: Call) -> web.StreamResponse:
    form = wanted_form(call.request)
    return list_of(call.cluster.store, call.request, call.resource, call.target, form)


async def _watch(call: Call) -> web.StreamResponse:
    form = wanted_form(call.request)
    store = call.cluster.store
    return await watch_of(store, call.request, call.resource, call.target, form, call.closing)


async def _create(call: Call) -> web.StreamResponse:
    form, write = wanted_form(call.request), write_options(call.request)
    body = await read_body(call.request)
    made = call.cluster.create(call.resource, call.target.namespace, body, write)
    return one_object(call.request, call.resource, made, form, 201, write)


async def _update(call: Call) -> web.StreamResponse:
    form, write = wanted_form(call.request), write_options(call.request)
    body = await read_body(call.request)
    changed, created = call.cluster.update(*call.place, body, write, call.target.part)
    return one_object(call.request, call.resource, changed, form, 201 if created else 200, write)


async def _patch(call: Call) -> web.StreamResponse:
    form, write = wanted_form(call.request), write_options(call.request)
    kind = patch_kind(call.request)
    body = await read_body(call.request, (kind,))
    if kind == APPLY_PATCH and "fieldManager" not in call.request.query:
        why = "fieldManager: Required value: is required for apply patch"
        raise ApiError(422, "Invalid", f'PatchOptions.meta.k8s.io "" is invalid: {why}')
    changed, created = call.cluster.patch(*call.place, kind, body, write, call.target.part)
    return one_object(call.request, call.resource, changed, form, 201 if created else 200, write)


async def _delete(call: Call) -> web.StreamResponse:
    form = wanted_form(call.request)
    options = await delete_options(call.request)
    resource, _, name = call.place
    obj, gone = call.cluster.delete(*call.place, options)
    if not gone or resource.returns_deleted:
        return one_object(call.request, resource, obj, form)
    details = {"name": name, "kind": resource.plural, "uid": obj["metadata"]["uid"]}
    if resource.group:
        details["group"] = resource.group
    return as_json(call.request, {**_success(), "details": details})


async def _delete_collection(call: Call) -> web.StreamResponse:
    resource, namespace, _ = call.place
    options = list_options(call.request, resource, "")
    deletion = await delete_options(call.request)
    store = call.cluster.store
    entries = store.entries(resource.store, namespace)
    found = [entry.obj["metadata"] for entry in entries if selected(options, namespace, entry.obj)]
    deleted = [
        call.cluster.delete(resource, metadata.get("namespace", ""), metadata["name"], deletion)[0]
        for metadata in found
    ]
    listed = {
        "kind": resource.list_kind,
        "apiVersion": resource.api_version,
        "metadata": {"resourceVersion": str(store.version)},
        "items": [views.shown(resource, obj) for obj in deleted],
    }
    return as_json(call.request, listed)


async def _log(call: Call) -> web.StreamResponse:
    return await call.kubelets.log(call.request, call.cluster.get(*call.place).obj)


async def _run(call: Call) -> web.StreamResponse:
    await call.kubelets.run(call.request, call.cluster.get(*call.place).obj, call.target.part)


async def _bind(call: Call) -> web.StreamResponse:
    body = await read_body(call.request)
    call.cluster.bind(call.target.namespace, call.target.name, body, write_options(call.request))
    return as_json(call.request, {**_success(), "code": 201}, 201)


async def _evict(call: Call) -> web.StreamResponse:
    evict(call.cluster, *call.place, await read_body(call.request))
    return as_json(call.request, {**_success(), "code": 201}, 201)


async def _get_scale(call: Call) -> web.StreamResponse:
    return as_json(call.request, scale_of(call.cluster.get(*call.place).obj))


async def _set_scale(call: Call) -> web.StreamResponse:
    kind = patch_kind(call.request) if call.request.method == "PATCH" else MEDIA_TYPE
    edit = scaler(await read_body(call.request, ("application/json", kind)))
    return as_json(
        call.request, scale_of(call.cluster.change(*call.place, edit, write_options(call.request)))
    )


def _success() -> Obj:
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}


_Operation: TypeAlias = Callable[[Call], Awaitable[web.StreamResponse]]
_VERBS: Final[dict[str, _Operation]] = {
    "get": _get,
    "list": _list,
    "watch": _watch,
    "create": _create,
    "update": _update,
    "patch": _patch,
    "delete": _delete,
    "deletecollection": _delete_collection,
}
_PARTS: Final[dict[tuple[str, str], _Operation]] = {
    ("status", "get"): _get,
    ("status", "update"): _update,
    ("status", "patch"): _patch,
    ("finalize", "update"): _update,
    ("log", "get"): _log,
    ("binding", "create"): _bind,
    ("eviction", "create"): _evict,
    ("scale", "get"): _get_scale,
    ("scale", "update"): _set_scale,
    ("scale", "patch"): _set_scale,
    **{(part, verb): _run for part in ("exec", "attach", "portforward") for verb in ("get", "create")},
}


async def perform(call: Call, verb: str) -> web.StreamResponse:
    """Do what a request asks for; raises the 404 or 405 of a subresource or verb that a resource lacks."""
    resource, part = call.resource, call.target.part
    if part and part not in resource.subresources:
        raise unknown_path()
    operation = _PARTS.get((part, verb)) if part else _VERBS.get(verb)
    if operation is None or (not part and verb not in resource.verbs):
        name = f"{resource.plural}/{part}" if part else resource.plural
        raise method_not_allowed(name, resource.group, verb)
    return await operation(call)
