"""What serde_json 1.0.85 makes of a text, with its words and positions for one that it does not take.

Source: serde_json 1.0.85, src/de.rs, src/read.rs and src/error.rs; serde 1.0, src/de/mod.rs (what it expected
and found). Only the types that simple-kbs reads: lists of strings, lists of u32, and its policy.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeVar

from simlab.kbs import rust
from simlab.kbs.json_reader import JsonError, Reader

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["JsonError", "number_list", "policy_fields", "string_list"]

T = TypeVar("T")

_U32: Final = 1 << 32
_DIGITS: Final = "0123456789"
_KINDS: Final = {"[": "sequence", "{": "map"}


def string_list(text: str) -> list[str]:
    """Read a list of strings. Raises JsonError."""
    return _whole(text, _strings)


def number_list(text: str) -> list[int]:
    """Read a list of unsigned 32-bit numbers. Raises JsonError."""
    return _whole(text, _numbers)


def policy_fields(text: str) -> dict[str, Any]:
    """Read a policy: an object with at least its fields, or a list of them. Raises JsonError."""
    return _whole(text, _policy)


def _whole(text: str, read: Callable[[Reader], T]) -> T:
    reader = Reader(text.encode())
    value = read(reader)
    if reader.skip_space() is not None:
        raise reader.peek_error("trailing characters")
    return value


def _strings(reader: Reader) -> list[str]:
    return _list(reader, _string)


def _numbers(reader: Reader) -> list[int]:
    return _list(reader, _number)


def _list(reader: Reader, element: Callable[[Reader], T]) -> list[T]:
    if _first(reader) != "[":
        raise _wrong_type(reader, "a sequence")
    reader.eat()
    found: list[T] = []
    while _another(reader, "]", "EOF while parsing a list", "expected `,` or `]`", first=not found):
        found.append(element(reader))
    reader.eat()
    return found


def _another(reader: Reader, end: str, at_eof: str, otherwise: str, *, first: bool) -> bool:
    """Go to the next element of a list or an object; False at its end, which is not eaten."""
    found = reader.skip_space()
    if found is None:
        raise reader.peek_error(at_eof)
    if found == end:
        return False
    if first:
        return True
    if found != ",":
        raise reader.peek_error(otherwise)
    reader.eat()
    found = reader.skip_space()
    if found is None:
        raise reader.peek_error("EOF while parsing a value")
    if found == end:
        raise reader.peek_error("trailing comma")
    return True


def _first(reader: Reader) -> str:
    found = reader.skip_space()
    if found is None:
        raise reader.peek_error("EOF while parsing a value")
    return found


def _string(reader: Reader) -> str:
    if _first(reader) != '"':
        raise _wrong_type(reader, "a string")
    reader.eat()
    return reader.string()


def _number(reader: Reader) -> int:
    found = _first(reader)
    if found not in f"-{_DIGITS}":
        raise _wrong_type(reader, "u32")
    value = reader.number()
    if isinstance(value, float):
        raise reader.error(f"invalid type: {_shown(value)}, expected u32")
    if not 0 <= value < _U32:
        raise reader.error(f"invalid value: {_shown(value)}, expected u32")
    return value


def _wrong_type(reader: Reader, expected: str) -> JsonError:
    """Return the error of a value of another type; a scalar is read first, and may be none itself."""
    found = reader.peek() or ""
    if found in _KINDS:
        shown = _KINDS[found]
    elif found == '"':
        reader.eat()
        shown = f"string {rust.debug(reader.string())}"
    elif found and found in f"-{_DIGITS}":
        shown = _shown(reader.number())
    elif found and found in "ntf":
        shown = {"n": "null", "t": "boolean `true`", "f": "boolean `false`"}[found]
        reader.word()
    else:
        return reader.peek_error("expected value")
    return reader.error(f"invalid type: {shown}, expected {expected}")


def _shown(value: float) -> str:
    if isinstance(value, int):
        return f"integer `{value}`"
    text = format(Decimal(repr(value)), "f")
    return f"floating point `{text.removesuffix('.0')}`"


_FIELDS: Final[dict[str, Callable[[Reader], Any]]] = {
    "allowed_digests": _strings,
    "allowed_policies": _numbers,
    "min_fw_api_major": _number,
    "min_fw_api_minor": _number,
    "allowed_build_ids": _numbers,
}


def _policy(reader: Reader) -> dict[str, Any]:
    found = _first(reader)
    if found == "{":
        return _policy_object(reader)
    if found == "[":
        return _policy_list(reader)
    raise _wrong_type(reader, "struct Policy")


def _policy_object(reader: Reader) -> dict[str, Any]:
    reader.eat()
    fields: dict[str, Any] = {}
    first = True
    while _another(reader, "}", "EOF while parsing an object", "expected `,` or `}`", first=first):
        first = False
        if reader.peek() != '"':
            raise reader.peek_error("key must be a string")
        reader.eat()
        name = reader.string()
        if name in fields:
            raise reader.error(f"duplicate field `{name}`")
        reader.colon()
        if name in _FIELDS:
            fields[name] = _FIELDS[name](reader)
        else:
            reader.ignore()
    reader.eat()
    for name in _FIELDS:
        if name not in fields:
            raise reader.error(f"missing field `{name}`")
    return fields


def _policy_list(reader: Reader) -> dict[str, Any]:
    reader.eat()
    fields: dict[str, Any] = {}
    for name, read in _FIELDS.items():
        more = _another(reader, "]", "EOF while parsing a list", "expected `,` or `]`", first=not fields)
        if not more:
            reader.eat()
            raise reader.error(f"invalid length {len(fields)}, expected struct Policy with 5 elements")
        fields[name] = read(reader)
    _end_of_list(reader)
    return fields


def _end_of_list(reader: Reader) -> None:
    found = reader.skip_space()
    if found is None:
        raise reader.peek_error("EOF while parsing a list")
    if found != "]":
        if found == ",":
            reader.eat()
        comma_alone = found == "," and reader.skip_space() == "]"
        raise reader.peek_error("trailing comma" if comma_alone else "trailing characters")
    reader.eat()
