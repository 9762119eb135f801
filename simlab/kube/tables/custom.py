"""The tables of custom resources: columns that their definition names by JSON paths."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from simlab.kube.objects import Obj, dig, items
from simlab.kube.tables.columns import Column, age, age_of, name_cell, text

if TYPE_CHECKING:
    from simlab.kube.resources import Resource

_STEP: Final = re.compile(
    r"\.(?P<key>(?:[^.\[\\]|\\.)+)"
    r"|\[\?\(@\.(?P<filter>[\w.]+)\s*==\s*[\"'](?P<value>[^\"']*)[\"']\)\]"
    r"|\[(?P<index>\d+|\*)\]"
    r"|\[['\"](?P<quoted>[^'\"]+)['\"]\]"
)


def _printed(resource: Resource) -> list[Obj]:
    return items((resource.custom or {}).get("version"), "additionalPrinterColumns")


def columns(resource: Resource) -> list[Column]:
    """Return the columns of a custom resource's table."""
    declared = [
        Column(
            column["name"],
            column.get("type", "string"),
            column.get("format", ""),
            int(column.get("priority", 0)),
            column.get("description", ""),
        )
        for column in _printed(resource)
    ]
    return [text("Name", name=True), *(declared or [Column("Age", "date")])]


def cells(resource: Resource, obj: Obj) -> list[Any]:
    """Return a custom resource's cells."""
    declared = _printed(resource)
    if not declared:
        return [name_cell(obj), age_of(obj)]
    row = [name_cell(obj)]
    for column in declared:
        found = find(obj, str(column.get("jsonPath", "")))
        value = found[0] if found else None
        if value is not None and column.get("type") == "date":
            value = age(value)
        elif isinstance(value, dict | list):
            value = json.dumps(value, separators=(",", ":"))
        row.append(value)
    return row


def find(obj: Any, path: str) -> list[Any]:
    """Return the values at a JSON path: keys, indexes, `[*]` and equality filters are understood."""
    found = [obj]
    for step in _STEP.finditer(path):
        key = (step["key"] or step["quoted"] or "").replace("\\", "")
        values: list[Any] = []
        for value in found:
            if key:
                inner = dig(value, key)
                values.extend([inner] if inner is not None else [])
            elif isinstance(value, list) and step["filter"]:
                values.extend(v for v in value if str(dig(v, *step["filter"].split("."))) == step["value"])
            elif isinstance(value, list) and step["index"] == "*":
                values.extend(value)
            elif isinstance(value, list) and step["index"]:
                values.extend(value[int(step["index"]) : int(step["index"]) + 1])
        found = values
    return found
