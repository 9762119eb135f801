"""The protobuf form of an OpenAPI v2 document, the only one in which kubectl reads it.

Messages and field numbers: `openapiv2/OpenAPIv2.proto` of google/gnostic-models v0.7.1. A key that has no
number here is left out: the lab's own documents have none such, a custom resource's schema may.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from simlab.kube.objects import Obj

    # From a field's number and its value in JSON to the field on the wire.
    Write = Callable[[int, Any], bytes]
    Fields = dict[str, tuple[int, Write]]

_VARINT, _FIXED64, _BYTES = 0, 1, 2


def encode(document: Obj) -> bytes:
    """Return an OpenAPI v2 document, given as in JSON, in its protobuf form."""
    return _fields(document, _DOCUMENT)


def _varint(value: int) -> bytes:
    # A negative number is written as 64 bits.
    value &= (1 << 64) - 1
    result = bytearray()
    while value > 0x7F:
        result.append(value & 0x7F | 0x80)
        value >>= 7
    result.append(value)
    return bytes(result)


def _delimited(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(data)) + data


def _text(number: int, value: Any) -> bytes:
    return _delimited(number, str(value).encode())


def _integer(number: int, value: Any) -> bytes:
    return _varint(number << 3 | _VARINT) + _varint(int(value))


def _float(number: int, value: Any) -> bytes:
    return _varint(number << 3 | _FIXED64) + struct.pack("<d", float(value))


def _any(number: int, value: Any) -> bytes:
    """Write a value of any type, which stands in `Any` as YAML; so JSON will do."""
    return _delimited(number, _text(2, json.dumps(value, ensure_ascii=False)))


def _fields(value: Obj, fields: Fields, extensions: int | None = None) -> bytes:
    """Return a message's fields, each item of a list as one; and its `x-` keys, as field `extensions`."""
    parts: list[bytes] = []
    for key, item in value.items():
        if key in fields:
            number, write = fields[key]
            parts.extend(write(number, one) for one in (item if isinstance(item, list) else [item]))
        elif extensions is not None and key.startswith("x-"):
            parts.append(_delimited(extensions, _text(1, key) + _any(2, item)))
    return b"".join(parts)


def _message(fields: Fields, extensions: int | None = None) -> Write:
    return lambda number, value: _delimited(number, _fields(value, fields, extensions))


def _inside(inner: int, write: Write) -> Write:
    """Return how to write a value that is field `inner` of a message of its own."""
    return lambda number, value: _delimited(number, write(inner, value))


def _named(inner: int, write: Write) -> Write:
    """Return how to write a mapping: a message whose fields `inner` are pairs of name and value."""
    return lambda number, value: _delimited(
        number, b"".join(_delimited(inner, _text(1, name) + write(2, item)) for name, item in value.items())
    )


def _schema(number: int, value: Obj) -> bytes:
    return _delimited(number, _fields(value, _SCHEMA, 31))


def _additional(number: int, value: Any) -> bytes:
    return _delimited(number, _integer(2, value) if isinstance(value, bool) else _schema(1, value))


def _parameter(number: int, value: Obj) -> bytes:
    """Write a parameter in the body or in the query, which are the ones that the documents have."""
    if value["in"] == "body":
        data = _delimited(1, _fields(value, _BODY_PARAMETER))
    else:
        data = _delimited(2, _delimited(3, _fields(value, _QUERY_PARAMETER)))
    return _delimited(number, _delimited(1, data))


_SCHEMA: Final[Fields] = {
    "$ref": (1, _text),
    "format": (2, _text),
    "title": (3, _text),
    "description": (4, _text),
    "multipleOf": (6, _float),
    "maximum": (7, _float),
    "exclusiveMaximum": (8, _integer),
    "minimum": (9, _float),
    "exclusiveMinimum": (10, _integer),
    "maxLength": (11, _integer),
    "minLength": (12, _integer),
    "pattern": (13, _text),
    "maxItems": (14, _integer),
    "minItems": (15, _integer),
    "uniqueItems": (16, _integer),
    "maxProperties": (17, _integer),
    "minProperties": (18, _integer),
    "required": (19, _text),
    "enum": (20, _any),
    "additionalProperties": (21, _additional),
    "type": (22, _inside(1, _text)),
    "items": (23, _inside(1, _schema)),
    "allOf": (24, _schema),
    "properties": (25, _named(1, _schema)),
}
_BODY_PARAMETER: Final[Fields] = {
    "description": (1, _text),
    "name": (2, _text),
    "in": (3, _text),
    "required": (4, _integer),
    "schema": (5, _schema),
}
_QUERY_PARAMETER: Final[Fields] = {
    "in": (2, _text),
    "name": (4, _text),
    "type": (6, _text),
    "uniqueItems": (20, _integer),
}
_OPERATION: Final[Fields] = {
    "operationId": (5, _text),
    "consumes": (7, _text),
    "parameters": (8, _parameter),
    "responses": (9, _named(1, _inside(1, _message({"description": (1, _text)})))),
}
_PATH_ITEM: Final[Fields] = {
    "get": (2, _message(_OPERATION, 13)),
    "put": (3, _message(_OPERATION, 13)),
    "post": (4, _message(_OPERATION, 13)),
    "delete": (5, _message(_OPERATION, 13)),
    "patch": (8, _message(_OPERATION, 13)),
}
_DOCUMENT: Final[Fields] = {
    "swagger": (1, _text),
    "info": (2, _message({"title": (1, _text), "version": (2, _text)})),
    "paths": (8, _named(2, _message(_PATH_ITEM))),
    "definitions": (9, _named(1, _schema)),
}
