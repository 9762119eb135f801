"""Answers: one object, a list or a watch, in the form that the client wants."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aiohttp import web

from simlab.kube import paging, tables, views
from simlab.kube.request import list_options
from simlab.kube.watch import follow, line

if TYPE_CHECKING:
    import asyncio

    from simlab.kube.cluster import Write
    from simlab.kube.objects import Obj
    from simlab.kube.request import Form, Target
    from simlab.kube.resources import Resource
    from simlab.kube.store import Entry, Store


def as_json(request: web.Request, document: Any, code: int = 200) -> web.Response:
    """Return an answer of JSON, indented if the request asks for `pretty`."""
    pretty = request.query.get("pretty", "").lower() in ("1", "true")
    text = json.dumps(document, indent=2 if pretty else None, separators=None if pretty else (",", ":"))
    headers = {"Cache-Control": "no-cache, private"}
    return web.Response(
        body=text.encode() + b"\n", status=code, content_type="application/json", headers=headers
    )


def one_object(
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
    response = as_json(request, obj, code)
    for text in write.warnings if write is not None else []:
        response.headers.add("Warning", f"299 - {json.dumps(text)}")
    return response


def list_of(
    store: Store, request: web.Request, resource: Resource, target: Target, form: Form
) -> web.Response:
    """Answer with a list, or one page of it."""
    options = list_options(request, resource, target.name)
    page, metadata = paging.page(store, resource, target, options)
    if form.shape == "Table":
        include = request.query.get("includeObject", "Metadata")
        objects = [views.shown(resource, entry.obj) for entry in page]
        return as_json(request, tables.table(resource, objects, metadata, include, form.version))
    if form.shape == "PartialObjectMetadataList":
        items = [_metadata_only(entry.obj, form) for entry in page]
        listed = {
            "kind": form.shape,
            "apiVersion": f"meta.k8s.io/{form.version}",
            "metadata": metadata,
            "items": items,
        }
        return as_json(request, listed)
    plain = resource.custom is None and resource.group != "events.k8s.io"
    texts = [entry.item if plain else views.shown_text(resource, entry) for entry in page]
    head = {"kind": resource.list_kind, "apiVersion": resource.api_version, "metadata": metadata}
    body = f'{json.dumps(head)[:-1]},"items":[{",".join(texts)}]}}\n'
    return web.Response(body=body.encode(), content_type="application/json")


async def watch_of(
    store: Store,
    request: web.Request,
    resource: Resource,
    target: Target,
    form: Form,
    closing: asyncio.Event,
) -> web.StreamResponse:
    """Answer with a watch, until it ends."""
    options = list_options(request, resource, target.name)
    response = web.StreamResponse(
        headers={"Content-Type": "application/json", "Cache-Control": "no-cache, private"}
    )
    await response.prepare(request)
    include = request.query.get("includeObject", "Metadata")
    head = True
    async for kind, found in follow(store, resource, target.namespace, options, closing):
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


def _metadata_only(obj: Obj, form: Form) -> Obj:
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": f"meta.k8s.io/{form.version}",
        "metadata": obj["metadata"],
    }
