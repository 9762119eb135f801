"""Bodies in Kubernetes' protobuf form, as `kubectl create namespace` and other typed Go clients send them.

Only reading: answers are JSON, which those clients accept too. The envelope is apimachinery v0.24's
`pkg/runtime/serializer/protobuf`; `wire_fields.txt` beside this file has the field numbers, and says where
they come from and how it is written.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from simlab.kube.errors import bad_request
from simlab.kube.objects import format_time
from simlab.kube.schema import FieldSpec, FieldType, fields_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from simlab.kube.objects import Obj

MEDIA_TYPE: Final = "application/vnd.kubernetes.protobuf"
_MAGIC: Final = b"k8s\x00"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass
class _Message:
    """The fields of a message by number: (JSON name, whether a zero value counts); and inlined messages."""

    names: dict[int, tuple[str, bool]] = field(default_factory=dict)
    inlined: dict[int, str] = field(default_factory=dict)


@lru_cache(maxsize=1)
def _messages() -> dict[str, _Message]:
    found: dict[str, _Message] = {}
    text = (Path(__file__).parent / "wire_fields.txt").read_text(encoding="ascii")
    for row in text.splitlines():
        if row.startswith("#"):
            continue
        name, *fields = row.split()
        message = found[name] = _Message()
        for part in fields:
            key, _, number = part.partition("=")
            if key.startswith("@"):
                message.inlined[int(key[1:])] = number
            else:
                message.names[int(number.rstrip("*"))] = (key, number.endswith("*"))
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("varint is too long")


def _parts(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield (field number, value) of a message; raises IndexError or ValueError if it is cut short."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield number, value - (1 << 64) if value >> 63 else value
        elif kind == _BYTES:
            length, at = _varint(data, at)
            if at + length > len(data):
                raise ValueError("message is cut short")
            yield number, data[at : at + length]
            at += length
        elif kind in (_FIXED32, _FIXED64):
            width = 4 if kind == _FIXED32 else 8
            yield number, data[at : at + width]
            at += width
        else:
            raise ValueError(f"unknown wire type {kind}")


def decode(data: bytes) -> Obj:
    """Return the object in a body; raises a 400 if it cannot be read."""
    if not data.startswith(_MAGIC):
        raise bad_request(
            "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]"
        )
    try:
        envelope = dict(_parts(data[len(_MAGIC) :]))
        about = dict(_parts(_data(envelope.get(1, b""))))
        version, kind = _text(about.get(1, b"")), _text(about.get(2, b""))
        model = "CoreV1Event" if kind == "Event" and version == "v1" else f"V1{kind}"
        if kind == "Event" and version == "events.k8s.io/v1":
            model = "EventsV1Event"
        if model not in _messages():
            raise bad_request(f'no kind "{kind}" is registered for version "{version}" in protobuf form')
        obj = _message(_data(envelope.get(2, b"")), model, fields_of(model))
    except (IndexError, ValueError, TypeError) as error:
        raise bad_request(f"unable to decode protobuf body: {error}") from None
    return {"apiVersion": version, "kind": kind, **obj}


def _data(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError("a number where a message was expected")
    return value


def _text(value: int | bytes) -> str:
    return _data(value).decode()


def _message(data: bytes, name: str, specs: dict[str, FieldSpec]) -> Obj:
    shape = _messages()[name]
    result: Obj = {}
    for number, value in _parts(data):
        if number in shape.inlined:
            result.update(_message(_data(value), f"@{shape.inlined[number]}", specs))
            continue
        if number not in shape.names:
            continue
        key, zero_counts = shape.names[number]
        spec = specs.get(key)
        if spec is None:
            continue
        if spec.type.shape == "map":
            entry = dict(_parts(_data(value)))
            result.setdefault(key, {})[_text(entry.get(1, b""))] = _one(entry.get(2, b""), spec.type, key)
        elif spec.type.shape == "list":
            result.setdefault(key, []).extend(_several(value, spec.type, key))
        else:
            decoded = _one(value, spec.type, key)
            if zero_counts or decoded not in ("", 0, False, None, {}):
                result[key] = decoded
    return result


def _several(value: int | bytes, kind: FieldType, key: str) -> list[Any]:
    """Return the items in one occurrence of a repeated field: one, or of packed numbers many."""
    if kind.item == "int" and isinstance(value, bytes):
        packed, at = [], 0
        while at < len(value):
            number, at = _varint(value, at)
            packed.append(number)
        return packed
    return [_one(value, kind, key)]


def _one(value: int | bytes, kind: FieldType, key: str) -> Any:
    if kind.model is not None:
        return _message(_data(value), kind.model, fields_of(kind.model)) if kind.model in _messages() else {}
    if kind.item in ("int", "bool"):
        return value if kind.item == "int" else bool(value)
    data = _data(value)
    if kind.item == "object":
        return _anything(data, key)
    return _READERS.get(kind.item, _text)(data)


def _time(data: bytes) -> str | None:
    parts = dict(_parts(data))
    seconds, nanos = parts.get(1), parts.get(2)
    if not isinstance(seconds, int):
        return None
    moment = dt.datetime.fromtimestamp(seconds, tz=dt.UTC)
    if isinstance(nanos, int) and nanos:
        return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{nanos // 1000:06d}Z"
    return format_time(moment)


def _quantity(data: bytes) -> str:
    return _text(dict(_parts(data)).get(1, b""))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


_READERS: Final[dict[str, Callable[[bytes], str | None]]] = {
    "bytes": _base64,
    "datetime": _time,
    "quantity": _quantity,
}


def _anything(data: bytes, key: str) -> Any:
    """Return a field that JSON shows as it likes: raw JSON, or a number that may be a string."""
    parts = dict(_parts(data))
    if key in ("fieldsV1", "data", "object"):
        raw = _data(parts.get(1, b""))
        return json.loads(raw) if raw else None
    if parts.get(1):
        return _text(parts.get(3, b""))
    return parts.get(2, 0)
