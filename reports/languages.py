"""Pages in two languages at once: a switch in the page hides the one that is not wanted.

English is written in templates; Chinese is looked up by it in `templates/zh.toml`. Where there is none, the
English is shown in both. So the page needs no script to be read, and says nothing twice to who has chosen.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup, escape

CHINESE: Final = Path(__file__).with_name("templates") / "zh.toml"


@cache
def chinese() -> dict[str, str]:
    """Every text that has a translation."""
    document = tomllib.loads(CHINESE.read_text(encoding="utf-8"))
    return {english: text for table in document.values() for english, text in table.items()}


def both(english: str, **values: Any) -> Markup:
    """A text in both languages; `values` fill its braces. What backticks enclose is code."""
    marked = _marked(english)
    return marked.format(**values) if values else marked


def translated(english: str) -> Markup:
    """A text in Chinese, for what only who reads that has to be told; in English where there is none."""
    return code(chinese().get(english, english))


def code(text: str) -> Markup:
    """A text in which backticks enclose code."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part)
        for place, part in enumerate(parts)
    )


@cache
def _marked(english: str) -> Markup:
    """A text in both languages, whose braces are not filled yet: a page says the same words very often."""
    first, translated = code(english), chinese().get(english)
    if translated is None or code(translated) == first:
        return first
    spans = Markup('<span class="en">{}</span><span class="zh" lang="zh">{}</span>')
    return spans.format(first, code(translated))
