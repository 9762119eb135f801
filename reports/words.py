"""Words that the terminal, the pages and the summary share: the answer, findings, durations, counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.record import Finding
    from reports.model import Results


def answer_sentence(results: Results) -> str:
    """Say whether it is proved."""
    return " ".join(sentence.format(**values) for sentence, values in answer_words(results))


def answer_words(results: Results) -> list[tuple[str, dict[str, int]]]:
    """The answer's sentences, each with what its braces stand for."""
    answer = results.answer
    if not answer.selected:
        return [("Nothing is proved: no scenario was selected.", {})]
    if not answer.decided:
        return [("Nothing is proved: no selected scenario decides.", {})]
    noun = "scenario" if answer.decided == 1 else "scenarios"
    counts = {"proved": answer.proved, "decided": answer.decided}
    told: list[tuple[str, dict[str, int]]] = [(f"{{proved}} of {{decided}} {noun} proved.", counts)]
    if results.run.faults:
        told.append(("The lab was broken on purpose, so this certifies nothing.", {}))
    if results.run.interrupted:
        told.append(("The run was interrupted.", {}))
    return told


def all_findings(results: Results) -> list[Finding]:
    """The findings of the session and of all scenarios, each once."""
    found = [*results.session.findings, *(f for scenario in results.scenarios for f in scenario.findings)]
    return list(dict.fromkeys(found))


def duration(seconds: float) -> str:
    """Seconds as a person reads them."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def plural(number: int, noun: str) -> str:
    """`1 scenario`, `2 scenarios`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
