"""Findings whose text is written down once, docs/findings.toml: what is so, why it matters, what to do."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from lab.record import Finding

TEXTS = Path(__file__).parents[1] / "docs" / "findings.toml"


def finding(name: str, detail: str, clause: str | None = None) -> Finding:
    """The finding of this id, with what was seen, and the clause whose scenario saw it."""
    text = _texts()[name]
    return Finding(text["title"], detail, clause, text["meaning"], text["remedy"].strip())


@cache
def _texts() -> dict[str, dict[str, Any]]:
    document = tomllib.loads(TEXTS.read_text(encoding="utf-8"))
    return {entry["id"]: entry for entry in document["finding"] if "id" in entry}
