"""Convergence: what the guide wants to last, brought about by idempotent changes that look first."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NoReturn, Protocol

from lab.errors import LabError, NotPermitted, NotProven, Unreachable
from lab.record import Operation

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.labfile import Permissions
    from lab.record import Record


class Mode(StrEnum):
    """What may be done about a lab that is not as the guide wants it."""

    APPLY = "apply"
    CHECK = "check"
    OFF = "off"


@dataclass(frozen=True)
class Sight:
    """What a look at the lab found, and whether it is what the guide wants."""

    holds: bool
    found: str


class Change(Protocol):
    """One idempotent change of a lab."""

    @property
    def name(self) -> str:
        """What is done, as a command says it."""

    @property
    def looks_at(self) -> str:
        """What the look rests on."""

    @property
    def undone_by(self) -> str:
        """How a person undoes it."""

    @property
    def permission(self) -> str | None:
        """The permission of the lab file that it needs."""

    @property
    def clause(self) -> str | None:
        """The clause that owns the fact."""

    def look(self) -> Sight:
        """Look at the lab; changes nothing."""

    def apply(self) -> None:
        """Make the change; called only where `look` says that it is needed.

        Raises LabError where the lab does not let it come about.
        """


class Provisioning:
    """Brings changes about in one mode, and enters each in the ledger."""

    def __init__(
        self,
        *,
        mode: Mode,
        permissions: Permissions,
        record: Record,
        before: Callable[[], None] = lambda: None,
    ) -> None:
        """`before` is called before each change, and raises LabError where none may be made now."""
        self.mode = mode
        self._before = before
        self._permissions = permissions
        self._record = record
        self._settled: set[str] = set()
        self._undone: set[str] = set()
        self._failed: dict[str, NotProven] = {}
        self.unsettled = 0

    def ensure(self, change: Change, *, own: bool = False) -> None:
        """Make sure that a change holds.

        `own` says that it changes nothing but the suite's own folder on the host: then it is no convergence,
        and the mode `off` makes it too.

        Raises NotProven where it does not and the mode or the permissions forbid to make it, or making it
        failed, once in a run; and LabError where it was made and does not hold all the same.
        """
        if change.name in self._settled:
            return
        if failed := self._failed.get(change.name):
            raise NotProven(failed.cause, owner=failed.owner)
        started = time.monotonic()
        before = self._look(change)
        after = before
        if not before.holds:
            refusal = self._refusal(change, before, own=own)
            if refusal is not None:
                self._failed[change.name] = refusal
                if self.mode is Mode.CHECK:
                    self._enter(change, before, before, started)
                raise refusal
            self._before()
            self._apply(change, before, started)
            after = self._look(change)
        useless = "" if after.holds else f"made, but afterwards {after.found}"
        self._enter(change, before, after, started, failed=useless)
        if useless:
            raise LabError(f"{change.name}: {useless} (before: {before.found})")
        self._settled.add(change.name)

    def holds(self, change: Change) -> bool:
        """Whether a change is made already; if so, that is entered in the ledger, once.

        One that cannot be looked at is not: what it builds on may be missing yet, such as a KBS for its
        database. `ensure` looks again, and tells why.
        """
        if change.name in self._settled:
            return True
        if change.name in self._failed:
            return False
        started = time.monotonic()
        sight = self._sight(change)
        if isinstance(sight, LabError):
            return False
        if sight.holds:
            self._enter(change, sight, sight, started)
            self._settled.add(change.name)
        return sight.holds

    def settle(self, change: Change) -> None:
        """Take it that a change holds."""
        self._settled.add(change.name)

    def unsettle(self) -> None:
        """Look at everything again from now on: something happened that may have undone what was settled."""
        self._settled.clear()
        self.unsettled += 1

    def undo(self) -> None:
        """As `unsettle`, where a scenario is about to undo it on purpose, such as by uninstalling.

        What held before and has to be made again then is given back to the lab, and does not change it.
        """
        self._undone |= self._settled
        self.unsettle()

    def was_undone(self, change: Change) -> bool:
        """Whether a change held when the run undid what it could."""
        return change.name in self._undone

    def _refusal(self, change: Change, before: Sight, *, own: bool) -> NotProven | None:
        """Why a change that is needed may not be made."""
        if self.mode is not Mode.APPLY and not (own and self.mode is Mode.OFF):
            return NotProven(
                f"{change.name}: {before.found}, and provisioning is {self.mode}", owner=change.clause
            )
        if change.permission and not getattr(self._permissions, change.permission):
            return NotPermitted(change.permission, change.name)
        return None

    def _sight(self, change: Change) -> Sight | LabError:
        """What a look found, or why it failed. Raises Unreachable where the lab is lost."""
        try:
            return change.look()
        except Unreachable:
            raise
        except LabError as failure:
            return failure

    def _look(self, change: Change) -> Sight:
        sight = self._sight(change)
        if isinstance(sight, LabError):
            told = f"cannot be looked at: {sight}"
            if self.mode is Mode.CHECK:
                unknown = Sight(holds=False, found=told)
                self._enter(change, unknown, unknown, time.monotonic())
            self._fail(change, told, sight.owner if isinstance(sight, NotProven) else None)
        return sight

    def _apply(self, change: Change, before: Sight, started: float) -> None:
        try:
            change.apply()
        except NotProven as failure:
            self._enter_failure(change, before, started, failure)
            self._fail(change, failure.cause, failure.owner)
        except LabError as failure:
            self._enter_failure(change, before, started, failure)
            if isinstance(failure, Unreachable):
                raise
            self._fail(change, str(failure), None)

    def _fail(self, change: Change, cause: str, owner: str | None) -> NoReturn:
        self._failed[change.name] = NotProven(f"{change.name}: {cause}", owner=owner or change.clause)
        raise self._failed[change.name] from None

    def _enter_failure(self, change: Change, before: Sight, started: float, failure: LabError) -> None:
        """What was begun may have changed something: look whether that shows."""
        try:
            after = change.look()
        except LabError as unseen:
            after = Sight(holds=False, found=f"cannot be looked at: {unseen}")
        self._enter(change, before, after, started, failed=str(failure))

    def _enter(
        self, change: Change, before: Sight, after: Sight, started: float, *, failed: str = ""
    ) -> None:
        applied = self.mode is not Mode.CHECK
        self._record.operation(
            Operation(
                name=change.name,
                looked_at=change.looks_at,
                before=before.found,
                after=after.found,
                # Of a change that failed half-way, what shows of it counts.
                changed=before.found != after.found if failed else not before.holds,
                verified_by=f"looking at {change.looks_at} again" if applied else "",
                undone_by=change.undone_by,
                kind="borrowed" if change.name in self._undone and not before.holds else "convergence",
                applied=applied,
                seconds=time.monotonic() - started,
                failed=failed,
            )
        )
