"""What a reader sees of a page, in one of its languages."""

from __future__ import annotations

import re
from html.parser import HTMLParser

OTHER = {"en": "zh", "zh": "en"}
VOID = {"meta", "input", "br", "rect"}


class _Reader(HTMLParser):
    def __init__(self, language: str) -> None:
        super().__init__()
        self._hidden = OTHER[language]
        self._open: list[bool] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            classes = (dict(attrs).get("class") or "").split()
            self._open.append(tag in {"style", "script", "head"} or self._hidden in classes)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if not any(self._open):
            self.seen.append(data)


def visible(html: str, language: str = "en") -> str:
    """The text of a page, on one line."""
    reader = _Reader(language)
    reader.feed(html)
    return re.sub(r"\s+", " ", " ".join(reader.seen))
