"""A run as its events tell it, and the results that come of it."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from lab.verdict import Verdict
from reports import certification
from reports.events import Event, Finished, Planned, Progressed, SessionChanged, Started, StepStarted, Waited
from reports.ledger import Effect, effect
from reports.model import (
    MINOR,
    Answer,
    Cause,
    Ledger,
    Results,
    RunFacts,
    ScenarioResult,
    SessionFacts,
    SuiteFacts,
)
from reports.triage import ERROR, Heard, Rules, diagnose
from reports.verdicts import WORST_FIRST
from reports.words import all_findings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from lab.record import Operation
    from reports.clauses import Catalogue

NEVER_RAN: Final = "never ran"
# Hexadecimal of six digits and more, base64 as long as a digest's, and numbers.
_OWN_NAME: Final = re.compile(r"\b(?=[a-f]*\d)[0-9a-f]{6,}\b|[A-Za-z0-9+/]{43}=|\b\d+(?:\.\d+)?\b")


class Run:
    """Folds events into results. Listeners are told each event after it counted."""

    def __init__(
        self, identifier: str, *, lab: dict[str, Any], profile: dict[str, Any], catalogue: Catalogue
    ) -> None:
        self.id = identifier
        self.lab = lab
        self.profile = profile
        self.started = datetime.now(UTC)
        self.scenarios: dict[str, ScenarioResult] = {}
        self.under_way: dict[str, int | None] = {}
        self.ended: set[str] = set()
        self.interrupted = False
        self.problems: list[str] = []
        self._catalogue = catalogue
        self._session: dict[str, SessionFacts] = {}
        self._starts: Counter[str] = Counter()
        self._listeners: list[Callable[[Event], None]] = []

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Tell `listener` every event from now on."""
        self._listeners.append(listener)

    def apply(self, event: Event) -> None:
        """Count one event."""
        match event:
            case Planned():
                for scenario in event.scenarios:
                    # Under xdist every worker plans the same ones.
                    self.scenarios.setdefault(scenario.id, scenario)
            case Started():
                self.under_way[event.scenario] = None
                self.scenarios[event.scenario].worker = event.worker
                self._starts[event.scenario] += 1
            case StepStarted():
                self.under_way[event.scenario] = event.step
            case Progressed():
                self.scenarios[event.scenario.id] = event.scenario
            case Finished():
                self.scenarios[event.scenario.id] = event.scenario
                self.under_way.pop(event.scenario.id, None)
                self.ended.add(event.scenario.id)
            case SessionChanged():
                self._session[event.process] = event.facts
            case Waited():
                pass
        for listener in self._listeners:
            listener(event)

    def problem(self, text: str) -> None:
        """Note what stopped or disturbed the run as a whole."""
        if text not in self.problems:
            self.problems.append(text)

    def close(self) -> None:
        """Give a verdict to what did not end: *broken* to scenarios under way, *not proven* to the rest."""
        for identifier, step in self.under_way.items():
            scenario = self.scenarios[identifier]
            how = "interrupted" if self.interrupted else "the process that ran it died"
            scenario.verdict = Verdict.BROKEN
            scenario.reason = scenario.reason or f"{how} {scenario.moment(step)}"
            scenario.triage = scenario.triage or diagnose(
                [Heard(ERROR, f"Interrupted: {scenario.reason}")], Rules.read()
            )
            if step is not None and scenario.steps[step].verdict is None:
                scenario.steps[step].verdict = Verdict.BROKEN
        why = "the run was interrupted" if self.interrupted else "; ".join(self.problems[:1])
        for scenario in self.scenarios.values():
            if scenario.id not in self.ended | set(self.under_way):
                scenario.verdict = Verdict.NOT_PROVEN
                scenario.reason = f"{NEVER_RAN}: {why}" if why else f"{NEVER_RAN}: the run stopped before it"

    @property
    def faults(self) -> list[str]:
        """What is broken in the lab on purpose, by its lab file."""
        fault = self.lab.get("fault")
        return [fault] if fault else []

    def all_proved(self) -> bool:
        """Whether at least one scenario passed, and every one that decides is proved."""
        scenarios = list(self.scenarios.values())
        return any(scenario.verdict is Verdict.PASSED for scenario in scenarios) and all(
            scenario.verdict is Verdict.PASSED for scenario in scenarios if scenario.decides
        )

    def failed(self) -> bool:
        """Whether the product failed in a scenario that decides."""
        return any(
            scenario.verdict is Verdict.FAILED for scenario in self.scenarios.values() if scenario.decides
        )

    def results(
        self,
        *,
        exit_code: int,
        arguments: Sequence[str],
        suite: SuiteFacts | None = None,
    ) -> Results:
        """The results of the run, which is over."""
        for scenario in self.scenarios.values():
            scenario.attempts = max(scenario.attempts, self._starts[scenario.id])
        # In the guide's order, in whichever they ran.
        scenarios = sorted(self.scenarios.values(), key=lambda scenario: (scenario.file, scenario.line))
        session = self._session_facts()
        finished = datetime.now(UTC)
        results = Results(
            schema_minor=MINOR,
            run=RunFacts(
                id=self.id,
                started=self.started,
                finished=finished,
                seconds=(finished - self.started).total_seconds(),
                interrupted=self.interrupted,
                exit_code=exit_code,
                arguments=list(arguments),
                problems=self.problems,
                faults=self.faults,
            ),
            suite=suite or SuiteFacts(),
            answer=answer(
                scenarios, [*session.operations, *(o for s in scenarios for o in s.operations)], exit_code
            ),
            lab=self.lab,
            profile=self.profile,
            versions=session.versions,
            session=session,
            scenarios=scenarios,
            causes=causes(scenarios),
            guide=self._catalogue.guide,
            clauses=self._catalogue.judge(scenarios),
            errata=self._catalogue.errata,
        )
        results.findings = all_findings(results)
        results.certification = certification.judge(results, certification.Rules.read())
        return results

    def _session_facts(self) -> SessionFacts:
        """What all processes of the run did and found outside of scenarios."""
        whole = SessionFacts()
        for _, facts in sorted(self._session.items()):
            whole.versions |= facts.versions
            whole.platforms += [each for each in facts.platforms if each not in whole.platforms]
            whole.operations += facts.operations
            whole.findings += [finding for finding in facts.findings if finding not in whole.findings]
            whole.evidence += facts.evidence
        return whole


def own_names_left_out(reason: str) -> str:
    """`reason` without names made for one scenario (a pod's, a digest) and numbers."""
    return _OWN_NAME.sub("…", reason)


def causes(scenarios: Iterable[ScenarioResult]) -> list[Cause]:
    """Why scenarios that should be proved are not: one entry per verdict and reason, the worst first.

    An advisory scenario that failed is told as a finding. Reasons that differ only in names made for one
    scenario (a pod's, a digest) or in numbers are one cause.
    """
    found: dict[tuple[Verdict, str, str | None], Cause] = {}
    for scenario in scenarios:
        if scenario.verdict in (Verdict.PASSED, Verdict.NOT_APPLICABLE) or scenario.is_finding:
            continue
        key = (scenario.verdict, own_names_left_out(scenario.reason), scenario.owner)
        fresh = Cause(
            verdict=scenario.verdict,
            reason=scenario.reason,
            owner=scenario.owner,
            triage=scenario.triage,
            scenarios=[],
        )
        found.setdefault(key, fresh).scenarios.append(scenario.id)
    return sorted(found.values(), key=lambda cause: WORST_FIRST.index(cause.verdict))


def answer(scenarios: Sequence[ScenarioResult], operations: Iterable[Operation], exit_code: int) -> Answer:
    """The run in one glance."""
    decided = [scenario for scenario in scenarios if scenario.decides]
    counts = Counter(scenario.verdict for scenario in scenarios)
    return Answer(
        all_proved=exit_code == 0,
        selected=len(scenarios),
        decided=len(decided),
        proved=sum(scenario.verdict is Verdict.PASSED for scenario in decided),
        counts={verdict: counts[verdict] for verdict in Verdict},
        ledger=_ledger(operations),
    )


def _ledger(operations: Iterable[Operation]) -> Ledger:
    """The operations counted."""
    counts = Counter(effect(operation) for operation in operations)
    return Ledger(
        failed=counts[Effect.FAILED],
        changed=counts[Effect.CHANGED],
        would_change=counts[Effect.WOULD_CHANGE],
        unchanged=counts[Effect.UNCHANGED],
        borrowed=counts[Effect.BORROWED],
    )
