"""Policies (simple-kbs 0.1.1, src/policy.rs; the order of the checks, and what serde_json accepts)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from simlab.kbs import rust

if TYPE_CHECKING:
    from simlab.kbs.connection import Connection

DEFAULT_POLICY: Final = Path("default_policy.json")
"""The tenant's policy, in the working directory."""

_U32: Final = 1 << 32


class JsonError(ValueError):
    """A text is not the JSON that it should be."""


class PolicyViolationError(Exception):
    """The connection is not one that the policy allows; the message is the first reason."""


@dataclass(frozen=True)
class Policy:
    """Who may have a secret. An empty list allows everything."""

    allowed_digests: list[str]
    allowed_policies: list[int]
    min_fw_api_major: int
    min_fw_api_minor: int
    allowed_build_ids: list[int]

    def verify(self, connection: Connection) -> None:
        """Raise PolicyViolationError with the first field that does not fit."""
        if self.allowed_digests and connection.fw_digest not in self.allowed_digests:
            raise PolicyViolationError("fw digest not valid")
        if self.allowed_policies and connection.policy not in self.allowed_policies:
            raise PolicyViolationError("policy not valid")
        if connection.fw_api_major < self.min_fw_api_major:
            raise PolicyViolationError("fw api major not valid")
        if (
            connection.fw_api_major == self.min_fw_api_major
            and connection.fw_api_minor < self.min_fw_api_minor
        ):
            raise PolicyViolationError("fw api minor not valid")
        if self.allowed_build_ids and connection.fw_build_id not in self.allowed_build_ids:
            raise PolicyViolationError("build id not valid")


def tenant_default() -> Policy:
    """Read the tenant's policy. Raises PanicError when the file is missing or is not a policy."""
    where = "src/request.rs:63:67"
    try:
        fields = parse_json(DEFAULT_POLICY.read_text(encoding="utf-8"))
    except OSError as error:
        text = f"Default tenant configuration expected at {DEFAULT_POLICY}. Error: {os_error(error)}"
        raise rust.unwrap_panic(text, where) from error
    except ValueError as error:
        raise rust.unwrap_panic(error, where) from error
    try:
        return Policy(
            allowed_digests=_strings(fields["allowed_digests"]),
            allowed_policies=_numbers(fields["allowed_policies"]),
            min_fw_api_major=_number(fields["min_fw_api_major"]),
            min_fw_api_minor=_number(fields["min_fw_api_minor"]),
            allowed_build_ids=_numbers(fields["allowed_build_ids"]),
        )
    except (KeyError, TypeError) as error:
        raise rust.unwrap_panic(f"missing field `{error}`", where) from error
    except JsonError as error:
        raise rust.unwrap_panic(error, where) from error


def string_list(text: str) -> list[str]:
    """Parse a JSON list of strings. Raises JsonError."""
    return _strings(parse_json(text))


def number_list(text: str) -> list[int]:
    """Parse a JSON list of unsigned 32-bit numbers. Raises JsonError."""
    return _numbers(parse_json(text))


def parse_json(text: str) -> Any:
    """Parse JSON as strictly as serde_json does. Raises JsonError."""
    try:
        value = json.loads(text, parse_constant=_no_constant, parse_int=_integer)
        text.encode()
        json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise JsonError(f"expected value at line {error.lineno} column {error.colno}") from error
    except (ValueError, RecursionError) as error:
        raise JsonError("invalid JSON") from error
    return value


def os_error(error: OSError) -> str:
    """Return an OSError as Rust prints it."""
    return f"{error.strerror} (os error {error.errno})"


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _integer(digits: str) -> int | float:
    return -0.0 if digits == "-0" else int(digits)


def _strings(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise JsonError("invalid type: expected a sequence of strings")
    return value


def _numbers(value: Any) -> list[int]:
    if not isinstance(value, list):
        raise JsonError("invalid type: expected a sequence")
    return [_number(item) for item in value]


def _number(value: Any) -> int:
    if type(value) is not int or not 0 <= value < _U32:
        raise JsonError("invalid type or value: expected u32")
    return value
