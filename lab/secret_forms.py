"""The forms in which a secret could show itself in a log: every encoding that a tool here writes."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
import urllib.parse
from typing import Final

# Fewer characters of base64 would blank out innocent text.
SHORTEST_PART: Final = 8
# Lines of a secret that are as long as this are secrets themselves: a private key's.
SHORTEST_LINE: Final = 16


def forms(value: str) -> set[str]:
    """`value`, and what becomes of it in base64, hex, URLs, shells, JSON, Python and HTML."""
    found = {value}
    for part in [value, *(line for line in value.splitlines() if len(line) >= SHORTEST_LINE)]:
        raw = part.encode("utf-8", "surrogateescape")
        found |= {part, raw.hex(), raw.hex().upper(), *_base64(raw), *_url(part), *_quoted(part)}
    return found - {""}


def _base64(raw: bytes) -> set[str]:
    """Base64 of the bytes alone, and what is sure to stand in that of any text around them.

    Three bytes become four characters, so it depends on what comes before where the first of ours begins:
    `user:password` in an HTTP header is the common case.
    """
    found = set()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        found |= {encode(raw).decode(), encode(raw).decode().rstrip("=")}
        for before in range(3):
            encoded = encode(bytes(before) + raw).decode()
            part = encoded[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
            if len(part) >= SHORTEST_PART:
                found.add(part)
    return found


def _url(value: str) -> set[str]:
    quoted = {
        urllib.parse.quote(value, safe="", errors="surrogateescape"),
        urllib.parse.quote(value, errors="surrogateescape"),
        urllib.parse.quote_plus(value, errors="surrogateescape"),
    }
    lower = {re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), each) for each in quoted}
    return quoted | lower


def _quoted(value: str) -> set[str]:
    return {
        shlex.quote(value),
        re.sub(r"[^\w@%+=:,./-]", r"\\\g<0>", value),
        re.sub(r'[\\$`"]', r"\\\g<0>", value),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
        html.escape(value),
        html.escape(value, quote=False),
    }
