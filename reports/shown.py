"""What a terminal is given to show, whoever wrote it."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from lab.printable import printable


class Shown(Text):
    """Text that comes from a host as well: nothing in it moves the cursor."""

    def __init__(self, text: str = "", *arguments: Any, **settings: Any) -> None:
        super().__init__(_safe(text), *arguments, **settings)

    def append(self, text: Text | str, style: Any = None) -> Shown:
        """Append more."""
        super().append(_safe(text) if isinstance(text, str) else text, style)
        return self


def _safe(text: str) -> str:
    return printable(text.encode("utf-8", "backslashreplace"))
