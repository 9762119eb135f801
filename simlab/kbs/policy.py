"""Policies (simple-kbs 0.1.1, src/policy.rs; the order of the checks, and what serde_json accepts)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from simlab.kbs import rust, serde

if TYPE_CHECKING:
    from simlab.kbs.connection import Connection

DEFAULT_POLICY: Final = Path("default_policy.json")
"""The tenant's policy, in the working directory."""


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
    where = "src/request.rs:63:66"
    try:
        text = DEFAULT_POLICY.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = os_error(error) if isinstance(error, OSError) else "stream did not contain valid UTF-8"
        text = f"Default tenant configuration expected at {DEFAULT_POLICY}. Error: {reason}"
        raise rust.unwrap_panic(text, where) from error
    try:
        return Policy(**serde.policy_fields(text))
    except serde.JsonError as error:
        raise rust.unwrap_panic(error, where) from error


def os_error(error: OSError) -> str:
    """Return an OSError as Rust prints it."""
    return f"{error.strerror} (os error {error.errno})"
