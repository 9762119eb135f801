"""The schemas of the kinds, as the definitions of an OpenAPI document.

Names and form: Kubernetes v1.24's own documents (`api/openapi-spec/swagger.json` and `api/openapi-spec/v3`).
What of a custom resource's schema version 2 cannot say is left out, so that kubectl's own validation lets
through what the server takes: apiextensions-apiserver v0.24, `pkg/controller/openapi/v2/conversion.go`.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Final

from simlab.kube.resources import BUILT_IN
from simlab.kube.schema import FieldSpec, fields_of, is_atomic, merge_of, model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simlab.kube.objects import Obj
    from simlab.kube.resources import Resource

V3_REFERENCE: Final = "#/components/schemas/"
V2_REFERENCE: Final = "#/definitions/"
_SCALARS: Final[dict[str, Obj]] = {
    "str": {"type": "string"},
    "bytes": {"type": "string", "format": "byte"},
    "quantity": {"type": "string"},
    "int": {"type": "integer", "format": "int64"},
    "bool": {"type": "boolean"},
    "float": {"type": "number", "format": "double"},
    "datetime": {"type": "string", "format": "date-time"},
    "object": {"type": "object"},
}
# Fields of no one type.
_INTEGERS_OR_STRINGS: Final = frozenset({"port", "targetPort", "maxSurge", "maxUnavailable", "minAvailable"})
_ANYTHING: Final = frozenset(
    {
        *("additionalItems", "additionalProperties", "default", "dependencies", "enum", "example", "items"),
        "extra",
    }
)
_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1"
_META_MODELS: Final = (
    "V1Condition",
    "V1DeleteOptions",
    "V1LabelSelector",
    "V1LabelSelectorRequirement",
    "V1ManagedFieldsEntry",
    "V1ObjectMeta",
    "V1OwnerReference",
    "V1Preconditions",
)
_PACKAGES: Final = {
    "": "io.k8s.api.core.v1",
    "apiextensions.k8s.io": "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1",
}


@cache
def _packages() -> dict[str, str]:
    """Return the package of every model: that of the first group whose kinds hold it, core before the others.

    The models themselves do not say it; Kubernetes' other groups use core's structures, never each other's.
    """
    result = dict.fromkeys(_META_MODELS, _META)
    for row in sorted((row for row in BUILT_IN if row.model), key=lambda row: row.group):
        package = _PACKAGES.get(row.group) or f"io.k8s.api.{row.group.partition('.')[0]}.{row.version}"
        todo = [str(row.model)]
        while todo:
            name = todo.pop()
            if name not in result or name == row.model:
                result[name] = package
                todo.extend(held for held in _held(name) if held not in result)
    return result


def _held(name: str) -> Iterator[str]:
    return (spec.type.item for spec in fields_of(name).values() if spec.type.model)


def definition_name(name: str) -> str:
    """Return the name under which a model stands in the documents."""
    short = name
    for prefix in ("CoreV1", "EventsV1", "RbacV1", "V1"):
        short = short.removeprefix(prefix)
    return f"{_packages().get(name, 'io.k8s.api.v1')}.{short}"


def root_name(row: Resource) -> str:
    """Return the name of a resource's own definition."""
    if row.model is not None:
        return definition_name(row.model)
    return ".".join([*reversed(row.group.split(".")), row.version, row.kind])


def kind_of(row: Resource) -> dict[str, str]:
    """Return a resource's kind as the extension `x-kubernetes-group-version-kind` has it."""
    return {"group": row.group, "version": row.version, "kind": row.kind}


def definitions(rows: list[Resource], prefix: str) -> dict[str, Obj]:
    """Return the schemas of resources and of all that they hold, which they refer to by `prefix` and name."""
    result = _models(["V1ObjectMeta", *(row.model for row in rows if row.model)], prefix)
    for row in rows:
        if row.custom is not None:
            result[root_name(row)] = _custom(row, prefix)
        result[root_name(row)]["x-kubernetes-group-version-kind"] = [kind_of(row)]
    return result


def _models(names: list[str], prefix: str) -> dict[str, Obj]:
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
        todo.extend(_held(name))
    return result


def _property(owner: str, spec: FieldSpec, prefix: str) -> Obj:
    kind = spec.type
    reference = {"$ref": prefix + definition_name(kind.item)} if kind.model else None
    result: Obj
    match kind.shape:
        case "list":
            result = {"type": "array", "items": reference or _plain(spec, prefix)}
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
            result = {"type": "object", "additionalProperties": reference or _plain(spec, prefix)}
        case _ if reference is not None:
            result = {"allOf": [reference]} if prefix == V3_REFERENCE else dict(reference)
        case _:
            result = _plain(spec, prefix)
    if is_atomic(owner, spec.name):
        result["x-kubernetes-map-type"] = "atomic"
    if spec.description:
        result["description"] = spec.description
    return result


def _plain(spec: FieldSpec, prefix: str) -> Obj:
    """Return the schema of a value that is no structure."""
    if spec.type.item == "object" and spec.name in _ANYTHING:
        return {}
    if spec.type.item == "object" and spec.name in _INTEGERS_OR_STRINGS:
        either: Obj = {"oneOf": [{"type": "integer"}, {"type": "string"}]}
        return {"format": "int-or-string", **(either if prefix == V3_REFERENCE else {"type": "string"})}
    return dict(_SCALARS[spec.type.item])


def _custom(row: Resource, prefix: str) -> Obj:
    declared = ((row.custom or {}).get("version") or {}).get("schema") or {}
    schema: Obj = json.loads(json.dumps(declared.get("openAPIV3Schema") or {"type": "object"}))
    if prefix == V2_REFERENCE:
        schema = _in_version_2(schema)
    if schema.get("x-kubernetes-preserve-unknown-fields") and "properties" not in schema:
        return schema
    properties = schema.setdefault("properties", {})
    properties.setdefault("apiVersion", {"type": "string"})
    properties.setdefault("kind", {"type": "string"})
    properties["metadata"] = {"$ref": f"{prefix}{definition_name('V1ObjectMeta')}"}
    return schema


# No structural schema refers to others.
_NOT_IN_VERSION_2: Final = ("$ref", "anyOf", "not", "nullable", "oneOf")
_TYPES: Final = ("array", "boolean", "integer", "number", "object", "string")
_OPEN: Final = (
    *("nullable", "x-kubernetes-embedded-resource", "x-kubernetes-int-or-string"),
    "x-kubernetes-preserve-unknown-fields",
)


def _in_version_2(schema: Obj) -> Obj:
    drop = set(_NOT_IN_VERSION_2)
    if any(schema.get(key) for key in _OPEN):
        drop |= {"type", "items", "properties", "additionalProperties", "required"}
    result = {key: value for key, value in schema.items() if key not in drop}
    for key in ("items", "additionalProperties"):
        if isinstance(result.get(key), dict):
            result[key] = _in_version_2(result[key])
        elif key == "items":
            result.pop(key, None)
    for key, value in result.get("properties", {}).items():
        result["properties"][key] = _in_version_2(value)
    if "allOf" in result:
        result["allOf"] = [_in_version_2(part) for part in result["allOf"]]
    # One such type, and kubectl takes no kind's schema at all.
    if result.get("type") not in _TYPES or (result["type"] == "array" and "items" not in result):
        result.pop("type", None)
    return result
