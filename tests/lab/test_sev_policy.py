"""What an SEV policy lets the host do."""

from __future__ import annotations

import pytest

from lab.sev_policy import allows


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [(0, ["debug", "shar"]), (1, ["shar"]), (2, ["debug"]), (3, []), (4, ["debug", "shar"]), (7, [])],
)
def test_what_is_allowed_is_told(policy: int, allowed: list[str]) -> None:
    assert [danger[: len(word)] for danger, word in zip(allows(policy), allowed, strict=True)] == allowed
