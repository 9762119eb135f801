"""From a request's body to an object of a kind.

Types checked, unknown fields found and dropped, nulls dropped.

Texts: Kubernetes apiserver v0.24, `pkg/endpoints/handlers/create.go`, and the texts of Go's and
sigs.k8s.io's JSON decoders.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from simlab.kube.errors import bad_request
from simlab.kube.schema import FieldType, fields_of

if TYPE_CHECKING:
    from simlab.kube.objects import Obj
    from simlab.kube.resources import Resource

_GO_TYPES: Final = {"str": "string", "bytes": "[]uint8", "int": "int64", "bool": "bool", "float": "float64"}


_PYTHON_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "str": (str,),
    "datetime": (str,),
    "bytes": (str,),
    "int": (int,),
    "bool": (bool,),
    "float": (int, float),
}
_NO_QUANTITY: Final = (
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)
_SCHEMA: Final = "V1JSONSchemaProps"
_SUBSCHEMAS: Final = ("additionalItems", "additionalProperties", "items")


class _WrongTypeError(Exception):
    """A value that the kind's field cannot hold."""


@dataclass
class _Walk:
    unknown: list[str] = field(default_factory=list)

    def structure(self, value: Any, model: str, path: str, plain: str) -> Any:
        """Return a structure's value with known fields only. `plain` is the path as Go's decoder names it."""
        if not isinstance(value, dict):
            raise _WrongTypeError(_cannot(value, model, plain, _go_model(model)))
        known = fields_of(model)
        if not known:
            return value
        result: Obj = {}
        for key, item in value.items():
            spec = known.get(key)
            if spec is None:
                self.unknown.append(f"{path}.{key}" if path else key)
            elif item is not None:
                inner, go_name = f"{path}.{key}" if path else key, f"{plain}.{key}" if plain else key
                if model == _SCHEMA and key in _SUBSCHEMAS:
                    result[key] = self.subschema(item, key, inner, go_name)
                else:
                    result[key] = self.shaped(item, spec.type, inner, go_name, model)
        return result

    def subschema(self, value: Any, key: str, path: str, plain: str) -> Any:
        """Return a field of a schema that holds a schema or something else."""
        if isinstance(value, dict):
            return self.structure(value, _SCHEMA, path, plain)
        if key == "items":
            several = value if isinstance(value, list) else []
            return [self.structure(item, _SCHEMA, f"{path}[{at}]", plain) for at, item in enumerate(several)]
        if not isinstance(value, bool):
            raise _WrongTypeError("boolean or JSON schema expected")
        return value

    def shaped(self, value: Any, kind: FieldType, path: str, plain: str, owner: str) -> Any:
        """Return a field's value, checked against its type."""
        if kind.shape == "list":
            if not isinstance(value, list):
                raise _WrongTypeError(_cannot(value, owner, plain, f"[]{_go_name(kind)}"))
            return [self.one(item, kind, f"{path}[{at}]", plain, owner) for at, item in enumerate(value)]
        if kind.shape == "map":
            if not isinstance(value, dict):
                raise _WrongTypeError(_cannot(value, owner, plain, f"map[string]{_go_name(kind)}"))
            return {key: self.one(item, kind, f"{path}.{key}", plain, owner) for key, item in value.items()}
        return self.one(value, kind, path, plain, owner)

    def one(self, value: Any, kind: FieldType, path: str, plain: str, owner: str) -> Any:
        """Return one value, checked against the type of its field or item."""
        if kind.model is not None:
            return self.structure(value, kind.model, path, plain)
        if kind.item == "quantity":
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                raise _WrongTypeError(_NO_QUANTITY)
            return str(value)
        if value is None and kind.shape == "map" and kind.item == "str":
            return ""
        wanted = _PYTHON_TYPES.get(kind.item)
        truth = isinstance(value, bool) and kind.item != "bool"
        if wanted is not None and (truth or not isinstance(value, wanted)):
            raise _WrongTypeError(_cannot(value, owner, plain, _go_name(kind)))
        if kind.item == "bytes" and not _is_base64(value):
            raise _WrongTypeError("illegal base64 data at input byte 0")
        return value


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        return False
    return True


def _go_model(model: str) -> str:
    return "v1." + model.removeprefix("V1").removeprefix("CoreV1").removeprefix("EventsV1")


def _go_name(kind: FieldType) -> str:
    return _go_model(kind.item) if kind.model else _GO_TYPES.get(kind.item, "string")


def _cannot(value: Any, owner: str, plain: str, wanted: str) -> str:
    found = "object"
    if isinstance(value, bool):
        found = "bool"
    elif isinstance(value, str):
        found = "string"
    elif isinstance(value, int | float):
        found = "number"
    elif isinstance(value, list):
        found = "array"
    elif value is None:
        found = "null"
    place = f"Go struct field {_go_model(owner).removeprefix('v1.')}.{plain}" if plain else "Go value"
    return f"json: cannot unmarshal {found} into {place} of type {wanted}"


@dataclass(frozen=True)
class Decoded:
    """An object as the server takes it, and the fields that it did not know."""

    obj: Obj
    unknown: list[str]


def decode(resource: Resource, body: Any) -> Decoded:
    """Return the object in a request's body; raises a 400 if it is not an object of the resource's kind."""
    if not isinstance(body, dict):
        raise bad_request(
            "couldn't get version/kind; json parse error: json: cannot unmarshal "
            f"{'array' if isinstance(body, list) else 'value'} into Go value of type struct "
            '{ APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
        )
    body = {"apiVersion": resource.api_version, "kind": resource.kind, **body}
    version, kind = body["apiVersion"], body["kind"]
    if version != resource.api_version:
        raise bad_request(
            f"the API version in the data ({version}) does not match "
            f"the expected API version ({resource.api_version})"
        )
    if kind != resource.kind:
        raise bad_request(
            f"{_unhandled(resource, kind)}: "
            f"the kind in the data ({kind}) does not match the expected kind ({resource.kind})"
        )
    walk = _Walk()
    try:
        if resource.model is not None:
            obj = walk.structure(body, resource.model, "", "")
        else:
            obj = dict(body)
            obj["metadata"] = walk.structure(
                body.get("metadata") or {}, "V1ObjectMeta", "metadata", "metadata"
            )
            _prune_custom(obj, resource, walk)
    except _WrongTypeError as error:
        raise bad_request(f"{_unhandled(resource)}: {error}") from None
    return Decoded(obj, walk.unknown)


def refuse_unknown(resource: Resource, decoded: Decoded) -> None:
    """Raise the 400 of strict field validation if the body had fields that the kind does not have."""
    if decoded.unknown:
        texts = ", ".join(f'unknown field "{path}"' for path in decoded.unknown)
        raise bad_request(f"{_unhandled(resource)}: strict decoding error: {texts}")


def _unhandled(resource: Resource, kind: str = "") -> str:
    return f'{kind or resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}'


def _prune_custom(obj: Obj, resource: Resource, walk: _Walk) -> None:
    """Drop from a custom resource what its definition's schema does not have."""
    version = (resource.custom or {}).get("version") or {}
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    if not isinstance(schema, dict):
        return
    for key in list(obj):
        if key in ("apiVersion", "kind", "metadata"):
            continue
        inner = (schema.get("properties") or {}).get(key)
        if inner is not None:
            _prune(obj[key], inner, key, walk)
        elif not schema.get("x-kubernetes-preserve-unknown-fields"):
            walk.unknown.append(key)
            del obj[key]


def _prune(value: Any, schema: Any, path: str, walk: _Walk) -> None:
    if not isinstance(schema, dict):
        return
    if isinstance(value, list):
        for at, item in enumerate(value):
            _prune(item, schema.get("items") or {}, f"{path}[{at}]", walk)
        return
    if not isinstance(value, dict) or schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    properties, others = schema.get("properties") or {}, schema.get("additionalProperties")
    if not properties and others is None and schema.get("type") != "object":
        return
    embedded = ("apiVersion", "kind", "metadata") if schema.get("x-kubernetes-embedded-resource") else ()
    for key in list(value):
        inner = properties.get(key, others)
        if isinstance(inner, dict):
            _prune(value[key], inner, f"{path}.{key}", walk)
        elif not inner and key not in embedded:
            walk.unknown.append(f"{path}.{key}")
            del value[key]
