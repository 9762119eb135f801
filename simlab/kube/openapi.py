"""`/openapi/v3` and `/openapi/v2`: the schemas by which kubectl validates, explains and computes its patches.

Form: Kubernetes v1.24's own documents; paths carry what kubectl looks for (the kind, whether the server
validates fields and does dry runs, which patches it takes), and no more.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from simlab.kube import version
from simlab.kube.cluster import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH
from simlab.kube.errors import not_acceptable
from simlab.kube.schema import FieldSpec, is_atomic, merge_of, model

if TYPE_CHECKING:
    from simlab.kube.objects import Obj
    from simlab.kube.resources import Registry, Resource

_V3_REFERENCE: Final = "#/components/schemas/"
_V2_REFERENCE: Final = "#/definitions/"
_SCALARS: Final[dict[str, Obj]] = {
    "str": {"type": "string"},
    "bytes": {"type": "string", "format": "byte"},
    "quantity": {"type": "string"},
    "int": {"type": "integer", "format": "int64"},
    "bool": {"type": "boolean"},
    "float": {"type": "number", "format": "double"},
    "datetime": {"type": "string", "format": "date-time"},
    "object": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
}
_META_MODELS: Final = (
    "V1ObjectMeta",
    "V1OwnerReference",
    "V1ManagedFieldsEntry",
    "V1LabelSelector",
    "V1LabelSelectorRequirement",
)


def definition_name(name: str) -> str:
    """Return the name under which a model stands in the documents."""
    for prefix, package in (("CoreV1", "api.core.v1"), ("EventsV1", "api.events.v1")):
        if name.startswith(prefix):
            return f"io.k8s.{package}.{name.removeprefix(prefix)}"
    package = "apimachinery.pkg.apis.meta.v1" if name in _META_MODELS else "api.v1"
    return f"io.k8s.{package}.{name.removeprefix('V1')}"


def _property(owner: str, spec: FieldSpec, prefix: str) -> Obj:
    kind = spec.type
    reference = {"$ref": prefix + definition_name(kind.item)} if kind.model else None
    result: Obj
    match kind.shape:
        case "list":
            result = {"type": "array", "items": reference or _SCALARS[kind.item]}
            merge = merge_of(owner, spec.name)
            if merge.patch:
                strategy = "merge,retainKeys" if merge.retain_keys else "merge"
                result["x-kubernetes-patch-strategy"] = strategy
                if merge.patch_key:
                    result["x-kubernetes-patch-merge-key"] = merge.patch_key
            if merge.apply_keys:
                result["x-kubernetes-list-type"] = "map"
                result["x-kubernetes-list-map-keys"] = list(merge.apply_keys)
            else:
                result["x-kubernetes-list-type"] = "set" if merge.apply_set else "atomic"
        case "map":
            result = {"type": "object", "additionalProperties": reference or _SCALARS[kind.item]}
        case _ if reference is not None:
            result = {"allOf": [reference]} if prefix == _V3_REFERENCE else dict(reference)
        case _:
            result = dict(_SCALARS[kind.item])
    if is_atomic(owner, spec.name):
        result["x-kubernetes-map-type"] = "atomic"
    if spec.description:
        result["description"] = spec.description
    return result


def _definitions(names: list[str], prefix: str) -> dict[str, Obj]:
    """Return the schemas of models and of all that they hold."""
    result: dict[str, Obj] = {}
    todo = list(names)
    while todo:
        name = todo.pop()
        key = definition_name(name)
        if key in result:
            continue
        try:
            shape = model(name)
        except KeyError:
            result[key] = dict(_SCALARS["object"])
            continue
        schema: Obj = {"type": "object", "description": shape.description}
        schema["properties"] = {field: _property(name, spec, prefix) for field, spec in shape.fields.items()}
        required = [field for field, spec in shape.fields.items() if spec.required]
        if required:
            schema["required"] = required
        result[key] = schema
        todo.extend(spec.type.item for spec in shape.fields.values() if spec.type.model)
    return result


def _kind(row: Resource) -> dict[str, str]:
    return {"group": row.group, "version": row.version, "kind": row.kind}


def _root_name(row: Resource) -> str:
    if row.model is not None:
        return definition_name(row.model)
    return ".".join([*reversed(row.group.split(".")), row.version, row.kind])


def _schemas(rows: list[Resource], prefix: str) -> dict[str, Obj]:
    result = _definitions(["V1ObjectMeta", *(row.model for row in rows if row.model)], prefix)
    for row in rows:
        if row.custom is not None:
            result[_root_name(row)] = _custom_schema(row, prefix)
        result[_root_name(row)]["x-kubernetes-group-version-kind"] = [_kind(row)]
    return result


def _custom_schema(row: Resource, prefix: str) -> Obj:
    declared = ((row.custom or {}).get("version") or {}).get("schema") or {}
    schema = json.loads(json.dumps(declared.get("openAPIV3Schema") or {"type": "object"}))
    properties = schema.setdefault("properties", {})
    properties.setdefault("apiVersion", {"type": "string"})
    properties.setdefault("kind", {"type": "string"})
    properties["metadata"] = {"$ref": f"{prefix}{definition_name('V1ObjectMeta')}"}
    return dict(schema)


def _paths(rows: list[Resource], prefix: str) -> dict[str, Obj]:
    third = prefix == _V3_REFERENCE
    result: dict[str, Obj] = {}
    for row in rows:
        root = f"/apis/{row.group}/{row.version}" if row.group else f"/api/{row.version}"
        scope = "/namespaces/{namespace}" if row.namespaced else ""
        every = f"{root}{scope}/{row.plural}"
        reference = {"$ref": prefix + _root_name(row)}
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
        "x-kubernetes-group-version-kind": _kind(row),
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
        "paths": _paths(rows, _V3_REFERENCE),
        "components": {"schemas": _schemas(rows, _V3_REFERENCE)},
    }


def _swagger(rows: list[Resource]) -> Obj:
    return {
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": version.GIT_VERSION},
        "paths": _paths(rows, _V2_REFERENCE),
        "definitions": _schemas(rows, _V2_REFERENCE),
    }


class Documents:
    """The documents, made when they are first asked for and again when a resource has come or gone."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._made: dict[tuple[int, str], bytes] = {}

    def respond(self, request: web.Request, parts: list[str]) -> web.Response:
        """Answer for a path under `/openapi`; raises 406 for the protobuf form, which is not served."""
        accept = request.headers.get("Accept", "") or "*/*"
        if not any(kind in accept for kind in ("json", "*/*", "application/*")):
            raise not_acceptable(("application/json",))
        if parts not in (["v2"], ["v3"]) and not (parts[:1] == ["v3"] and len(parts) in (3, 4)):
            return web.Response(status=404, text="404 page not found\n")
        key = (self._registry.generation, "/".join(parts))
        if key not in self._made:
            document = self._make(parts)
            if document is None:
                return web.Response(status=404, text="404 page not found\n")
            self._made = {known: data for known, data in self._made.items() if known[0] == key[0]}
            self._made[key] = json.dumps(document, separators=(",", ":")).encode()
        body = self._made[key]
        headers = {"ETag": f'"{hashlib.sha256(body).hexdigest().upper()}"', "Vary": "Accept"}
        return web.Response(body=body, content_type="application/json", headers=headers)

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
