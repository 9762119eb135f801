"""What simple-kbs says of a launch under a policy, computed again: 0.1.1, src/policy.rs.

In its order; the first that does not hold is told, and an empty list allows all.
"""

from __future__ import annotations

from typing import Any


def refusal(policy: dict[str, Any], launch: dict[str, Any]) -> str | None:
    """Why the KBS refuses a launch, a row of conn_bundle, under a policy; None where it does not."""
    digests, flags, builds = (
        policy["allowed_digests"],
        policy["allowed_policies"],
        policy["allowed_build_ids"],
    )
    major, minor = policy["min_fw_api_major"], policy["min_fw_api_minor"]
    if digests and launch["fw_digest"] not in digests:
        return "fw digest not valid"
    if flags and launch["policy"] not in flags:
        return "policy not valid"
    if launch["fw_api_major"] < major:
        return "fw api major not valid"
    if launch["fw_api_major"] == major and launch["fw_api_minor"] < minor:
        return "fw api minor not valid"
    if builds and launch["fw_build_id"] not in builds:
        return "build id not valid"
    return None
