"""Which certificate chains the KBS opens a launch for (clause X-2.2).

A launch that is opened and never used leaves nothing but an entry in the KBS's memory, as each launch that
fails does (simple-kbs 0.1.1, src/grpc/mod.rs: SESSIONS). The files in /tmp/sev are the shim's, and it has no
part here.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from lab.broker import refused_for_good
from lab.errors import NotProven
from lab.findings import finding

if TYPE_CHECKING:
    from lab.broker import Broker
    from lab.kbs.service import BundleAnswer
    from lab.record import Record


class Reception(StrEnum):
    """What the KBS does with a chain."""

    OPENED = "it opens a launch"
    REFUSED = "it refuses"
    BROKE_OFF = "it breaks the connection off"


class LaunchBundles:
    """Asks the KBS for launch bundles, which nobody launches with."""

    def __init__(self, *, broker: Broker, record: Record) -> None:
        self._broker = broker
        self._record = record

    def reception(self, chain: bytes, name: str, *, good: bytes) -> Reception:
        """What the KBS does with `chain`.

        A connection that breaks off is the chain's doing only when it does so twice, and `good` is welcome in
        between. Raises NotProven where that is not so: the KBS is in trouble then, and has said nothing.
        """
        answer = self._ask(chain, name)
        if answer.granted:
            return Reception.OPENED
        if refused_for_good(answer):
            return Reception.REFUSED
        between = self._ask(good, "the platform's own chain")
        again = self._ask(chain, name)
        if not between.granted or again.granted or refused_for_good(again):
            raise NotProven(
                f"the KBS gives no answer of its own: {answer.status} {answer.text}", owner="K-1.3"
            )
        detail = (
            f"asked twice for a launch with {name}, the KBS broke the connection off each time "
            f"({again.status}), and answered in between"
        )
        self._record.finding(finding("chain-refused-by-panic", detail, "X-2.2"))
        return Reception.BROKE_OFF

    def require_opened(self, chain: bytes) -> None:
        """Raise NotProven where the KBS opens no launch even for the platform's own chain."""
        answer = self._ask(chain, "the platform's own chain")
        if not answer.granted:
            raise NotProven(
                f"the KBS opens no launch for the platform's own chain: {answer.status} {answer.text}",
                owner="W-3.3",
            )

    def _ask(self, chain: bytes, name: str) -> BundleAnswer:
        answer = self._broker.service.get_bundle(chain, policy=0)
        self._record.evidence(
            f"the KBS's answer to {name}",
            f"{answer.status} {answer.text}".strip()
            + (f", launch {answer.launch_id}" if answer.granted else ""),
        )
        return answer
