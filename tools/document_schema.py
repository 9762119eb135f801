"""Writes the tables of docs/lab-files.md and docs/profiles.md: python -m tools.document_schema.

A document keeps its own words outside of the two marks.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lab.kinds import kind_at
from lab.labfile import LabFile, SecretSource
from lab.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

DOCS: Final = Path(__file__).parents[1] / "docs"
SCHEMAS: Final[dict[str, type[BaseModel]]] = {"lab-files.md": LabFile, "profiles.md": Profile}
BEGIN: Final = "<!-- written by tools/document_schema.py: begin -->\n"
END: Final = "<!-- written by tools/document_schema.py: end -->\n"


def tables(schema: type[BaseModel]) -> str:
    """A section for each table of the schema, with a row for each of its keys."""
    return "\n".join(_sections(schema, (), ""))


def document(text: str, schema: type[BaseModel]) -> str:
    """`text` with what stands between the marks written anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{tables(schema)}\n{END}{after}"


def _sections(schema: type[BaseModel], path: tuple[str | int, ...], header: str) -> Iterator[str]:
    model = kind_at(schema, path).model
    if model is None:
        return
    rows, inner = [], []
    for name, field in model.model_fields.items():
        kind = kind_at(schema, (*path, name))
        if kind.model is None or kind.model is SecretSource:
            words = " ".join((field.description or "").split())
            default = "**required**" if field.is_required() else _default(field.get_default())
            rows.append(f"| `{name}` | {words} | {kind.allowed()} | {default} |")
        else:
            inner.append(name)
    if rows:
        yield f"### `{header}`\n\n{model.__doc__}\n" if header else "### Above all tables\n"
        yield "| key | meaning | allowed | default |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"
    for name in inner:
        dotted = ".".join([*(str(part) for part in path), name])
        yield from _sections(schema, (*path, name), f"[{dotted}]")


def _default(value: Any) -> str:
    if value is None:
        return "none"
    if value == []:
        return "empty"
    return f"`{json.dumps(value)}`"


def main() -> None:
    """Write both documents."""
    for name, schema in SCHEMAS.items():
        file = DOCS / name
        file.write_text(document(file.read_text(encoding="utf-8"), schema), encoding="utf-8")


if __name__ == "__main__":
    main()
