"""Which broken policies release a key, asked of a KBS that is a few lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from lab.broken_policies import BrokenPolicies
from lab.errors import NotProven
from lab.kbs.rows import Damage
from lab.kbs.service import OnlineAnswer

REFUSED = OnlineAnswer("INTERNAL", "Policy validation failed: fw digest not valid")


@dataclass
class Kbs:
    """Releases the key under the damages in `open_to`; refuses it under a whole policy."""

    open_to: set[Damage]
    whole: OnlineAnswer = REFUSED
    damaged: OnlineAnswer = field(default_factory=lambda: OnlineAnswer("INTERNAL", "policy 1 is not valid"))
    state: Damage | None = None

    def write(self, digests: list[str]) -> int:
        self.state = None
        return 1

    def hold_own_key(self, key: str, policy: int) -> None:
        assert (key, policy) == ("own", 1)

    def damage_policy(self, number: int, damage: Damage) -> None:
        self.state = damage

    def key_for(self, digest: str, key_id: str) -> OnlineAnswer:
        assert (digest, key_id) == ("digest", "own")
        if self.state is None:
            return self.whole
        return OnlineAnswer("OK", "") if self.state in self.open_to else self.damaged


def releasing(kbs: Any) -> list[Damage]:
    return BrokenPolicies(broker=kbs, launch_policies=kbs, borrowing=kbs).releasing("own", "digest")


@pytest.mark.parametrize("open_to", [set(), {Damage.DELETED}, {Damage.REVOKED, Damage.NULL}, set(Damage)])
def test_each_kind_is_told(open_to: set[Damage]) -> None:
    assert releasing(Kbs(open_to)) == [damage for damage in Damage if damage in open_to]


def test_a_key_that_a_whole_policy_does_not_hold_proves_nothing() -> None:
    with pytest.raises(NotProven, match=r"A-2\.5"):
        releasing(Kbs(set(), whole=OnlineAnswer("OK", "")))


def test_a_kbs_that_does_not_answer_has_not_kept_the_key() -> None:
    with pytest.raises(NotProven, match=r"K-1\.3"):
        releasing(Kbs(set(), damaged=OnlineAnswer("UNAVAILABLE", "Socket closed")))


def test_a_kbs_without_its_database_has_not_kept_the_key() -> None:
    lost = OnlineAnswer(
        "INTERNAL", "Connection not found: pool timed out while waiting for an open connection"
    )
    with pytest.raises(NotProven, match=r"K-1\.3"):
        releasing(Kbs(set(), damaged=lost))
