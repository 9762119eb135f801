"""What the KBS does with a key whose policy is broken: keep it, or give it away (clause X-2.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.broker import refused_for_good
from lab.errors import NotProven
from lab.kbs.rows import Damage
from lab.launch_policy import another_digest
from lab.outcome import POLICY_REFUSED

if TYPE_CHECKING:
    from lab.borrowing import Borrowing
    from lab.broker import Broker
    from lab.kbs.service import OnlineAnswer
    from lab.launch_policy import LaunchPolicies


class BrokenPolicies:
    """Breaks policies on a key of the suite's own, and asks the KBS for the key after each."""

    def __init__(self, *, broker: Broker, launch_policies: LaunchPolicies, borrowing: Borrowing) -> None:
        self._broker = broker
        self._policies = launch_policies
        self._borrowing = borrowing

    def releasing(self, key: str, digest: str) -> list[Damage]:
        """The kinds of damage after which the KBS gives `key` to the recorded launch with this digest.

        Each has its own policy, which lists another digest, and for which the KBS refuses the key while it
        is whole. Raises NotProven where it does not, or where the KBS gives no answer of its own.
        """
        return [damage for damage in Damage if self._releases(key, digest, damage)]

    def _releases(self, key: str, digest: str, damage: Damage) -> bool:
        policy = self._policies.write([another_digest()])
        self._policies.hold_own_key(key, policy)
        whole = self._ask(key, digest)
        if whole.granted or POLICY_REFUSED not in whole.text:
            raise NotProven(
                f"under a whole policy that lists another digest the KBS should refuse the key {key}, "
                f"and answers {whole.status} {whole.text}",
                owner="A-2.5",
            )
        self._borrowing.damage_policy(policy, damage)
        return self._ask(key, digest).granted

    def _ask(self, key: str, digest: str) -> OnlineAnswer:
        answer = self._broker.key_for(digest, key)
        if answer is None:
            raise NotProven(f"the KBS recorded no launch with {digest}", owner="K-1.5")
        if not answer.granted and not refused_for_good(answer):
            raise NotProven(
                f"the KBS gives no answer of its own: {answer.status} {answer.text}", owner="K-1.3"
            )
        return answer
