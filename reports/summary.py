"""A run in a few lines, for a chat, a mail or a log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lab.printable import shortened
from lab.verdict import Verdict
from reports.ledger import entries
from reports.words import all_findings, answer_sentence, duration, plural

if TYPE_CHECKING:
    from reports.model import Results

LINES: Final = 5
_LONGEST: Final = 160


def summary(results: Results, *, most: int = LINES, link: str = "") -> str:
    """The answer on the first line, then up to `most` causes, then what else a reader must know."""
    lines = [f"{_word(results)}: {results.lab.get('name', '')}, {results.profile.get('title', '')}"]
    told = [answer_sentence(results), _certified(results), f"{results.answer.ledger.changed} changed."]
    lines.append(" ".join([*filter(None, told), f"{duration(results.run.seconds)}."]))
    for cause in results.causes[:most]:
        owner = f" ({cause.owner})" if cause.owner else ""
        stopped = plural(len(cause.scenarios), "scenario")
        lines.append(f"- {cause.verdict}, {stopped}: {shortened(cause.reason, _LONGEST)}{owner}")
    if len(results.causes) > most:
        lines.append(f"- and {plural(len(results.causes) - most, 'cause')} more")
    lines += [f"- problem: {shortened(problem, _LONGEST)}" for problem in results.run.problems[:most]]
    failed = [entry.operation.name for entry in entries(results) if entry.operation.failed]
    if failed:
        lines.append(
            f"- {plural(len(failed), 'operation')} failed, such as: {shortened(failed[0], _LONGEST)}"
        )
    findings = all_findings(results)
    if findings:
        lines.append(f"- {plural(len(findings), 'finding')} that decide nothing")
    lines.append(f"Run {results.run.id}{f': {link}' if link else ''}")
    return "\n".join(lines)


def _word(results: Results) -> str:
    """Whom it concerns: what the exit code says in numbers."""
    if results.answer.all_proved:
        return "PROVED"
    if results.run.interrupted:
        return "INTERRUPTED"
    if any(scenario.decides and scenario.verdict is Verdict.FAILED for scenario in results.scenarios):
        return "PRODUCT FAILED"
    return "NOT PROVED (lab or suite)"


def _certified(results: Results) -> str:
    judged = results.certification
    if judged.certifiable:
        return "May be certified."
    return f"Not certified ({plural(len(judged.broken), 'rule')} broken)." if judged.broken else ""
