"""The guide's lasting changes, clause by clause in its order, each with the clauses that it builds on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.errors import NotProven

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lab.provisioning import Change, Provisioning


@dataclass(frozen=True)
class Stage:
    """What a clause needs to be made: its changes in order, after those of other clauses."""

    changes: tuple[Change, ...]
    after: tuple[str, ...] = ()


class Convergence:
    """Brings a lab to a clause: only what is missing on the way there is made."""

    def __init__(self, provisioning: Provisioning, stages: Mapping[str, Stage]) -> None:
        """`stages` has every clause after those that it builds on."""
        self._provisioning = provisioning
        self._stages = stages

    def reach(self, clause: str) -> None:
        """Make sure of a clause and of all that it builds on; stops at the first that cannot be had.

        Raises NotProven where the mode or the permissions forbid a change, LabError where one fails.
        """
        for change in self._way_to(clause, set()):
            self._provisioning.ensure(change)

    def plan(self) -> list[str]:
        """Look at every change, in the guide's order; what the lab needs goes to the ledger, and is returned.

        For the mode `check`: in the mode `apply` it makes them.
        """
        needed = []
        for stage in self._stages.values():
            for change in stage.changes:
                try:
                    self._provisioning.ensure(change)
                except NotProven:
                    needed.append(change.name)
        return needed

    def _way_to(self, clause: str, seen: set[str]) -> Iterator[Change]:
        if clause in seen:
            return
        seen.add(clause)
        stage = self._stages[clause]
        for earlier in stage.after:
            yield from self._way_to(earlier, seen)
        yield from stage.changes
