"""The guide's lasting changes, clause by clause in its order, each with the clauses that it builds on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.errors import NotProven
from lab.provisioning import Mode

if TYPE_CHECKING:
    from collections.abc import Mapping

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
        """Make sure of a clause: where it does not hold, of what it builds on first, then of itself.

        A clause that holds needs nothing of what it builds on. Only in the mode `apply`: in the others it is
        for the clause's own scenario to say that it does not hold. Raises NotProven where the permissions
        forbid a change or it failed, LabError where it does not hold all the same.
        """
        if self._provisioning.mode is not Mode.APPLY:
            return
        stage = self._stages[clause]
        if all(self._provisioning.holds(change) for change in stage.changes):
            return
        for earlier in stage.after:
            self.reach(earlier)
        for change in stage.changes:
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
