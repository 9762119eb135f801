"""What is wrong with a lab file or a profile, in words that never hold a secret."""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lab.kinds import kind_at, listed, tables_with

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import BaseModel
    from pydantic_core import ErrorDetails

    from lab.positions import KeyPath, Positions

LONGEST_SHOWN: Final = 60

# Who writes `user:password@host` where a host belongs does not want it in a log.
_CREDENTIALS: Final = re.compile(r"[^\s/@]*@")

_KINDS: Final = {bool: "true or false", int: "a number", float: "a number", dict: "a table", list: "a list"}


@dataclass(frozen=True, order=True)
class Mistake:
    """One mistake; `str()` is its line for the user. Sorted by where it stands."""

    file: str
    line: int
    path: str
    found: str
    allowed: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.path}: found {self.found}, allowed {self.allowed}"


def spell(path: KeyPath) -> str:
    """A path as a user would write it: `ssh.jump[0].host`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f"{'.' if text else ''}{part}"
    return text or "top level"


def nearest(word: str, possible: Iterable[str]) -> str | None:
    """The one of `possible` that `word` is most likely a slip for."""
    matches = difflib.get_close_matches(word, list(possible), n=1)
    return matches[0] if matches else None


def describe(
    errors: Iterable[ErrorDetails], file: str, schema: type[BaseModel], data: Any, positions: Positions
) -> list[Mistake]:
    """Pydantic's errors about `data` as mistakes of `file`, one for each place."""
    mistakes: dict[KeyPath, Mistake] = {}
    slips: set[KeyPath] = set()
    errors = list(errors)
    for error in errors:
        if error["type"] == "extra_forbidden":
            path = error["loc"]
            found, allowed, meant = _unknown_key(schema, path)
            slips |= {(*path[:-1], meant)} if meant else set()
            mistakes[path] = Mistake(file, positions.line(path), spell(path), found, allowed)
    for error in errors:
        path, value = _place(error["loc"], data, missing=error["type"] == "missing")
        kind = kind_at(schema, path)
        if error["type"] == "extra_forbidden" or path in slips:
            continue
        context = error.get("ctx", {})
        allowed = context.get("allowed") or kind.allowed()
        if error["type"] == "missing":
            found = "nothing"
        elif error["type"] == "mistake":
            found = str(context["found"])
        else:
            found = _show(value, named_only=kind.secret or kind.model is not None)
        words = Mistake(file, positions.line(path), spell(path), found, allowed)
        # Of a value that may be one of several kinds, the kind with words of its own knows best.
        if path not in mistakes or error["type"] == "mistake":
            mistakes[path] = words
    return list(mistakes.values())


def _unknown_key(schema: type[BaseModel], path: KeyPath) -> tuple[str, str, str | None]:
    """What to call an unknown key, what its table allows, and the key that was meant if that is plain."""
    key = str(path[-1])
    table = kind_at(schema, path[:-1]).model
    known = list(table.model_fields) if table else []
    hint = ""
    meant = nearest(key, known)
    if meant:
        hint = f" (did you mean {meant}?)"
    elif homes := list(tables_with(schema, key, ())):
        places = (f"to [{spell(home)}]" if home else "above all tables" for home in homes)
        hint = f" (it belongs {' or '.join(places)})"
    return f"an unknown key{hint}", listed(known), meant


def _place(loc: KeyPath, data: Any, *, missing: bool) -> tuple[KeyPath, Any]:
    """The part of pydantic's `loc` that is a path in the file, and the value there."""
    path: KeyPath = ()
    for part in loc:
        in_list = isinstance(data, list) and isinstance(part, int)
        if not in_list and not (isinstance(data, dict) and part in data):
            # What follows names alternatives of a type, unless it is the key that is missing.
            return ((*path, part), None) if missing else (path, data)
        data = data[part]
        path = (*path, part)
    return path, data


def _show(value: Any, *, named_only: bool) -> str:
    """The value itself where it is short, plain and can be no secret; else what kind of value it is."""
    if isinstance(value, str):
        if named_only or len(value) > LONGEST_SHOWN or not value.isprintable():
            return "a text"
        return f"the text {json.dumps(_CREDENTIALS.sub('[hidden]@', value), ensure_ascii=False)}"
    if isinstance(value, int | float) and not named_only:
        return json.dumps(value)
    for kind, words in _KINDS.items():
        if isinstance(value, kind):
            return words
    return "a date or time"
