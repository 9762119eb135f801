"""`/openapi/v3` and `/openapi/v2`: the schemas by which kubectl validates, explains and computes its patches.

Form: Kubernetes v1.24's own documents; paths carry what kubectl looks for (the kind, whether the server
validates fields and does dry runs, which patches it takes), and no more.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from simlab.kube import gnostic, version
from simlab.kube.cluster import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH
from simlab.kube.definitions import V2_REFERENCE, V3_REFERENCE, definitions, kind_of, root_name
from simlab.kube.errors import not_acceptable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simlab.kube.objects import Obj
    from simlab.kube.resources import Registry, Resource

# The protobuf form's two names: kubectl asks for the first, though it is no valid media type.
_PROTOBUF: Final = (
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
)
_JSON: Final = ("application/json", "application/*", "*/*")


def _paths(rows: list[Resource], prefix: str) -> dict[str, Obj]:
    third = prefix == V3_REFERENCE
    result: dict[str, Obj] = {}
    for row in rows:
        root = f"/apis/{row.group}/{row.version}" if row.group else f"/api/{row.version}"
        scope = "/namespaces/{namespace}" if row.namespaced else ""
        every = f"{root}{scope}/{row.plural}"
        reference = {"$ref": prefix + root_name(row)}
        verbs = {"post": "create"} if "create" in row.verbs else {}
        result[every] = {
            verb: _operation(row, verb, action, reference, third=third) for verb, action in verbs.items()
        }
        one = {"get": "get", "put": "update", "patch": "patch", "delete": "delete"}
        found = {
            verb: _operation(row, verb, action, reference, third=third)
            for verb, action in one.items()
            if action in row.verbs
        }
        if found:
            result[f"{every}/{{name}}"] = found
    return result


_WRITES: Final = ("post", "put", "patch")


def _operation(row: Resource, verb: str, action: str, reference: Obj, *, third: bool) -> Obj:
    operation: dict[str, Any] = {
        "operationId": f"{action}{row.group.title().replace('.', '')}{row.version.title()}{row.kind}",
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": kind_of(row),
        "responses": {"200": {"description": "OK"}},
    }
    parameters = ["dryRun", "fieldManager", "fieldValidation"] if verb in _WRITES else []
    text: dict[str, Any] = (
        {"schema": {"type": "string"}} if third else {"type": "string", "uniqueItems": True}
    )
    operation["parameters"] = [{"name": name, "in": "query", **text} for name in parameters]
    if verb not in _WRITES:
        return operation
    types = ["*/*"]
    if verb == "patch":
        types = [APPLY_PATCH, JSON_PATCH, MERGE_PATCH]
        if row.custom is None:
            types.append(STRATEGIC_PATCH)
    if third:
        operation["requestBody"] = {
            "content": {kind: {"schema": reference} for kind in types},
            "required": True,
        }
    else:
        operation["consumes"] = types
        operation["parameters"].append({"name": "body", "in": "body", "required": True, "schema": reference})
    return operation


def _document(rows: list[Resource]) -> Obj:
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": version.GIT_VERSION},
        "paths": _paths(rows, V3_REFERENCE),
        "components": {"schemas": definitions(rows, V3_REFERENCE)},
    }


def _swagger(rows: list[Resource]) -> Obj:
    return {
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": version.GIT_VERSION},
        "paths": _paths(rows, V2_REFERENCE),
        "definitions": definitions(rows, V2_REFERENCE),
    }


class Documents:
    """The documents, made when they are first asked for and again when a resource has come or gone."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._made: dict[tuple[int, str, bool], bytes] = {}

    def respond(self, request: web.Request, parts: list[str]) -> web.Response:
        """Answer for a path under `/openapi`; raises 406 if no form of it is one that the client takes."""
        if parts not in (["v2"], ["v3"]) and not (parts[:1] == ["v3"] and len(parts) in (3, 4)):
            return web.Response(status=404, text="404 page not found\n")
        protobuf = _wants_protobuf(request, offered=parts == ["v2"])
        key = (self._registry.generation, "/".join(parts), protobuf)
        if key not in self._made:
            document = self._make(parts)
            if document is None:
                return web.Response(status=404, text="404 page not found\n")
            self._made = {known: data for known, data in self._made.items() if known[0] == key[0]}
            as_json = json.dumps(document, separators=(",", ":")).encode()
            self._made[key] = gnostic.encode(document) if protobuf else as_json
        body = self._made[key]
        headers = {"ETag": f'"{hashlib.sha256(body).hexdigest().upper()}"', "Vary": "Accept"}
        # A 1.24 server has the protobuf form's type guessed from its bytes, which gives this one.
        kind = "application/octet-stream" if protobuf else "application/json"
        return web.Response(body=body, content_type=kind, headers=headers)

    def _make(self, parts: list[str]) -> Obj | None:
        rows = self._registry.all()
        if parts == ["v2"]:
            return _swagger(rows)
        if parts == ["v3"]:
            return {"paths": {path: {"serverRelativeURL": self._url(path)} for path in self._groups()}}
        path = "/".join(parts[1:])
        chosen = [row for row in rows if _group_path(row) == path]
        return _document(chosen) if chosen else None

    def _groups(self) -> list[str]:
        return list(dict.fromkeys(_group_path(row) for row in self._registry.all()))

    def _url(self, path: str) -> str:
        # The hash lets clients keep a document: it need only change whenever the document does.
        rows = [row for row in self._registry.all() if _group_path(row) == path]
        seed = json.dumps([version.GIT_VERSION, [(row.kind, row.subresources, row.custom) for row in rows]])
        return f"/openapi/v3/{path}?hash={hashlib.sha256(seed.encode()).hexdigest().upper()}"


def _group_path(row: Resource) -> str:
    return f"apis/{row.group}/{row.version}" if row.group else f"api/{row.version}"


def _wants_protobuf(request: web.Request, *, offered: bool) -> bool:
    """Say whether the client likes the protobuf form best; raises 406 if it takes neither that nor JSON."""
    forms = (*_JSON, *_PROTOBUF) if offered else _JSON
    for kind in _accepted(request.headers.get("Accept") or "*/*"):
        if kind in forms:
            return kind in _PROTOBUF
    raise not_acceptable(("application/json", *(_PROTOBUF if offered else ())))


def _accepted(header: str) -> Iterator[str]:
    """Yield the media types of an Accept header, the client's favourite first."""
    weighed: list[tuple[float, str]] = []
    for choice in header.split(","):
        kind, *parameters = (part.strip() for part in choice.split(";"))
        weight = next((text[2:] for text in parameters if text.startswith("q=")), "1")
        try:
            weighed.append((float(weight), kind))
        except ValueError:
            continue
    yield from (kind for _, kind in sorted(weighed, key=lambda pair: -pair[0]))
