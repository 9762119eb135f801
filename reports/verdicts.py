"""From what ended a scenario to its verdict and one line of reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pytest

from lab.errors import LabError, NotApplicable, NotProven, Unreachable
from lab.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

REASON_LENGTH: Final = 600
WORST_FIRST: Final = (
    Verdict.FAILED,
    Verdict.BROKEN,
    Verdict.NOT_PROVEN,
    Verdict.PASSED,
    Verdict.NOT_APPLICABLE,
)

UNPROVED: Final = frozenset({Verdict.FAILED, Verdict.BROKEN, Verdict.NOT_PROVEN})

# pytest-timeout 2.4 ends a test by pytest.fail with this text: the suite's time ran out, not the product's.
PYTEST_TIMEOUT_MARK: Final = "from pytest-timeout"


@dataclass(frozen=True)
class Outcome:
    """A verdict with its reason: one line, and the clause that owns it."""

    verdict: Verdict
    reason: str = ""
    owner: str | None = None


@dataclass
class Contacts:
    """Which services of the lab answered before, so that *never reached* and *lost* can be told apart."""

    _reached: set[str] = field(default_factory=set)
    _lost: dict[str, str] = field(default_factory=dict)

    def reached(self, service: str) -> None:
        """Note that `service` (host, cluster, kbs, database) answered."""
        self._reached.add(service)
        self._lost.pop(service, None)

    def judge(self, error: Unreachable) -> Outcome:
        """The verdict of a scenario that could not reach a service.

        Never reached: *not proven*. Lost while this scenario ran: *broken*. Lost before: *not proven*, with
        the first loss as the cause, so that one loss is one cause however many scenarios follow.
        """
        service = error.service
        if service in self._lost:
            return Outcome(Verdict.NOT_PROVEN, f"lost on the way: {self._lost[service]}")
        if service in self._reached:
            self._lost[service] = one_line(error)
            return Outcome(Verdict.BROKEN, one_line(error))
        return Outcome(Verdict.NOT_PROVEN, one_line(error))


def one_line(error: BaseException) -> str:
    """The first line of an error's text, with the error's kind where that is not the suite's own."""
    if isinstance(error, BaseExceptionGroup):  # what pytest raises when several fixtures fail to clean up
        return "; ".join(one_line(inner) for inner in error.exceptions)
    text = str(error).strip()
    first = text.splitlines()[0].strip() if text else ""
    if isinstance(error, (LabError, AssertionError, pytest.fail.Exception, pytest.skip.Exception)):
        line = first or type(error).__name__
    elif isinstance(error, KeyboardInterrupt):
        line = "interrupted"
    else:
        line = f"{type(error).__name__}: {first}" if first else type(error).__name__
    return _shortened(line)


def _shortened(line: str) -> str:
    return line if len(line) <= REASON_LENGTH else line[: REASON_LENGTH - 1] + "…"


def judge(error: BaseException, contacts: Contacts) -> Outcome:
    """The outcome that `error` gives a scenario; decided by the kind of the error alone."""
    match error:
        case Unreachable():
            return contacts.judge(error)
        case NotProven():
            return Outcome(
                Verdict.NOT_PROVEN, _shortened(error.cause.strip().partition("\n")[0]), error.owner
            )
        case pytest.skip.Exception():
            verdict = Verdict.NOT_PROVEN
        case NotApplicable():
            verdict = Verdict.NOT_APPLICABLE
        case AssertionError() | pytest.fail.Exception() if PYTEST_TIMEOUT_MARK not in str(error):
            verdict = Verdict.FAILED
        case _:
            verdict = Verdict.BROKEN
    return Outcome(verdict, one_line(error))


def together(verdicts: Iterable[Verdict]) -> Verdict | None:
    """The verdict of a clause from those of its scenarios: the worst; None of none.

    *Not applicable* weighs least: a clause that one scenario proved and another could not apply to is proved.
    """
    found = set(verdicts)
    return next((verdict for verdict in WORST_FIRST if verdict in found), None)
