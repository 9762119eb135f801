from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from lab.kbs.rows import Connection, Policy
from lab.parsers.kernel_log import Firmware
from lab.policy_fields import Field, LaunchValues

VALUES = LaunchValues(flags=0, firmware=Firmware(1, 42, 42))
RECORDED = Connection("id", 0, 1, 42, 42, "shim launch", "digest", "2026-01-01")


def refusal(policy: Policy, launch: Connection) -> str | None:
    """simple-kbs 0.1.1, src/policy.rs, verify."""
    if policy.allowed_policies and launch.policy not in policy.allowed_policies:
        return "SEV policy flags"
    if launch.fw_api_major < policy.min_fw_api_major:
        return "firmware API major"
    if launch.fw_api_major == policy.min_fw_api_major and launch.fw_api_minor < policy.min_fw_api_minor:
        return "firmware API minor"
    if policy.allowed_build_ids and launch.fw_build_id not in policy.allowed_build_ids:
        return "firmware build id"
    return None


@pytest.mark.parametrize("field", get_args(Field))
def test_each_field_refuses_alone_and_for_its_own_reason(field: Field) -> None:
    assert refusal(VALUES.meets(field), RECORDED) is None
    assert refusal(VALUES.misses(field), RECORDED) == field


def test_all_fields_are_met_at_once_and_by_no_older_firmware() -> None:
    met = VALUES.meets_all()
    assert refusal(met, RECORDED) is None
    assert refusal(met, replace(RECORDED, fw_api_minor=41)) == "firmware API minor"
    assert refusal(met, replace(RECORDED, policy=1)) == "SEV policy flags"


def test_what_the_kbs_recorded_otherwise_is_told() -> None:
    assert VALUES.differs(RECORDED) is None
    said = VALUES.differs(replace(RECORDED, fw_build_id=7))
    assert said is not None
    assert "(0, 1, 42, 42) on the host, and (0, 1, 42, 7)" in said
