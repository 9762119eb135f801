"""Base64 as the `base64` crate 0.13 decodes it: padding may be missing, nothing else is forgiven.

Source: base64 0.13.0, src/decode.rs (the order of its checks, and DecodeError's texts).
"""

from __future__ import annotations

import base64
import string
from typing import Final

_ALPHABET: Final = (string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/").encode()
_VALUES: Final = {symbol: value for value, symbol in enumerate(_ALPHABET)}
_PAD: Final = ord("=")


class Base64Error(ValueError):
    """The text is not base64; the message is the crate's, and so is `debug`, for a panic."""

    def __init__(self, message: str, debug: str) -> None:
        super().__init__(message)
        self.debug = debug


def encode(data: bytes) -> str:
    """Return padded base64."""
    return base64.b64encode(data).decode()


def decode(text: str) -> bytes:
    """Return the bytes that a base64 text stands for. Raises Base64Error."""
    data = text.encode()
    _check_length(data)
    symbols = data[: _check_symbols(data)]
    spare_bits = {0: 0, 2: 4, 3: 2}[len(symbols) % 4]
    if spare_bits and _VALUES[symbols[-1]] & ((1 << spare_bits) - 1):
        last, offset = symbols[-1], len(symbols) - 1
        raise Base64Error(
            f"Invalid last symbol {last}, offset {offset}.", f"InvalidLastSymbol({offset}, {last})"
        )
    return base64.b64decode(symbols + b"=" * (-len(symbols) % 4))


def _check_length(data: bytes) -> None:
    if len(data) % 4 != 1:
        return
    if data[-1] != _PAD and data[-1] not in _VALUES:
        raise _invalid_byte(len(data) - 1, data[-1])
    raise Base64Error("Encoded text cannot have a 6-bit remainder.", "InvalidLength")


def _check_symbols(data: bytes) -> int:
    """Return how many symbols stand before the padding."""
    for offset, byte in enumerate(data):
        if byte in _VALUES:
            continue
        padding_fits = offset % 4 >= 2 and len(data) - offset <= 4 - offset % 4
        if byte == _PAD and padding_fits and not data[offset:].strip(b"="):
            return offset
        raise _invalid_byte(offset, byte)
    return len(data)


def _invalid_byte(offset: int, byte: int) -> Base64Error:
    return Base64Error(f"Invalid byte {byte}, offset {offset}.", f"InvalidByte({offset}, {byte})")
