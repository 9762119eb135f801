"""A guest as it was launched: what policies are checked against (simple-kbs 0.1.1, src/db.rs, Connection)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from simlab.kbs import rust

if TYPE_CHECKING:
    from simlab.kbs.keybroker_pb2 import SecretRequest


@dataclass(frozen=True)
class Connection:
    """SEV policy, firmware version and digest of one launch, as the request claims them."""

    policy: int
    fw_api_major: int
    fw_api_minor: int
    fw_build_id: int
    launch_description: str
    fw_digest: str

    def debug(self) -> str:
        """Return it as Rust's `{:?}` prints it into the log."""
        fields = ", ".join(
            f"{name}: {rust.debug(value) if isinstance(value, str) else value}"
            for name, value in asdict(self).items()
        )
        return f"Connection {{ {fields} }}"

    def json(self) -> str:
        """Return it as serde_json prints it."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))


def connection_of(request: SecretRequest) -> Connection:
    """The launch that a request for its secrets describes."""
    return Connection(
        policy=request.Policy,
        fw_api_major=request.ApiMajor,
        fw_api_minor=request.ApiMinor,
        fw_build_id=request.BuildId,
        launch_description=request.LaunchDescription,
        fw_digest=request.FwDigest,
    )
