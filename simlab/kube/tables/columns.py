"""Columns, ages and the short forms that tables share."""

from __future__ import annotations

import datetime
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


def human_duration(seconds: float) -> str:
    """Return a duration as kubectl shows ages (apimachinery, pkg/util/duration)."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    if whole < 0:
        return "0s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return f"{minutes}m{whole % 60}s" if whole % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if hours < 192:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    if days < 730:
        return f"{days}d"
    years = days // 365
    if years < 8:
        return f"{years}y{days % 365}d" if days % 365 else f"{years}y"
    return f"{years}y"


def age(moment: Any) -> str:
    """Return how long ago a time was, or `<unknown>`."""
    if not moment:
        return UNKNOWN
    try:
        then = parse_time(str(moment))
    except ValueError:
        return UNKNOWN
    return human_duration((datetime.datetime.now(tz=datetime.UTC) - then).total_seconds())


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
                parts.append(f"{term['key']} in ({values})")
            case "NotIn":
                parts.append(f"{term['key']} notin ({values})")
            case "Exists":
                parts.append(str(term["key"]))
            case "DoesNotExist":
                parts.append(f"!{term['key']}")
    return ",".join(parts) or NONE
