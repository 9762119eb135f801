"""A reader of JSON that stops where serde_json 1.0.85 stops, and says so in its words.

Source: serde_json 1.0.85, src/de.rs and src/read.rs. Positions count bytes; some errors are at the byte that
was read last, others at the one that is looked at.
"""

from __future__ import annotations

from typing import Final

_SPACE: Final = b" \n\t\r"
_DIGITS: Final = "0123456789"
_ESCAPES: Final = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WORDS: Final = {"n": b"null", "t": b"true", "f": b"false"}
_EOF_VALUE: Final = "EOF while parsing a value"
_EOF_STRING: Final = "EOF while parsing a string"
_U64: Final = 1 << 64
_I64_LOWEST: Final = -(1 << 63)


class JsonError(ValueError):
    """A text is not the JSON that it should be; the message ends with the place."""


class Reader:
    """A text, and how far it was read."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def peek(self) -> str | None:
        """Return the next byte as a character, None at the end."""
        return chr(self._data[self._at]) if self._at < len(self._data) else None

    def eat(self) -> None:
        """Go behind the byte that was looked at."""
        self._at += 1

    def skip_space(self) -> str | None:
        """Return the next byte that is no white space, without eating it."""
        while self._at < len(self._data) and self._data[self._at] in _SPACE:
            self._at += 1
        return self.peek()

    def error(self, text: str) -> JsonError:
        """Return an error at the byte that was read last."""
        return self._error_at(text, self._at)

    def peek_error(self, text: str) -> JsonError:
        """Return an error at the byte that is looked at."""
        return self._error_at(text, min(self._at + 1, len(self._data)))

    def word(self) -> None:
        """Read null, true or false, by its first letter. Raises JsonError."""
        word = _WORDS[self.peek() or ""]
        self._at += 1
        for wanted in word[1:]:
            found = self._next(_EOF_VALUE)
            if found != chr(wanted):
                raise self.error("expected ident")

    def string(self) -> str:
        """Read a string whose opening quote was eaten. Raises JsonError."""
        parts = bytearray()
        while True:
            if self._at >= len(self._data):
                raise self.error(_EOF_STRING)
            byte = self._data[self._at]
            self._at += 1
            if byte == ord('"'):
                return parts.decode()
            if byte == ord("\\"):
                parts += self._escape().encode()
            elif byte < ord(" "):
                raise self.error("control character (\\u0000-\\u001F) found while parsing a string")
            else:
                parts.append(byte)

    def number(self) -> int | float:
        """Read a number; one that 64 bits do not hold is a float. Raises JsonError."""
        begin = self._at
        negative = self.peek() == "-"
        self._at += negative
        whole = self._next(_EOF_VALUE)
        if whole not in _DIGITS:
            raise self.error("invalid number")
        if whole == "0" and self._peek_digit():
            raise self.peek_error("invalid number")
        self._digits()
        is_float = self._fraction()
        text = self._data[begin : self._at].decode()
        if is_float:
            return self._float(text)
        value = int(text)
        # -0 and what does not fit are floats.
        return float(text) if value >= _U64 or value < _I64_LOWEST or (negative and not value) else value

    def colon(self) -> None:
        """Read the colon behind a key. Raises JsonError."""
        found = self.skip_space()
        if found is None:
            raise self.peek_error("EOF while parsing an object")
        if found != ":":
            raise self.peek_error("expected `:`")
        self._at += 1

    def ignore(self) -> None:
        """Read any value. Raises JsonError."""
        found = self.skip_space()
        if found is None:
            raise self.peek_error(_EOF_VALUE)
        if found in "[{":
            self._at += 1
            self._ignore_inside(found)
        elif found == '"':
            self._at += 1
            self.string()
        elif found in _WORDS:
            self.word()
        elif found in f"-{_DIGITS}":
            self.number()
        else:
            raise self.peek_error("expected value")

    def _ignore_inside(self, kind: str) -> None:
        end = "]" if kind == "[" else "}"
        what = "a list" if kind == "[" else "an object"
        first = True
        while (found := self.skip_space()) != end:
            if found is None:
                raise self.peek_error(f"EOF while parsing {what}")
            if not first:
                if found != ",":
                    raise self.peek_error(f"expected `,` or `{end}`")
                self._at += 1
            first = False
            if kind == "{":
                self._ignore_key()
            self.ignore()
        self._at += 1

    def _ignore_key(self) -> None:
        found = self.skip_space()
        if found != '"':
            text = "EOF while parsing an object" if found is None else "key must be a string"
            raise self.peek_error(text)
        self._at += 1
        self.string()
        self.colon()

    def _fraction(self) -> bool:
        """Read fraction and exponent of a number; whether there is one of them."""
        begin = self._at
        if self.peek() == ".":
            self._at += 1
            if not self._peek_digit():
                raise self.peek_error(_EOF_VALUE if self.peek() is None else "invalid number")
            self._digits()
        if self.peek() in ("e", "E"):
            self._at += 1
            if self.peek() in ("+", "-"):
                self._at += 1
            if self._next(_EOF_VALUE) not in _DIGITS:
                raise self.error("invalid number")
            self._digits()
        return self._at > begin

    def _float(self, text: str) -> float:
        value = float(text)
        if value in (float("inf"), float("-inf")):
            raise self.error("number out of range")
        return value

    def _digits(self) -> None:
        while self._peek_digit():
            self._at += 1

    def _peek_digit(self) -> bool:
        return (self.peek() or " ") in _DIGITS

    def _escape(self) -> str:
        letter = self._next(_EOF_STRING)
        if letter in _ESCAPES:
            return _ESCAPES[letter]
        if letter != "u":
            raise self.error("invalid escape")
        unit = self._hex()
        if 0xDC00 <= unit <= 0xDFFF:
            raise self.error("lone leading surrogate in hex escape")
        if not 0xD800 <= unit <= 0xDBFF:
            return chr(unit)
        for wanted in "\\u":
            if self._next(_EOF_STRING) != wanted:
                raise self.error("unexpected end of hex escape")
        low = self._hex()
        if not 0xDC00 <= low <= 0xDFFF:
            raise self.error("lone leading surrogate in hex escape")
        return chr(((unit - 0xD800) << 10 | (low - 0xDC00)) + 0x10000)

    def _hex(self) -> int:
        if self._at + 4 > len(self._data):
            self._at = len(self._data)
            raise self.error(_EOF_STRING)
        value = 0
        for _ in range(4):
            digit = self._next(_EOF_STRING)
            if digit not in "0123456789abcdefABCDEF":
                raise self.error("invalid escape")
            value = value * 16 + int(digit, 16)
        return value

    def _next(self, at_end: str) -> str:
        found = self.peek()
        if found is None:
            raise self.error(at_end)
        self._at += 1
        return found

    def _error_at(self, text: str, index: int) -> JsonError:
        before = self._data[:index]
        line = before.count(b"\n") + 1
        column = index - (before.rfind(b"\n") + 1)
        return JsonError(f"{text} at line {line} column {column}")
