"""The ledger of a run: every operation with what came of it, in the groups that a reader asks for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.record import Operation
    from reports.model import Results, ScenarioResult


class Effect(StrEnum):
    """What came of an operation, in the order in which a reader asks for it."""

    FAILED = "failed"
    CHANGED = "changed"
    WOULD_CHANGE = "would change"
    BORROWED = "borrowed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class Entry:
    """An operation and the scenario that asked for it; None outside of scenarios."""

    operation: Operation
    scenario: ScenarioResult | None


def effect(operation: Operation) -> Effect:
    """What came of an operation."""
    if operation.failed:
        return Effect.FAILED
    if operation.kind == "borrowed":
        return Effect.BORROWED
    if not operation.changed:
        return Effect.UNCHANGED
    return Effect.CHANGED if operation.applied else Effect.WOULD_CHANGE


def told(operation: Operation) -> dict[str, str]:
    """What an operation says of itself, under titles; nothing that it does not say."""
    titles = {
        "Failed": operation.failed,
        "Looked at": operation.looked_at,
        "Before": operation.before,
        "After": operation.after,
        "Verified by": operation.verified_by,
        "Undone by": operation.undone_by,
        "Took": f"{operation.seconds:.1f} s" if operation.seconds else "",
    }
    return {title: text for title, text in titles.items() if text}


def entries(results: Results) -> Iterator[Entry]:
    """Every operation of the run: those outside of scenarios first, then those of each scenario."""
    for operation in results.session.operations:
        yield Entry(operation, None)
    for scenario in results.scenarios:
        for operation in scenario.operations:
            yield Entry(operation, scenario)


def grouped(results: Results) -> dict[Effect, list[Entry]]:
    """The operations by what came of them, without empty groups."""
    groups: dict[Effect, list[Entry]] = {each: [] for each in Effect}
    for entry in entries(results):
        groups[effect(entry.operation)].append(entry)
    return {each: members for each, members in groups.items() if members}
