"""What a schema allows at a place in a file, in words for a message or the documentation."""

from __future__ import annotations

import json
import types
import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeGuard, get_args, get_origin

from pydantic import BaseModel

from lab.labfile import SecretSource
from lab.values import Allowed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lab.positions import KeyPath

_INSTEAD_OF_A_VALUE: Final = (
    'the secret\'s source, as { env = "NAME" } or { file = "PATH" }, and never the secret itself'
)


@dataclass(frozen=True)
class Kind:
    """What may stand at a place: its annotation, and whether it lies in a secret's source."""

    annotation: Any
    words: str | None
    secret: bool

    @property
    def model(self) -> type[BaseModel] | None:
        """The schema of the table that belongs here, if one does."""
        return next((part for part in alternatives(self.annotation) if is_table(part)), None)

    def allowed(self) -> str:
        """What may stand here, in words."""
        return self.words or _allowed(self.annotation)


def is_table(annotation: Any) -> TypeGuard[type[BaseModel]]:
    """Whether this kind of value is a table with a schema of its own."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def alternatives(annotation: Any) -> Iterator[Any]:
    """The kinds that a union allows, one after the other."""
    if get_origin(annotation) in {typing.Union, types.UnionType}:
        for part in get_args(annotation):
            yield from alternatives(part)
    elif get_origin(annotation) is Annotated:
        yield annotation
        yield from alternatives(get_args(annotation)[0])
    else:
        yield annotation


def kind_at(schema: type[BaseModel], path: KeyPath) -> Kind:
    """What `schema` allows at `path`; anything, where the schema ends before the path."""
    kind = Kind(schema, None, secret=False)
    for part in path:
        if isinstance(part, int):
            kind = Kind(get_args(kind.annotation)[0], None, secret=kind.secret)
        elif kind.model is None or part not in kind.model.model_fields:
            return Kind(Any, None, secret=kind.secret)
        else:
            secret = kind.secret or kind.model is SecretSource
            field = kind.model.model_fields[part]
            kind = Kind(field.annotation, _words(field.metadata), secret=secret)
    return Kind(kind.annotation, kind.words, secret=kind.secret or kind.model is SecretSource)


def _words(metadata: Iterable[Any]) -> str | None:
    return next((item.words for item in metadata if isinstance(item, Allowed)), None)


def _allowed(annotation: Any) -> str:
    said = []
    for part in alternatives(annotation):
        if part is SecretSource:
            said.append(_INSTEAD_OF_A_VALUE)
        elif is_table(part):
            required = (name for name, field in part.model_fields.items() if field.is_required())
            said.append(f"a table with {listed(required)}")
        elif get_origin(part) is Annotated:
            said.append(_words(part.__metadata__) or "")
        elif get_origin(part) is Literal:
            said.append(" or ".join(json.dumps(value) for value in get_args(part)))
        elif get_origin(part) is list:
            said.append(f"a list, each {_allowed(get_args(part)[0])}")
        else:
            said.append({bool: "true or false", int: "a whole number", str: "a text"}.get(part, ""))
    return next((words for words in said if words), "a value of another kind")


def tables_with(table: type[BaseModel], key: str, path: KeyPath) -> Iterator[KeyPath]:
    """Paths of the tables of a schema, `table` at `path` among them, that have this key."""
    if key in table.model_fields:
        yield path
    for name, field in table.model_fields.items():
        for part in alternatives(field.annotation):
            if is_table(part):
                yield from tables_with(part, key, (*path, name))


def listed(names: Iterable[str]) -> str:
    """Names in a message."""
    return ", ".join(names) or "any of its keys"
