"""The line on which each key of a TOML text stands, which no TOML library of ours tells.

The text must be valid TOML (`tomllib` has read it), so that this needs to recognise where a value ends, and
nothing of what is wrong with one. Grammar: TOML 1.0.0, https://toml.io/en/v1.0.0.
"""

from __future__ import annotations

import bisect
import re
import tomllib
from typing import Final

KeyPath = tuple[str | int, ...]

_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE: Final = re.compile(r"[^,\]}\n#]*")
# A multi-line string may end in one or two quotes of its own right before the three that close it.
_STRINGS: Final = (
    re.compile(r'"""(?:[^\\"]|\\.|"(?!""))*"{3,5}', re.DOTALL),
    re.compile(r"'''(?:[^']|'(?!''))*'{3,5}", re.DOTALL),
    re.compile(r'"(?:[^\\"\n]|\\.)*"'),
    re.compile(r"'[^'\n]*'"),
)


class Positions:
    """Lines of keys, counted from 1. A path is made of keys, and of indexes in arrays."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._breaks = [match.start() for match in re.finditer("\n", text)]
        self._lines: dict[KeyPath, int] = {(): 1}
        self._last_table: dict[KeyPath, int] = {}
        self._at = 0
        self._document()

    def line(self, path: KeyPath) -> int:
        """The line of `path`, or of the innermost part of it that the text has."""
        while path not in self._lines:
            path = path[:-1]
        return self._lines[path]

    def _document(self) -> None:
        table: KeyPath = ()
        while self._skip_blank() < len(self._text):
            if self._take("[["):
                start = self._at
                *outer, name = self._key()
                array = (*self._resolve((), tuple(outer), start), name)
                number = self._last_table[array] = self._last_table.get(array, -1) + 1
                self._note(array, start)
                table = (*array, number)
                self._note(table, start)
                self._take("]]")
            elif self._take("["):
                start = self._at
                table = self._resolve((), self._key(), start)
                # The table's own header is a better place than one of a table inside of it.
                self._lines[table] = self._line_at(start)
                self._take("]")
            else:
                self._pair(table)

    def _pair(self, table: KeyPath) -> None:
        start = self._at
        path = self._resolve(table, self._key(), start)
        self._skip_blank()
        self._take("=")
        self._value(path)

    def _resolve(self, table: KeyPath, keys: KeyPath, start: int) -> KeyPath:
        """The path of a dotted key: through an array of tables it means the last one."""
        path = table
        for key in keys:
            path = (*path, key)
            self._note(path, start)
            if path in self._last_table:
                path = (*path, self._last_table[path])
        return path

    def _key(self) -> KeyPath:
        parts: list[str] = []
        while True:
            self._skip_blank()
            if (quoted := self._string()) is not None:
                parts.append(tomllib.loads(f"key = {quoted}")["key"])
            else:
                parts.append(self._match(_BARE_KEY))
            self._skip_blank()
            if not self._take("."):
                return tuple(parts)

    def _value(self, path: KeyPath) -> None:
        self._skip_blank()
        if self._take("["):
            number = 0
            while self._skip_blank() < len(self._text) and not self._take("]"):
                self._note((*path, number), self._at)
                self._value((*path, number))
                self._skip_blank()
                self._take(",")
                number += 1
        elif self._take("{"):
            while self._skip_blank() < len(self._text) and not self._take("}"):
                self._pair(path)
                self._skip_blank()
                self._take(",")
        elif self._string() is None:
            self._match(_BARE_VALUE)

    def _string(self) -> str | None:
        for pattern in _STRINGS:
            if match := pattern.match(self._text, self._at):
                self._at = match.end()
                return match.group()
        return None

    def _match(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise ValueError(f"line {self._line_at(self._at)}: not TOML")
        self._at = match.end()
        return match.group()

    def _take(self, token: str) -> bool:
        if self._text.startswith(token, self._at):
            self._at += len(token)
            return True
        return False

    def _skip_blank(self) -> int:
        self._match(_BLANK)
        return self._at

    def _note(self, path: KeyPath, start: int) -> None:
        self._lines.setdefault(path, self._line_at(start))

    def _line_at(self, offset: int) -> int:
        return bisect.bisect_left(self._breaks, offset) + 1
