"""The two patches that need no schema: JSON Patch (RFC 6902) and JSON Merge Patch (RFC 7386)."""

from __future__ import annotations

from typing import Any

from simlab.kube.errors import ApiError, bad_request
from simlab.kube.objects import Obj, copied


def merge_patch(target: Any, patch: Any) -> Any:
    """Return a target changed by a merge patch: null removes, mappings merge, all else replaces."""
    if not isinstance(patch, dict):
        return copied(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def json_patch(target: Obj, operations: Any) -> Obj:
    """Return a target changed by a JSON patch.

    Raises 400 for a malformed patch, 422 for one that does not apply.
    """
    if not isinstance(operations, list) or not all(isinstance(step, dict) for step in operations):
        raise bad_request("json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    document: Any = copied(target)
    for step in operations:
        document = _apply(document, step)
    if not isinstance(document, dict):
        raise _inapplicable("the patch leaves no object")
    return document


def _inapplicable(why: str) -> ApiError:
    details = {"causes": [{"reason": "UnexpectedServerResponse", "message": why}]}
    text = "the server rejected our request due to an error in our request"
    return ApiError(422, "Invalid", text, details)


def _apply(document: Any, step: dict[str, Any]) -> Any:
    operation, path = step.get("op"), _pointer(step.get("path"))
    match operation:
        case "add" | "replace" | "test":
            if "value" not in step and operation != "test":
                raise _inapplicable(f"{operation} operation does not contain a value")
            value = copied(step.get("value"))
            if operation == "test":
                if _get(document, path, missing=None) != value:
                    raise _inapplicable(f"testing path {step['path']} failed")
                return document
            if operation == "replace":
                _get(document, path)
            return _set(document, path, value, insert=operation == "add")
        case "remove":
            return _remove(document, path)
        case "move":
            source = _pointer(step.get("from"))
            value = _get(document, source)
            return _set(_remove(document, source), path, value, insert=True)
        case "copy":
            return _set(document, path, copied(_get(document, _pointer(step.get("from")))), insert=True)
    raise _inapplicable(f"Unexpected kind: {operation}")


def _pointer(text: Any) -> list[str]:
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise _inapplicable(f"invalid path {text!r}")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


_RAISE: Any = object()


def _get(document: Any, path: list[str], missing: Any = _RAISE) -> Any:
    for key in path:
        try:
            if isinstance(document, list):
                document = document[_index(key, len(document) - 1)]
            else:
                document = document[key]
        except (KeyError, TypeError, ApiError):
            if missing is not _RAISE:
                return missing
            raise _inapplicable(f"path does not exist: /{'/'.join(path)}") from None
    return document


def _index(key: str, last: int) -> int:
    if not key.isdigit() or int(key) > last:
        raise _inapplicable(f"Unable to access invalid index: {key}")
    return int(key)


def _set(document: Any, path: list[str], value: Any, *, insert: bool) -> Any:
    if not path:
        return value
    parent = _get(document, path[:-1])
    key = path[-1]
    if isinstance(parent, list):
        if key == "-":
            parent.append(value)
        elif insert:
            parent.insert(_index(key, len(parent)), value)
        else:
            parent[_index(key, len(parent) - 1)] = value
    elif isinstance(parent, dict):
        parent[key] = value
    else:
        raise _inapplicable(f"path does not exist: /{'/'.join(path)}")
    return document


def _remove(document: Any, path: list[str]) -> Any:
    if not path:
        raise _inapplicable("the whole document cannot be removed")
    _get(document, path)
    parent = _get(document, path[:-1])
    if isinstance(parent, list):
        del parent[_index(path[-1], len(parent) - 1)]
    else:
        del parent[path[-1]]
    return document
