"""Strategic merge patch: a merge patch that knows which lists merge by a key.

Behaviour: Kubernetes apimachinery v0.24, `pkg/util/strategicpatch/patch.go`.
"""

from __future__ import annotations

from typing import Any, Final

from simlab.kube.errors import bad_request
from simlab.kube.objects import copied
from simlab.kube.schema import Merge, item_model, merge_of

_PATCH: Final = "$patch"
_RETAIN: Final = "$retainKeys"
_DELETE_PREFIX: Final = "$deleteFromPrimitiveList/"
_ORDER_PREFIX: Final = "$setElementOrder/"


def strategic_merge(target: Any, patch: Any, model: str | None) -> Any:
    """Return a target changed by a strategic merge patch.

    `model` is the target's shape. Raises 400 if it cannot.
    """
    if not isinstance(patch, dict):
        return copied(patch)
    directive = patch.get(_PATCH)
    if directive == "replace":
        return {key: copied(value) for key, value in patch.items() if key != _PATCH}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise bad_request(f"Unknown patch type found: {directive}")
    result = dict(target) if isinstance(target, dict) else {}
    if _RETAIN in patch:
        result = {key: value for key, value in result.items() if key in patch[_RETAIN]}
    for key, value in patch.items():
        _merge_field(result, key, value, model)
    for key, order in patch.items():
        field = key.removeprefix(_ORDER_PREFIX)
        if field != key and isinstance(result.get(field), list):
            result[field] = _in_order(result[field], order, merge_of(model, field))
    return result


def _merge_field(result: dict[str, Any], key: str, value: Any, model: str | None) -> None:
    if key in (_PATCH, _RETAIN) or key.startswith(_ORDER_PREFIX):
        return
    if key.startswith(_DELETE_PREFIX):
        _drop_values(result, key.removeprefix(_DELETE_PREFIX), value)
    elif value is None or (isinstance(value, dict) and value.get(_PATCH) == "delete"):
        result.pop(key, None)
    elif isinstance(value, list):
        result[key] = _merge_list(result.get(key), value, merge_of(model, key), item_model(model, key))
    else:
        result[key] = strategic_merge(result.get(key), value, item_model(model, key))


def _drop_values(result: dict[str, Any], field: str, values: Any) -> None:
    present = result.get(field)
    if isinstance(present, list) and isinstance(values, list):
        result[field] = [value for value in present if value not in values]


def _merge_list(present: Any, patch: list[Any], merge: Merge, model: str | None) -> list[Any]:
    replaces = any(isinstance(item, dict) and item.get(_PATCH) == "replace" for item in patch)
    if not merge.patch or replaces:
        return [
            copied(item) for item in patch if not (isinstance(item, dict) and item.get(_PATCH) == "replace")
        ]
    result = list(present) if isinstance(present, list) else []
    if not merge.patch_key:
        result.extend(value for value in patch if value not in result)
        return result
    key = merge.patch_key
    for item in patch:
        if not isinstance(item, dict) or key not in item:
            raise bad_request(f"map: {item} does not contain declared merge key: {key}")
        place = next((at for at, old in enumerate(result) if old.get(key) == item[key]), None)
        if item.get(_PATCH) == "delete":
            result = [old for old in result if old.get(key) != item[key]]
        elif place is None:
            result.append(strategic_merge({}, item, model))
        else:
            result[place] = strategic_merge(result[place], item, model)
    return result


def _in_order(present: list[Any], order: Any, merge: Merge) -> list[Any]:
    """Return a list sorted as the patch's order says.

    What the order does not name keeps its place after its neighbour.
    """
    if not isinstance(order, list):
        return present
    key = merge.patch_key

    def identity(item: Any) -> Any:
        return item.get(key) if key and isinstance(item, dict) else item

    wanted = [identity(item) for item in order]
    named = sorted(
        (item for item in present if identity(item) in wanted), key=lambda item: wanted.index(identity(item))
    )
    rest = iter(named)
    return [next(rest) if identity(item) in wanted else item for item in present]
