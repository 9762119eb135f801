"""Policies on one field of a launch: one that it just meets, and one that it just misses.

The fields other than the launch digest, as simple-kbs 0.1.1 checks them (src/policy.rs): lists hold what is
allowed, and a minimum minor version counts only where the major one equals its minimum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from lab.kbs.rows import Policy

if TYPE_CHECKING:
    from lab.kbs.database import Connection
    from lab.parsers.kernel_log import Firmware

Field = Literal["SEV policy flags", "firmware API major", "firmware API minor", "firmware build id"]

# The bit that forbids debugging (AMD document 55766, guest policy): any other bit would do as well.
_NO_DEBUG = 1


@dataclass(frozen=True)
class LaunchValues:
    """What a launch shows the KBS beside its digest: its SEV policy flags, and the platform's firmware."""

    flags: int
    firmware: Firmware

    def meets(self, field: Field) -> Policy:
        """A policy on this field alone that allows these values and hardly any others."""
        firmware = self.firmware
        return {
            "SEV policy flags": policy(allowed_policies=(self.flags,)),
            "firmware API major": policy(min_fw_api_major=firmware.major),
            "firmware API minor": policy(min_fw_api_major=firmware.major, min_fw_api_minor=firmware.minor),
            "firmware build id": policy(allowed_build_ids=(firmware.build,)),
        }[field]

    def misses(self, field: Field) -> Policy:
        """A policy on this field alone that these values miss by the least there is."""
        other = LaunchValues(
            self.flags ^ _NO_DEBUG if field == "SEV policy flags" else self.flags,
            type(self.firmware)(
                self.firmware.major + (field == "firmware API major"),
                self.firmware.minor + (field == "firmware API minor"),
                self.firmware.build + (field == "firmware build id"),
            ),
        )
        return other.meets(field)

    def meets_all(self) -> Policy:
        """A policy on all these fields that allows these values."""
        return policy(
            allowed_policies=(self.flags,),
            min_fw_api_major=self.firmware.major,
            min_fw_api_minor=self.firmware.minor,
            allowed_build_ids=(self.firmware.build,),
        )

    def differs(self, recorded: Connection) -> str | None:
        """What the KBS recorded of a launch that is not this, in one line; None where it is this."""
        mine = (self.flags, self.firmware.major, self.firmware.minor, self.firmware.build)
        its = (recorded.policy, recorded.fw_api_major, recorded.fw_api_minor, recorded.fw_build_id)
        if its == mine:
            return None
        return f"flags, API major, minor and build are {mine} on the host, and {its} in the KBS's record"


def policy(**fields: Any) -> Policy:
    """A policy on these fields, which leaves all others open."""
    anything: dict[str, Any] = {
        "allowed_digests": (),
        "allowed_policies": (),
        "min_fw_api_major": 0,
        "min_fw_api_minor": 0,
        "allowed_build_ids": (),
    }
    return Policy(**anything | fields)
