"""The five verdicts of a scenario."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """What a scenario's run says (docs: design, "Verdicts")."""

    PASSED = "passed"
    FAILED = "failed"
    BROKEN = "broken"
    NOT_PROVEN = "not proven"
    NOT_APPLICABLE = "not applicable"
