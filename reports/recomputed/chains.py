"""The platform's certificate chain: its signatures, and whose it is."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from lab.certificates import Roots, verify_chain
from lab.certificates.formats import PLATFORM_SIZE
from lab.fact import Fact
from reports.recomputed.moment import Moment, require

if TYPE_CHECKING:
    from collections.abc import Callable


def _chains(moment: Moment) -> dict[str, bytes]:
    """Every chain that the run kept, by its SHA-256."""
    kept = [
        moment.facts.of(each)
        for scenario in moment.results.scenarios
        for each in scenario.evidence
        if each.fact == Fact.CERTIFICATE_CHAIN
    ]
    return {hashlib.sha256(chain).hexdigest(): chain for chain in kept if isinstance(chain, bytes)}


def _whole_chain(moment: Moment) -> None:
    """The signatures by their own root; which root that is, a rule of certification asks."""
    named, chains = {each.chain: each for each in moment.results.session.platforms}, _chains(moment)
    require(named, "the run names no platform")
    for digest, identity in named.items():
        require(digest in chains, f"the certificate chain {digest} is not among the evidence")
        report = verify_chain(chains[digest], Roots({identity.ark: "the root that the run names"}))
        require(not report.broken, f"the certificate chain {digest}: {'; '.join(report.broken)}")
        require(
            report.identity(chains[digest]) == identity,
            f"the chain {digest} names another platform",
        )


def _this_platform(moment: Moment) -> None:
    reported = str(moment.newest(Fact.PDH))
    exported = {hashlib.sha256(chain[:PLATFORM_SIZE]).hexdigest() for chain in _chains(moment).values()}
    known = any(digest in reported for digest in exported)
    require(known, f"the platform reports {reported!r:.100}, which is the PDH of no chain that the run kept")


CHAINS: Final[dict[str, Callable[[Moment], None]]] = {
    "every signature of the chain verifies, up to the platform vendor's root": _whole_chain,
    "the chain's PDH is the one that the platform reports": _this_platform,
}
