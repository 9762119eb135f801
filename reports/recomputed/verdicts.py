"""From steps that hold to scenarios and clauses."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lab.errors import LabError
from lab.verdict import Verdict
from reports.recomputed.chains import CHAINS
from reports.recomputed.found import other_versions
from reports.recomputed.moment import Contradiction, Facts, Moment
from reports.recomputed.objects import OBJECTS
from reports.recomputed.printed import PRINTED
from reports.recomputed.states import checks
from reports.recomputed.workloads import WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from reports.model import Results, ScenarioResult, StepResult

_CHECKS: Final[list[tuple[re.Pattern[str], Callable[[Moment], None]]]] = [
    *(
        (re.compile(re.escape(phrase)), check)
        for phrase, check in (checks() | PRINTED | OBJECTS | CHAINS).items()
    ),
    *((re.compile(phrase), check) for phrase, check in WORKLOADS.items()),
]


@dataclass
class Recomputation:
    """What came of it. Clauses are `whole` where every conclusion of theirs was computed again.

    In `part` where some were; `signed` rest on the signature alone.
    """

    problems: list[str] = field(default_factory=list)
    whole: list[str] = field(default_factory=list)
    part: list[str] = field(default_factory=list)
    signed: list[str] = field(default_factory=list)


def recompute(results: Results, folder: Path, firmwares: Mapping[str, bytes] | None = None) -> Recomputation:
    """Compute again what the evidence allows, of every scenario that passed."""
    found = Recomputation()
    facts = Facts(folder, results, firmwares or {})
    found.problems += other_versions(facts)
    conclusions: dict[str, list[bool]] = {}
    for scenario in results.scenarios:
        if scenario.verdict is not Verdict.PASSED:
            continue
        for step, each in enumerate(scenario.steps):
            if not _concludes(scenario, step):
                continue
            again = _again(facts, scenario, step, each, found)
            for name in scenario.clauses:
                conclusions.setdefault(name, []).append(again)
    for clause in results.clauses:
        if clause.verdict is Verdict.PASSED:
            steps = conclusions.get(clause.id, [])
            kind = found.whole if steps and all(steps) else found.part if any(steps) else found.signed
            kind.append(clause.id)
    return found


def covers(phrase: str) -> bool:
    """Whether a step of this phrase is computed again."""
    return any(pattern.fullmatch(phrase) for pattern, _ in _CHECKS)


def _again(
    facts: Facts, scenario: ScenarioResult, number: int, step: StepResult, found: Recomputation
) -> bool:
    for pattern, check in _CHECKS:
        if match := pattern.fullmatch(step.text):
            words = {name: word or "" for name, word in match.groupdict().items()}
            try:
                check(Moment(facts, scenario, number, words))
            except (Contradiction, LabError) as contradiction:
                found.problems.append(f"{scenario.id}, “{step.text}”: {contradiction}")
            except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
                found.problems.append(
                    f"{scenario.id}, “{step.text}”: its evidence is not of the form that the suite writes"
                    f" ({type(error).__name__})"
                )
            return True
    return False


def _concludes(scenario: ScenarioResult, number: int) -> bool:
    """Whether a step is a Then, or goes on from one."""
    keywords = [step.keyword.strip() for step in scenario.steps[: number + 1]]
    first = next((each for each in reversed(keywords) if each not in {"And", "But", "*"}), "")
    return first == "Then"
