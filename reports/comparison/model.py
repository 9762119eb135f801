"""The model of a comparison, as `reports compare --json` writes it (docs/results.md)."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - pydantic evaluates these
from enum import StrEnum
from typing import Literal

from pydantic import Field

from lab.record import Finding  # noqa: TC001
from lab.verdict import Verdict  # noqa: TC001
from reports.model import Model


class Turn(StrEnum):
    """How what a run says of a scenario or a clause differs from what an earlier one said."""

    RED = "red"  # it was proved, and is no longer
    NEW_RED = "new, and red"
    GONE = "gone"
    GREEN = "green"
    NEW = "new"
    OTHER = "other"  # not proved before and after, but not in the same way


class Side(Model):
    """One of the two runs. `certifiable` is None where nobody held the run to the rules."""

    id: str
    started: datetime
    seconds: float
    lab: str
    profile: str
    suite: str
    decided: int
    proved: int
    all_proved: bool
    certifiable: bool | None


class ScenarioTurn(Model):
    """A scenario that the two runs say something different of. A verdict of a run that lacks it is None."""

    id: str
    name: str
    clauses: list[str]
    advisory: bool
    turn: Turn
    old: Verdict | None
    new: Verdict | None
    reason: str = ""
    owner: str | None = None

    @property
    def decides(self) -> bool:
        """Whether a release is worse for it."""
        return not self.advisory and self.turn in (Turn.RED, Turn.NEW_RED, Turn.GONE)


class ClauseTurn(Model):
    """A clause that the two runs say something different of."""

    id: str
    outcome: str
    advisory: bool
    turn: Turn
    old: Verdict | None
    new: Verdict | None
    reason: str = ""


class Difference(Model):
    """Something of the lab that is not as it was; None where a run does not have it.

    `kind` is where it stands: versions, platform, lab file, profile, suite, operations, or run. Of a long
    list of words `added` and `removed` tell those that differ.
    """

    kind: str
    name: str
    old: str | None
    new: str | None
    added: list[str] = Field(default_factory=list)
    removed: list[str] = Field(default_factory=list)


class Duration(Model):
    """A scenario that took longer or shorter than the noise of the two runs explains, in seconds.

    `expected` is its old duration times `Durations.pace`.
    """

    id: str
    name: str
    old: float
    expected: float
    new: float


class Durations(Model):
    """What the durations of the scenarios that passed in both runs say.

    `pace` is the median of new to old; `noise` the factor within which a duration says nothing.
    """

    compared: int
    pace: float
    noise: float
    beyond: list[Duration]


class Comparison(Model):
    """All that a reader who must decide wants to know of a run and the one before it."""

    schema_version: Literal[1] = 1
    old: Side
    new: Side
    warnings: list[str]
    scenarios: list[ScenarioTurn]
    clauses: list[ClauseTurn]
    lab: list[Difference]
    findings_new: list[Finding]
    findings_gone: list[Finding]
    durations: Durations

    @property
    def worse(self) -> bool:
        """Whether something that decides is no longer proved, or not proved at all any more."""
        return any(scenario.decides for scenario in self.scenarios)
