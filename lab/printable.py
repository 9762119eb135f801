"""Text from a host, made safe to print: a log line must not move a terminal's cursor or hide a word."""

from __future__ import annotations

import re

# C0 controls but tab and newline, DEL, C1 controls, and the marks that reverse the direction of writing.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def printable(data: bytes) -> str:
    r"""`data` as text: what is not UTF-8, and control characters, appear as `\x1b`; CR LF as a newline."""
    text = data.decode("utf-8", "backslashreplace").replace("\r\n", "\n")
    return _UNPRINTABLE.sub(_escaped, text)


def shortened(text: str, length: int = 100) -> str:
    """`text` on one line of at most `length` characters."""
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1]}…"
