"""The guide's lasting changes, clause by clause in its order, each with the clauses that it builds on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.errors import LabError, NotProven, Unreachable
from lab.provisioning import Mode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from lab.provisioning import Change, Provisioning

# Each round after the first follows a reboot or a restart of containerd, of which the guide has two and two.
ROUNDS = 6


@dataclass(frozen=True)
class Stage:
    """What a clause needs to be made: its changes in order, after those of other clauses.

    `also` names clauses that it builds on in some states of the lab only; it looks.
    """

    changes: tuple[Change, ...]
    after: tuple[str, ...] = ()
    also: Callable[[], tuple[str, ...]] = tuple


class Convergence:
    """Brings a lab to a clause: only what is missing on the way there is made."""

    def __init__(self, provisioning: Provisioning, stages: Mapping[str, Stage]) -> None:
        """`stages` has every clause after those that it builds on."""
        self._provisioning = provisioning
        self._stages = stages

    def reach(self, *clauses: str) -> None:
        """Make sure of clauses: where one does not hold, of what it builds on first, then of itself.

        What is done for one may undo another, such as by a reboot: then they are looked at again.
        A clause that holds needs nothing of what it builds on. Only in the mode `apply`: in the others it is
        for the clause's own scenario to say that it does not hold. Raises NotProven where the permissions
        forbid a change or it failed, LabError where it does not hold all the same, or does not come to rest.
        """
        if self._provisioning.mode is not Mode.APPLY:
            return
        for _ in range(ROUNDS):
            seen = self._provisioning.unsettled
            for clause in clauses:
                self._reach(clause)
            if seen == self._provisioning.unsettled:
                return
        raise LabError(f"the changes for {', '.join(clauses)} undo each other; the ledger has them")

    def _reach(self, clause: str) -> None:
        stage = self._stages[clause]
        if all(self._provisioning.holds(change) for change in stage.changes):
            return
        for earlier in (*stage.after, *stage.also()):
            self._reach(earlier)
        for change in stage.changes:
            self._provisioning.ensure(change)

    def reach_all(self) -> None:
        """Reach every clause that can be; why another cannot is for its own scenario to say."""
        for clause in self._stages:
            try:
                self.reach(clause)
            except Unreachable:
                raise
            except LabError:
                continue

    def look(self) -> None:
        """Look at every change, and make none: what holds is entered in the ledger as unchanged."""
        for stage in self._stages.values():
            for change in stage.changes:
                self._provisioning.holds(change)

    def settle(self, clauses: Iterable[str]) -> None:
        """Take it that these clauses hold, as somebody saw who looked at them in another way."""
        for clause in clauses:
            if stage := self._stages.get(clause):
                for change in stage.changes:
                    self._provisioning.settle(change)

    def reach_again(self) -> None:
        """Reach every clause that held before the run undid it."""
        undone = self._provisioning.was_undone
        self.reach(*(clause for clause, stage in self._stages.items() if all(map(undone, stage.changes))))

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
