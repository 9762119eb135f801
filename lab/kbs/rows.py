"""Rows of simple-kbs' database, as the suite reads and writes them.

Columns: simple-kbs 0.1.1, db-mysql.sql; lists are JSON in text columns (src/db.rs, src/policy.rs).
`conn_bundle.symkey` is a secret and belongs to none of these.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, TypeGuard

from lab.errors import MalformedRow


@dataclass(frozen=True)
class Policy:
    """What a launch must be to have a key; an empty list allows anything."""

    allowed_digests: tuple[str, ...]
    allowed_policies: tuple[int, ...]
    min_fw_api_major: int
    min_fw_api_minor: int
    allowed_build_ids: tuple[int, ...]


class Damage(StrEnum):
    """Ways to break a policy's row, in words that follow "a policy that is"."""

    REVOKED = "revoked (valid is 0)"
    DELETED = "deleted (the key still names it)"
    MALFORMED = "malformed (allowed_digests is not JSON)"
    NULL = "NULL in allowed_digests"


@dataclass(frozen=True)
class Keyset:
    """A list of secrets that are released together; `policy_id` None means that no policy holds them."""

    keyset_id: str
    keys: tuple[str, ...]
    policy_id: int | None


@dataclass(frozen=True)
class Connection:
    """A launch that got a `connection` secret, as the shim described it. `created` is to the second."""

    id: str
    policy: int
    fw_api_major: int
    fw_api_minor: int
    fw_build_id: int
    launch_description: str
    fw_digest: str
    created: str


def written(policy: Policy) -> dict[str, Any]:
    """A policy as JSON gives it back, which has lists and no tuples."""
    given: dict[str, Any] = json.loads(json.dumps(asdict(policy)))
    return given


def to_json(values: tuple[str, ...] | tuple[int, ...]) -> str:
    """A list as a column holds it."""
    return json.dumps(list(values))


def strings(column: str, text: str | None) -> tuple[str, ...]:
    """A column's list of strings. Raises MalformedRow where it is none: neither can simple-kbs."""
    values = _list(column, text)
    if not _are_strings(values):
        raise MalformedRow(f"the KBS's database: {column} holds {text!r}, not a list of strings")
    return tuple(values)


def numbers(column: str, text: str | None) -> tuple[int, ...]:
    """A column's list of numbers. Raises MalformedRow as `strings` does."""
    values = _list(column, text)
    if not _are_numbers(values):
        raise MalformedRow(f"the KBS's database: {column} holds {text!r}, not a list of numbers")
    return tuple(values)


def _list(column: str, text: str | None) -> list[Any]:
    try:
        values = json.loads(text or "")
    except ValueError:
        values = None
    if not isinstance(values, list):
        raise MalformedRow(f"the KBS's database: {column} holds {text!r}, which is no JSON list")
    return values


def _are_strings(values: list[Any]) -> TypeGuard[list[str]]:
    return all(isinstance(value, str) for value in values)


def _are_numbers(values: list[Any]) -> TypeGuard[list[int]]:
    return all(type(value) is int for value in values)
