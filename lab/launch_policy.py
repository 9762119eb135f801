"""Policies on the guide's key: which launch digests may have it (guide: 附录, 自定义 policy)."""

from __future__ import annotations

import base64
import secrets
from dataclasses import asdict
from typing import TYPE_CHECKING

from lab.errors import NotProven
from lab.fact import Fact
from lab.policy_fields import policy as policy_on
from lab.workload import nonce

if TYPE_CHECKING:
    from lab.borrowing import Borrowing
    from lab.broker import Broker
    from lab.confidential import KbcName
    from lab.kata import KataConfiguration
    from lab.kbs.database import Policy
    from lab.profile import Profile
    from lab.record import Record


class LaunchPolicies:
    """Sets policies for one scenario: on the guide's key for the online KBC, on a keyset for the offline one.

    The online KBC asks for the key itself, whose id is in the image; so its policy is borrowed. The offline
    KBC gets a keyset that its kata configuration names: the suite adds one, and other pods keep theirs.
    """

    def __init__(self, *, profile: Profile, broker: Broker, borrowing: Borrowing, record: Record) -> None:
        self._profile = profile
        self._broker = broker
        self._borrowing = borrowing
        self._record = record

    def clear(self) -> None:
        """No policy on the guide's key and keyset while the scenario runs."""
        key, keyset = self._profile.kbs.key_id, self._profile.kbs.keyset_id
        if wrong := self._broker.wrong_stock():
            raise NotProven(wrong[0], owner="K-1.4")
        database = self._broker.database
        if database.policy_of_secret(key) is not None:
            self._borrowing.policy_on_secret(key, None)
        stock = database.keyset(keyset)
        if stock is not None and stock.policy_id is not None:
            self._borrowing.policy_on_keyset(keyset, None)

    def write(self, digests: list[str]) -> int:
        """Insert a policy that lists these launch digests and nothing else; returns its id."""
        return self.insert(policy_on(allowed_digests=tuple(digests)))

    def insert(self, policy: Policy) -> int:
        """Insert a policy; returns its id."""
        number = self._borrowing.policy(policy)
        self._record.evidence(f"policy {number}", {"id": number, **asdict(policy)}, fact=Fact.POLICY)
        return number

    def own_keyset(self, keys: list[str]) -> str:
        """Add a keyset for one configuration; returns its id."""
        keyset = f"CONFORMANCE-{nonce()}"
        self._borrowing.keyset(keyset, keys, None)
        return keyset

    def own_key(self) -> str:
        """Add a key of the suite's own, which opens nothing; returns its id."""
        key = f"conformance-{nonce()}"
        self._borrowing.secret(key)
        return key

    def hold_own_key(self, key: str, policy: int) -> None:
        """Hold a key that `own_key` made to a policy."""
        self._broker.database.set_secret_policy(key, policy)

    def hold_key(self, policy: int) -> None:
        """Hold the guide's key to a policy."""
        self._borrowing.policy_on_secret(self._profile.kbs.key_id, policy)

    def hold(self, kbc: KbcName, configuration: KataConfiguration, policy: int) -> None:
        """Hold what this KBC asks for to a policy: the guide's key, or the configuration's own keyset."""
        if kbc == "online":
            self.hold_key(policy)
        else:
            self._broker.database.set_keyset_policy(configuration.keyset, policy)


def another_digest() -> str:
    """A launch digest (base64) that no launch has."""
    return base64.b64encode(secrets.token_bytes(32)).decode()
