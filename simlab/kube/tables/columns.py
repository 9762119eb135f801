"""Columns, ages and the short forms that tables share."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

from simlab.kube.objects import Obj, mapping, parse_time

NONE: Final = "<none>"
UNKNOWN: Final = "<unknown>"
UNSET: Final = "<unset>"


@dataclass(frozen=True)
class Column:
    """One column; those of priority 1 are shown only by `-o wide`."""

    name: str
    type: str = "string"
    format: str = ""
    priority: int = 0
    description: str = ""

    def definition(self) -> Obj:
        """Return the column as the API describes it."""
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description,
            "priority": self.priority,
        }


def text(title: str, *, wide: bool = False, name: bool = False) -> Column:
    """Return a column of text; `name` marks the object's name."""
    return Column(title, "string", "name" if name else "", 1 if wide else 0)


def number(name: str, *, wide: bool = False) -> Column:
    """Return a column of whole numbers."""
    return Column(name, "integer", "", 1 if wide else 0)


_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 365 * 86400
# Below so many seconds an age is shown in this unit, and in the rest's unit where it is given.
_AGES: Final = (
    (2 * _MINUTE, (1, "s"), None),
    (10 * _MINUTE, (_MINUTE, "m"), (1, "s")),
    (3 * _HOUR, (_MINUTE, "m"), None),
    (8 * _HOUR, (_HOUR, "h"), (_MINUTE, "m")),
    (2 * _DAY, (_HOUR, "h"), None),
    (8 * _DAY, (_DAY, "d"), (_HOUR, "h")),
    (2 * _YEAR, (_DAY, "d"), None),
    (8 * _YEAR, (_YEAR, "y"), (_DAY, "d")),
)


def human_duration(seconds: float) -> str:
    """Return a duration as kubectl shows ages (apimachinery v0.24, `pkg/util/duration`)."""
    whole = int(seconds)
    if whole < 0:
        return "0s" if whole == -1 else "<invalid>"
    for limit, (size, unit), rest in _AGES:
        if whole < limit:
            left = whole % size // rest[0] if rest else 0
            return f"{whole // size}{unit}" + (f"{left}{rest[1]}" if rest and left else "")
    return f"{whole // _YEAR}y"


def age(moment: Any) -> str:
    """Return how long ago a time was, or `<unknown>`."""
    if not moment:
        return UNKNOWN
    try:
        then = parse_time(str(moment))
    except ValueError:
        return UNKNOWN
    return human_duration((dt.datetime.now(tz=dt.UTC) - then).total_seconds())


def age_of(obj: Obj) -> str:
    """Return an object's age."""
    return age(mapping(obj, "metadata").get("creationTimestamp"))


def name_cell(obj: Obj) -> Any:
    """Return an object's name."""
    return mapping(obj, "metadata").get("name")


def labels(selector: Obj) -> str:
    """Return a mapping as `key=value,…`, or `<none>`."""
    return ",".join(f"{key}={value}" for key, value in sorted(selector.items())) or NONE


def selector_text(selector: Obj) -> str:
    """Return a LabelSelector as text."""
    parts = [f"{key}={value}" for key, value in sorted(mapping(selector, "matchLabels").items())]
    for term in selector.get("matchExpressions") or []:
        values = ",".join(sorted(term.get("values") or []))
        match term.get("operator"):
            case "In":
                parts.append(f"{term.get('key')} in ({values})")
            case "NotIn":
                parts.append(f"{term.get('key')} notin ({values})")
            case "Exists":
                parts.append(str(term.get("key")))
            case "DoesNotExist":
                parts.append(f"!{term.get('key')}")
    return ",".join(parts) or NONE
