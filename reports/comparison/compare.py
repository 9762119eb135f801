"""From the results of two runs to a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from lab.verdict import Verdict
from reports.comparison.durations import durations
from reports.comparison.labs import differences
from reports.comparison.model import ClauseTurn, Comparison, ScenarioTurn, Side, Turn
from reports.words import all_findings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lab.record import Finding
    from reports.model import ClauseResult, Results, ScenarioResult

J = TypeVar("J", "ClauseResult", "ScenarioResult")  # judged
_ORDER: Final = list(Turn)
_RED: Final = (Verdict.FAILED, Verdict.BROKEN, Verdict.NOT_PROVEN)


def compare(old: Results, new: Results) -> Comparison:
    """Hold `new` against `old`."""
    return Comparison(
        old=_side(old),
        new=_side(new),
        warnings=list(_warnings(old, new)),
        scenarios=sorted(_scenarios(old, new), key=lambda each: (each.advisory, _ORDER.index(each.turn))),
        clauses=list(_clauses(old, new)),
        lab=list(differences(old, new)),
        findings_new=_missing(new, old),
        findings_gone=_missing(old, new),
        durations=durations(old, new),
    )


def turned(old: Verdict | None, new: Verdict | None) -> Turn | None:
    """How `new` differs from `old`; None where it does not. No verdict is one of a run that lacks it."""
    if old is new:
        return None
    if old is None:
        return Turn.NEW_RED if new in _RED else Turn.NEW
    if new is None:
        return Turn.GONE
    if old is Verdict.PASSED and new in _RED:
        return Turn.RED
    if new is Verdict.PASSED:
        return Turn.GREEN
    return Turn.OTHER


def _side(results: Results) -> Side:
    suite, certification = results.suite, results.certification
    commit = "unknown" if suite.commit is None else suite.commit[:12]
    return Side(
        id=results.run.id,
        started=results.run.started,
        seconds=results.run.seconds,
        lab=str(results.lab.get("name", "")),
        profile=str(results.profile.get("title", "")),
        suite=f"{commit}, changed" if suite.dirty else commit,
        decided=results.answer.decided,
        proved=results.answer.proved,
        all_proved=results.answer.all_proved,
        certifiable=certification.certifiable if certification.certifiable or certification.broken else None,
    )


def _warnings(old: Results, new: Results) -> Iterator[str]:
    """What makes the two hard to compare."""
    if old.run.id == new.run.id:
        yield "both are the same run"
    elif new.run.started < old.run.started:
        yield "the run taken for the new one is the older"
    for what in ("lab", "profile"):
        names = [str(getattr(results, what).get("name", "")) for results in (old, new)]
        if names[0] != names[1]:
            yield f"another {what}: {names[0]}, then {names[1]}"
    for word, results in (("old", old), ("new", new)):
        if results.run.interrupted:
            yield f"the {word} run was interrupted"
        if results.run.faults:
            yield f"the lab of the {word} run was broken on purpose: {', '.join(results.run.faults)}"
        for problem in results.run.problems:
            yield f"problem of the {word} run: {problem}"


def _scenarios(old: Results, new: Results) -> Iterator[ScenarioTurn]:
    for told, now, both in _turns(old.scenarios, new.scenarios):
        owner = now.owner if now else None
        yield ScenarioTurn(name=told.name, clauses=told.clauses, owner=owner, **both)


def _clauses(old: Results, new: Results) -> Iterator[ClauseTurn]:
    for told, _, both in _turns(old.clauses, new.clauses):
        yield ClauseTurn(outcome=told.outcome, **both)


def _turns(old: Sequence[J], new: Sequence[J]) -> Iterator[tuple[J, J | None, dict[str, Any]]]:
    """What the runs say something different of, as the new one has it or else the old; and how it turned."""
    before, after = ({each.id: each for each in judged} for judged in (old, new))
    for identifier in before | after:
        was, now = before.get(identifier), after.get(identifier)
        verdicts = was.verdict if was else None, now.verdict if now else None
        turn, told = turned(*verdicts), now or was
        if turn and told:
            yield (
                told,
                now,
                {
                    "id": identifier,
                    "advisory": told.advisory,
                    "turn": turn,
                    "old": verdicts[0],
                    "new": verdicts[1],
                    "reason": now.reason if now else "",
                },
            )


def _missing(here: Results, there: Results) -> list[Finding]:
    """The findings of `here` that `there` lacks. What was seen may differ: it names pods and digests."""
    known = {(finding.title, finding.clause) for finding in all_findings(there)}
    found = {(finding.title, finding.clause): finding for finding in all_findings(here)}
    return [finding for key, finding in found.items() if key not in known]
