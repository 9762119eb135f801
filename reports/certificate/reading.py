"""Documents of unknown origin, read with bounds: what is wrong with one is said in a line."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from lab.bounded import read_at_most
from lab.printable import shortened
from reports.certificate.refusal import Refusal
from reports.model import MINOR, Results

if TYPE_CHECKING:
    from pathlib import Path

LARGEST: Final = 64 << 20  # bytes; a run of 2,000 scenarios has results of some 10 MB
_TOLD: Final = 5
M = TypeVar("M", bound=BaseModel)


class _Lab(BaseModel):
    """What is read of a lab file as the results have it."""

    name: str | None = None
    pins: dict[str, str | None] | None = None
    files: dict[str, dict[str, Any] | None] | None = None
    images: dict[str, Any] | None = None


class _Profile(BaseModel):
    """What is read of a profile as the results have it; the rest only to compute verdicts again."""

    name: str | None = None


class _Described(BaseModel):
    lab: _Lab
    profile: _Profile


def json_file(path: Path) -> tuple[Any, bytes]:
    """The JSON document in a file, and its bytes. Raises Refusal."""
    name = path.name
    try:
        data = read_at_most(path, LARGEST, os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise Refusal(f"{name} is missing") from None
    except OSError as error:
        raise Refusal(f"{name} cannot be read: {error.strerror}") from None
    return json_document(data, name), data


def json_document(data: bytes, name: str) -> Any:
    """The JSON document in `data`, in which no object has a key twice. Raises Refusal."""
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise Refusal(f"{name} is not UTF-8") from None
    except RecursionError:
        raise Refusal(f"{name} is nested too deep") from None
    except ValueError as error:
        raise Refusal(f"{name} is not JSON: {error}") from None


def checked(model: type[M], document: Any, name: str) -> M:
    """`document` as a model. Raises Refusal, which tells the first mistakes."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        mistakes = error.errors(include_url=False, include_input=False, include_context=False)
        told = [
            f"{'.'.join(map(str, each['loc'])) or 'document'}: {each['msg']}" for each in mistakes[:_TOLD]
        ]
        more = f", and {len(mistakes) - _TOLD} more" if len(mistakes) > _TOLD else ""
        raise Refusal(f"{name} does not fit its schema: {shortened('; '.join(told), 400)}{more}") from None
    except RecursionError:
        raise Refusal(f"{name} is nested too deep") from None


def results_in(path: Path) -> Results:
    """The results in a file. Raises Refusal, for another schema version before anything else of it."""
    document, _ = json_file(path)
    version = document.get("schema_version") if isinstance(document, dict) else None
    known = Results.model_fields["schema_version"].default
    remedy = ": use the suite that wrote it, or a later one"
    if version != known:
        told = f"schema version {version!r:.40}" if version is not None else "no schema version"
        newer = remedy if isinstance(version, int) and version > known else ""
        raise Refusal(f"{path.name} has {told}, and this suite reads version {known}{newer}")
    minor = document.get("schema_minor", 0)
    if isinstance(minor, int) and minor > MINOR:
        told = f"schema version {known}.{minor}, and this suite reads up to {known}.{MINOR}"
        raise Refusal(f"{path.name} has {told}{remedy}")
    results = checked(Results, document, path.name)
    checked(_Described, {"lab": results.lab, "profile": results.profile}, path.name)
    return results


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object has a key twice")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")
