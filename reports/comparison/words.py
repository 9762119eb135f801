"""A comparison in words, for a terminal, a mail or a chat."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from reports.comparison.model import Turn
from reports.run import own_names_left_out
from reports.words import duration, plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lab.record import Finding
    from lab.verdict import Verdict
    from reports.comparison.model import Comparison, Difference, Durations, ScenarioTurn, Side

TITLES: Final = {
    Turn.RED: "Turned red: proved before, and no longer",
    Turn.NEW_RED: "New, and red",
    Turn.GONE: "Gone: the new run does not have it",
    Turn.GREEN: "Turned green",
    Turn.NEW: "New",
    Turn.OTHER: "Another verdict, and not proved in either",
}
TOLD: Final = {
    Turn.RED: "{number} turned red",
    Turn.NEW_RED: "{number} new and red",
    Turn.GONE: "{number} gone",
    Turn.GREEN: "{number} turned green",
    Turn.NEW: "{number} new",
    Turn.OTHER: "{number} not proved in another way",
}
UNCHANGED: Final = "No scenario that decides has another verdict."
_LONGEST: Final = 160


def turns(comparison: Comparison) -> dict[Turn, int]:
    """How many scenarios that decide turned in each way; none that is zero."""
    counts = Counter(scenario.turn for scenario in comparison.scenarios if not scenario.advisory)
    return {turn: counts[turn] for turn in Turn if counts[turn]}


def headline(comparison: Comparison) -> str:
    """The comparison in one sentence."""
    told = [TOLD[turn].format(number=number) for turn, number in turns(comparison).items()]
    return f"{', '.join(told)}." if told else UNCHANGED


def standing(side: Side) -> str:
    """What one of the runs says by itself."""
    told = f"{side.proved} of {plural(side.decided, 'scenario')} proved"
    if side.certifiable is not None:
        told += ", may be certified" if side.certifiable else ", may not be certified"
    return told


def text(comparison: Comparison) -> str:
    """All of it, without colours."""
    return "\n".join(_lines(comparison))


def _lines(comparison: Comparison) -> Iterator[str]:
    yield headline(comparison)
    for word, side in (("old", comparison.old), ("new", comparison.new)):
        yield f"  {word}  {side.id}  {side.lab}, {side.profile}: {standing(side)}"
    for warning in comparison.warnings:
        yield f"  note: {warning}"
    yield from _scenarios(comparison.scenarios)
    if comparison.clauses:
        yield ""
        yield "Clauses with another verdict"
        for clause in comparison.clauses:
            yield f"  {clause.id}  {_verdicts(clause.old, clause.new)}: {clause.outcome}"
    yield from _lab(comparison.lab)
    yield from _findings("New findings", comparison.findings_new)
    yield from _findings("Findings that are gone", comparison.findings_gone)
    yield from _durations(comparison.durations)


def _scenarios(scenarios: list[ScenarioTurn]) -> Iterator[str]:
    for turn in Turn:
        members = [scenario for scenario in scenarios if scenario.turn is turn]
        if members:
            yield ""
            yield TITLES[turn]
        for cause, stopped in by_cause(members):
            if cause:
                yield f"  {cause}"
            yield from (f"    {_scenario(each)}" for each in stopped)


def _findings(title: str, findings: list[Finding]) -> Iterator[str]:
    if findings:
        yield ""
        yield title
        yield from (f"  {each.title}{f' ({each.clause})' if each.clause else ''}" for each in findings)


def by_cause(scenarios: Iterable[ScenarioTurn]) -> list[tuple[str, list[ScenarioTurn]]]:
    """The scenarios by why they are not proved: one cause may stop many. No cause is an empty text."""
    causes: dict[str, tuple[str, list[ScenarioTurn]]] = {}
    for scenario in scenarios:
        owner = f" ({scenario.owner})" if scenario.owner else ""
        told = f"{scenario.reason}{owner}"
        causes.setdefault(own_names_left_out(told), (told, []))[1].append(scenario)
    return list(causes.values())


def _scenario(scenario: ScenarioTurn) -> str:
    advisory = ", advisory: decides nothing" if scenario.advisory else ""
    told = ", ".join([*scenario.clauses, _verdicts(scenario.old, scenario.new)])
    return f"{scenario.name} ({told}{advisory})"


def _verdicts(old: Verdict | None, new: Verdict | None) -> str:
    return f"{old or 'not there'} → {new or 'not there'}"


def _lab(differences: list[Difference]) -> Iterator[str]:
    yield ""
    yield "What changed in the lab" if differences else "Nothing of the lab is known to have changed."
    kind = ""
    for difference in differences:
        if difference.kind != kind:
            kind = difference.kind
            yield f"  {kind}"
        if difference.added or difference.removed:
            words = [f"+{word}" for word in difference.added] + [f"-{word}" for word in difference.removed]
            yield f"    {difference.name}: {' '.join(words)}"
        else:
            yield f"    {difference.name}"
            yield f"      old: {_short(difference.old)}"
            yield f"      new: {_short(difference.new)}"


def _short(value: str | None) -> str:
    if value is None:
        return "(not there)"
    line = " ".join(value.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def _durations(durations: Durations) -> Iterator[str]:
    sentence, values = noise_sentence(durations)
    yield ""
    yield f"Durations: {sentence.format(**values)}"
    for each in durations.beyond:
        yield (
            f"  {each.name}: {duration(each.old)} → {duration(each.new)}, "
            f"{duration(each.expected)} would have been as usual"
        )


def noise_sentence(durations: Durations) -> tuple[str, dict[str, str]]:
    """How noise was judged: a sentence, and what its braces stand for."""
    if not durations.compared:
        return "no scenario passed in both runs.", {}
    return (
        "{compared} scenarios passed in both; the new run took {pace} times as long on the whole, and up to "
        "{noise} times more or less than that is noise. {beyond} beyond it."
    ), {
        "compared": str(durations.compared),
        "pace": f"{durations.pace:.2f}",
        "noise": f"{durations.noise:.2f}",
        "beyond": str(len(durations.beyond)),
    }
