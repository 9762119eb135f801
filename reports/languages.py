"""Pages in two languages at once: a switch in the page hides the one that is not wanted.

English is written in templates; Chinese is looked up by it in `templates/zh*.toml`. Where there is none, the
English is shown in both. So the page needs no script to be read, and says nothing twice to who has chosen.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup, escape

TEMPLATES: Final = Path(__file__).with_name("templates")
CHINESE: Final = TEMPLATES / "zh.toml"
CAUSES: Final = TEMPLATES / "zh-causes.toml"
_BRACES: Final = re.compile(r"\{(\w+)\}")


@cache
def chinese() -> dict[str, str]:
    """Every text that has a translation."""
    return _texts(CHINESE) | _texts(CAUSES)


@cache
def _texts(path: Path) -> dict[str, str]:
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    return {english: text for table in document.values() for english, text in table.items()}


def both(english: str, **values: Any) -> Markup:
    """A text in both languages; `values` fill its braces. What backticks enclose is code."""
    marked = _marked(english)
    return marked.format(**values) if values else marked


@cache
def filled(text: str) -> Markup:
    """A text that a run filled in before it wrote it, in both languages: by `templates/zh-causes.toml`."""
    if text not in chinese():
        for pattern, english in _filled_ones():
            if found := pattern.fullmatch(text):
                return both(english, **{name: code(value) for name, value in found.groupdict().items()})
    return both(text)


@cache
def _filled_ones() -> list[tuple[re.Pattern[str], str]]:
    """The texts with braces, as patterns; those that say the most by themselves first."""
    texts = [english for english in _texts(CAUSES) if _BRACES.search(english)]
    texts.sort(key=lambda english: len(_BRACES.sub("", english)), reverse=True)
    return [(_pattern(english), english) for english in texts]


def _pattern(english: str) -> re.Pattern[str]:
    parts = _BRACES.split(english)
    filled = [re.escape(part) if place % 2 == 0 else f"(?P<{part}>.*)" for place, part in enumerate(parts)]
    return re.compile("".join(filled), re.DOTALL)


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
