"""Which fields an object has, as paths in the form of `managedFields` (fieldsV1).

Form: Kubernetes' structured-merge-diff v4, `fieldpath`: `f:NAME` is a field, `k:{…}` an item of a list by
its keys, `v:VALUE` a value in a set. A path that ends at an atomic value owns it whole.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simlab.kube.schema import fields_of, is_atomic, merge_of

if TYPE_CHECKING:
    from simlab.kube.objects import Obj

Path = tuple[str, ...]
FieldSet = frozenset[Path]

# The shape of a value: a model's name, a custom resource's schema, or None where nothing is known.
Shape = str | dict[str, Any] | None


@dataclass(frozen=True)
class _Kind:
    """How a field's value is owned.

    `fields` (each by itself), `keyed` items, a `set` of values, or `whole`.
    """

    form: str
    keys: tuple[str, ...] = ()
    inner: Shape = None


def _kind(shape: Shape, key: str, value: Any) -> _Kind:
    if isinstance(shape, str):
        return _model_kind(shape, key, value)
    if isinstance(shape, dict):
        return _schema_kind(shape, key, value)
    return _Kind("fields") if isinstance(value, dict) else _Kind("whole")


def _model_kind(model: str, key: str, value: Any) -> _Kind:
    spec = fields_of(model).get(key)
    if spec is None or is_atomic(model, key):
        return _Kind("whole") if spec is not None else _kind(None, key, value)
    if spec.type.shape == "list":
        merging = merge_of(model, key)
        if merging.apply_keys:
            return _Kind("keyed", merging.apply_keys, spec.type.model)
        return _Kind("set" if merging.apply_set else "whole")
    if spec.type.shape == "one" and spec.type.model is None:
        return _kind(None, key, value)
    return _Kind("fields", inner=spec.type.model if spec.type.shape == "one" else None)


def _schema_kind(schema: dict[str, Any], key: str, value: Any) -> _Kind:
    if key == "metadata" and "x-root" in schema:
        return _Kind("fields", inner="V1ObjectMeta")
    inner = (schema.get("properties") or {}).get(key) or schema.get("additionalProperties")
    if not isinstance(inner, dict):
        return _kind(None, key, value)
    if isinstance(value, list):
        merging = inner.get("x-kubernetes-list-type")
        if merging == "map":
            return _Kind("keyed", tuple(inner.get("x-kubernetes-list-map-keys") or ()), inner.get("items"))
        return _Kind("set" if merging == "set" else "whole")
    if not isinstance(value, dict) or inner.get("x-kubernetes-map-type") == "atomic":
        return _Kind("whole")
    return _Kind("fields", inner=inner)


def _item_element(item: Any, keys: tuple[str, ...]) -> str | None:
    """Return an item's path element, or None for an item without keys."""
    if not isinstance(item, dict) or keys[0] not in item:
        return None
    # A port without a protocol is a TCP port (the key's default in the API's schema).
    found = {key: item.get(key, "TCP" if key == "protocol" else None) for key in keys}
    return "k:" + json.dumps({k: v for k, v in sorted(found.items()) if v is not None}, separators=(",", ":"))


def leaves(value: Any, shape: Shape) -> dict[Path, Any]:
    """Return every field that is owned by itself, with its value.

    Of an item of a keyed list the item too, with None.
    """
    found: dict[Path, Any] = {}
    _collect(value, shape, (), found)
    return found


def _collect(value: Any, shape: Shape, path: Path, found: dict[Path, Any]) -> None:
    for key, inner in value.items():
        here = (*path, f"f:{key}")
        kind = _kind(shape, key, inner)
        if kind.form == "fields" and isinstance(inner, dict) and inner:
            _collect(inner, kind.inner, here, found)
        elif kind.form == "keyed" and isinstance(inner, list) and inner:
            for item in inner:
                element = _item_element(item, kind.keys)
                if element is not None:
                    found[(*here, element)] = None
                    _collect(item, kind.inner, (*here, element), found)
        elif kind.form == "set" and isinstance(inner, list) and inner:
            found.update({(*here, f"v:{json.dumps(item)}"): item for item in inner})
        else:
            found[here] = inner


def merge(current: Any, applied: Any, shape: Shape) -> Any:
    """Return an object with another applied on it.

    Fields merge, keyed items merge by their keys, all else is replaced.
    """
    result = dict(current) if isinstance(current, dict) else {}
    for key, value in applied.items():
        kind = _kind(shape, key, value)
        present = result.get(key)
        if kind.form == "fields" and isinstance(value, dict):
            result[key] = merge(present, value, kind.inner)
        elif kind.form == "keyed" and isinstance(value, list):
            result[key] = _merge_items(present, value, kind)
        elif kind.form == "set" and isinstance(value, list):
            before = present if isinstance(present, list) else []
            result[key] = [*before, *(item for item in value if item not in before)]
        else:
            result[key] = value
    return result


def _merge_items(present: Any, applied: list[Any], kind: _Kind) -> list[Any]:
    result = list(present) if isinstance(present, list) else []
    places = {_item_element(item, kind.keys): at for at, item in enumerate(result)}
    for item in applied:
        element = _item_element(item, kind.keys)
        if element in places:
            result[places[element]] = merge(result[places[element]], item, kind.inner)
        else:
            result.append(item)
    return result


def without(value: Any, path: Path, shape: Shape) -> Any:
    """Return an object without the field, item or value at a path."""
    if not isinstance(value, dict) or not path:
        return value
    key = path[0].removeprefix("f:")
    if key not in value:
        return value
    result = dict(value)
    kind = _kind(shape, key, value[key])
    if len(path) == 1:
        del result[key]
        return result
    if kind.form == "fields":
        result[key] = without(value[key], path[1:], kind.inner)
        if not result[key]:
            del result[key]
        return result
    kept: list[Any] = []
    for item in value[key] if isinstance(value[key], list) else []:
        element = _item_element(item, kind.keys) if kind.form == "keyed" else f"v:{json.dumps(item)}"
        if element != path[1]:
            kept.append(item)
        elif len(path) > 2:
            kept.append(without(item, path[2:], kind.inner))
    result[key] = kept
    if not kept:
        del result[key]
    return result


def to_fields(paths: FieldSet) -> Obj:
    """Return a set of paths as fieldsV1."""
    root: Obj = {}
    for path in sorted(paths):
        node = root
        for element in path:
            node = node.setdefault(element, {})
    for path in paths:
        node = root
        for element in path:
            node = node[element]
        if node:
            node["."] = {}
    return root


def from_fields(fields: Any) -> FieldSet:
    """Return fieldsV1 as a set of paths."""
    found: set[Path] = set()
    todo: list[tuple[Path, Any]] = [((), fields)]
    while todo:
        path, node = todo.pop()
        if not isinstance(node, dict):
            continue
        if path and (not node or "." in node):
            found.add(path)
        todo.extend(((*path, key), inner) for key, inner in node.items() if key != ".")
    return frozenset(found)


def path_text(path: Path) -> str:
    """Return a path as messages show it: `.spec.containers[name="a"].image`."""
    text = ""
    for element in path:
        kind, _, rest = element.partition(":")
        if kind == "f":
            text += f".{rest}"
        elif kind == "v":
            text += f"[={rest}]"
        else:
            pairs = ",".join(f"{key}={json.dumps(value)}" for key, value in json.loads(rest).items())
            text += f"[{pairs}]"
    return text
