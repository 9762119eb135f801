"""Scenarios that are left to chance: another verdict on the same lab, with the same versions and suite."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lab.verdict import Verdict
    from reports.history.reading import PastRun


@dataclass(frozen=True)
class Flake:
    """A scenario of a lab: in `changes` of `pairs` of runs that followed each other, its verdict differs."""

    lab: str
    scenario: str
    pairs: int
    changes: int
    verdicts: tuple[Verdict, ...]

    @property
    def rate(self) -> float:
        """How often its verdict changed though nothing else did, from 0 to 1."""
        return self.changes / self.pairs


def flakes(runs: Iterable[PastRun]) -> list[Flake]:
    """The scenarios whose verdict changed by itself, the worst first; `runs` are the oldest first.

    A run that was interrupted, disturbed, or made on a lab that was broken on purpose is left out.
    """
    seen: dict[tuple[str, str], dict[str, list[Verdict]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        if run.comparable:
            for scenario, verdict in run.scenarios.items():
                seen[run.lab, scenario][run.same].append(verdict)
    found = []
    for (lab, scenario), groups in seen.items():
        pairs = [pair for verdicts in groups.values() for pair in pairwise(verdicts)]
        changes = sum(one is not other for one, other in pairs)
        if changes:
            every = dict.fromkeys(verdict for pair in pairs for verdict in pair)
            found.append(Flake(lab, scenario, len(pairs), changes, tuple(every)))
    return sorted(found, key=lambda each: (-each.rate, each.lab, each.scenario))
