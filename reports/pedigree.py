"""What the suite expects rests on facts about the system under test: docs/facts.toml, each with its standing.

A verdict is no better than they are. Nothing here knows which lab a run is on: it is told of the clauses.
"""

from __future__ import annotations

import tomllib
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from reports.model import Results

FACTS: Final = Path(__file__).parents[1] / "docs" / "facts.toml"


class Standing(StrEnum):
    """How well a fact is known; the weakest first."""

    NOT_CONFIRMED = "not confirmed"
    READ = "read in the source"
    TRIED = "tried with the real part"
    SEEN = "seen on hardware"


class Fact(BaseModel):
    """One fact; `simlab` are the places where the simulated lab has it."""

    model_config = ConfigDict(extra="forbid")

    id: str
    what: str
    source: str
    standing: Standing
    clauses: list[str]
    simlab: list[str]
    note: str = ""


def facts(path: Path = FACTS) -> list[Fact]:
    """All facts, in the order of the file."""
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    return [Fact.model_validate(entry) for entry in document["fact"]]


def unseen_on_hardware(results: Results) -> dict[str, int]:
    """How many of the judged clauses rest on facts not yet seen on hardware; nothing where none does."""
    judged = [clause for clause in results.clauses if clause.verdict is not None]
    unseen = [clause for clause in judged if any(fact.standing is not Standing.SEEN for fact in clause.facts)]
    return {"unseen": len(unseen), "judged": len(judged)} if unseen else {}
