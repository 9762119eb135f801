"""UUIDs as the `uuid` crate 1.1.2 parses them.

Source: uuid 1.1.2, src/parser.rs (plain, hyphenated, braced or with a URN prefix) and src/error.rs (its
texts).
"""

from __future__ import annotations

import re
import uuid
from typing import Final

from simlab.kbs import rust

_URN: Final = "urn:uuid:"
_HYPHENATED: Final = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_SHAPE: Final = re.compile(
    rf"[0-9a-fA-F]{{32}}|{_HYPHENATED}|\{{{_HYPHENATED}\}}|{_URN}{_HYPHENATED}", re.ASCII
)
_HEX: Final = frozenset("0123456789abcdefABCDEF")
_GROUPS: Final = (8, 4, 4, 4, 12)
_STARTS: Final = (0, 9, 14, 19, 24)


class UuidError(ValueError):
    """The text is no UUID; the message is the crate's, and so is `debug`, for a panic."""

    def __init__(self, message: str, debug: str) -> None:
        super().__init__(message)
        self.debug = f"Error({debug})"


def parse(text: str) -> uuid.UUID:
    """Return the UUID. Raises UuidError."""
    if not _SHAPE.fullmatch(text):
        raise _complaint(text)
    return uuid.UUID(text)


def _complaint(text: str) -> UuidError:
    inner, offset, plain = text, 0, True
    if len(text) >= 2 and text[0] == "{" and text[-1] == "}":
        inner, offset, plain = text[1:-1], 1, False
    elif text.startswith(_URN):
        inner, offset, plain = text[len(_URN) :], len(_URN), False
    index = 0
    hyphens = []
    for character in inner:
        if character == "-":
            hyphens.append(index)
        elif character not in _HEX:
            place = index + offset + 1
            return UuidError(
                "invalid character: expected an optional prefix of `urn:uuid:` followed by [0-9a-zA-Z], "
                f"found `{character}` at {place}",
                f"Char {{ character: {rust.debug_char(character)}, index: {place} }}",
            )
        index += len(character.encode())
    if not hyphens and plain:
        return UuidError(
            f"invalid length: expected length 32 for simple format, found {len(text)}",
            f"SimpleLength {{ len: {len(text)} }}",
        )
    if len(hyphens) != len(_GROUPS) - 1:
        count = len(hyphens) + 1
        return UuidError(
            f"invalid group count: expected 5, found {count}", f"GroupCount {{ count: {count} }}"
        )
    for group, (found, start) in enumerate(zip(hyphens, _STARTS, strict=False)):
        if found != start + _GROUPS[group]:
            return _group_length(group, found - start, offset)
    return _group_length(4, len(text) - _STARTS[4], offset)


def _group_length(group: int, found: int, offset: int) -> UuidError:
    return UuidError(
        f"invalid group length in group {group}: expected {_GROUPS[group]}, found {found}",
        f"GroupLength {{ group: {group}, len: {found}, index: {offset + _STARTS[group] + 1} }}",
    )
