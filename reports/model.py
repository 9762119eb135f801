"""The model of `results.json`. Its fields are documented for readers in docs/results.md.

`reports/results.schema.json` is generated from here; a test holds the two together. Every text in a model
has been through the run's `Redactor`. Times are UTC, durations are seconds.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from lab.record import Finding, Operation, PlatformIdentity
from lab.verdict import Verdict
from reports.pedigree import Standing

# Counts what the schema gained: who knows a number reads all up to it. 1: a scenario's host and worker.
MINOR: Final = 1


class Model(BaseModel):
    """A part of the results: closed to fields that nobody documented."""

    model_config = ConfigDict(extra="forbid", json_schema_serialization_defaults_required=True)


class Evidence(Model):
    """One piece of evidence: a file of the run, and the step it was found in (None: outside of any).

    `fact` is the kind of what it holds where programs read it again (reports/recomputed/); None: for people.
    """

    name: str
    file: str
    media_type: str
    size: int
    step: int | None = None
    fact: str | None = None


Layer = Literal["host", "cluster", "operator", "KBS", "database", "guest", "image", "suite"]


class Said(Model):
    """Words of one source, and the file of the run that has them (None: the error is the source)."""

    source: str
    file: str | None
    words: str


class Triage(Model):
    """Why a scenario is not proved: in which `layer` (None: unknown), by which rule of docs/triage.toml.

    `cause` is one line, `evidence` the words that say so, `next` what a person would look at.
    """

    layer: Layer | None
    rule: str
    cause: str
    evidence: list[Said]
    next: str


class StepResult(Model):
    """A Gherkin step. `verdict` is None where the scenario ended before it."""

    keyword: str
    text: str
    line: int
    verdict: Verdict | None = None
    seconds: float = 0.0


class ScenarioResult(Model):
    """A scenario and what its run said.

    `reason` is one line, `detail` more of it (an assertion's whole text, a traceback of a bug). `owner` is
    the clause that owns the cause of a *not proven*. `triage` says more of the cause where a scenario is not
    proved and is no finding. `cleanup` is what went wrong after the scenario. It ran `attempts` times, on
    `host` (as the machine names itself; None: it did not answer), in xdist's `worker` (None: without xdist).
    """

    id: str
    name: str
    feature: str
    file: str
    line: int
    description: str = ""
    tags: list[str] = []
    clauses: list[str] = []
    verdict: Verdict = Verdict.NOT_PROVEN
    reason: str = ""
    owner: str | None = None
    triage: Triage | None = None
    detail: str = ""
    cleanup: str = ""
    started: datetime | None = None
    seconds: float = 0.0
    attempts: int = 0
    host: str | None = None
    worker: str | None = None
    steps: list[StepResult] = []
    operations: list[Operation] = []
    findings: list[Finding] = []
    evidence: list[Evidence] = []

    @property
    def advisory(self) -> bool:
        """Whether it proves advisory clauses only, and so decides nothing."""
        return bool(self.clauses) and all(clause.startswith("X-") for clause in self.clauses)

    @property
    def decides(self) -> bool:
        """Whether the run's answer rests on it."""
        return not self.advisory and self.verdict is not Verdict.NOT_APPLICABLE

    @property
    def is_finding(self) -> bool:
        """Whether its failure is told as a finding, and stops nothing."""
        return self.advisory and self.verdict is Verdict.FAILED

    def moment(self, step: int | None) -> str:
        """Where the scenario is while `step` runs, in words that follow "interrupted"."""
        if step is None:
            return "outside of its steps"
        return f"during: {self.steps[step].keyword} {self.steps[step].text}"


class SessionFacts(Model):
    """What was done and found outside of any scenario, by one process of the run."""

    versions: dict[str, str] = {}
    platforms: list[PlatformIdentity] = []
    operations: list[Operation] = []
    findings: list[Finding] = []
    evidence: list[Evidence] = []


class PublishedGuide(Model):
    """The guide that the clauses are read from, as it is published."""

    title: str
    url: str


class RestsOn(Model):
    """A fact of docs/facts.toml that a clause's verdict rests on, and how well it is known."""

    id: str
    what: str
    standing: Standing


class ClauseResult(Model):
    """A clause of the guide. `verdict` is None where no selected scenario names it.

    `links` are the URLs of its sections; `reason` says why it is not proved; `evidence` are files of the run.
    `facts` are what the suite expects of it rests on.
    """

    id: str
    outcome: str
    section: str
    links: list[str]
    kind: str
    advisory: bool
    verdict: Verdict | None
    reason: str
    scenarios: list[str]
    evidence: list[str]
    facts: list[RestsOn] = []


class Cause(Model):
    """One reason, and every scenario that it stopped; `triage` is that of the first of them."""

    verdict: Verdict
    reason: str
    owner: str | None
    triage: Triage | None = None
    scenarios: list[str]


class Erratum(Model):
    """A mistake of the guide, the clauses that it touches, and what the suite does instead."""

    clauses: list[str]
    section: str
    links: list[str]
    guide: str
    suite: str


class Ledger(Model):
    """The operations counted. `changed` is what convergence changed to last; borrowed state is given back."""

    failed: int
    changed: int
    would_change: int
    unchanged: int
    borrowed: int


class Answer(Model):
    """The run in one glance: of `selected` scenarios `decided` decide, and `proved` of those passed.

    Advisory scenarios and those that are not applicable do not decide.
    """

    all_proved: bool
    selected: int
    decided: int
    proved: int
    counts: dict[Verdict, int]
    ledger: Ledger


class RunFacts(Model):
    """When and how the run went.

    `problems` are what stopped or disturbed it, one line each; `faults` what was broken on purpose.
    """

    id: str
    started: datetime
    finished: datetime
    seconds: float
    interrupted: bool
    exit_code: int
    arguments: list[str]
    problems: list[str]
    faults: list[str] = []


class SuiteFacts(Model):
    """The suite that ran: its git commit, None where it is no checkout, and whether its files differ from it.

    `packages` are the versions of the Python packages that it names.
    """

    commit: str | None = None
    dirty: bool | None = None
    python: str = ""
    packages: dict[str, str] = {}


class BrokenRule(Model):
    """A rule of docs/certification.toml that the run breaks, and by what, one line each."""

    rule: str
    title: str
    found: list[str]


class Certification(Model):
    """Whether the run may become a certificate: `broken` is empty where it may. `mandatory` are clauses."""

    certifiable: bool = False
    mandatory: list[str] = []
    broken: list[BrokenRule] = []


class Results(Model):
    """A whole run: the root of `results.json`. A run of before `MINOR` was counted is of 0."""

    schema_version: Literal[1] = 1
    schema_minor: int = Field(default=0, ge=0)
    run: RunFacts
    answer: Answer
    certification: Certification = Certification()
    suite: SuiteFacts = SuiteFacts()
    lab: dict[str, Any]
    profile: dict[str, Any]
    versions: dict[str, str]
    session: SessionFacts
    scenarios: list[ScenarioResult]
    causes: list[Cause]
    findings: list[Finding] = []
    guide: PublishedGuide
    clauses: list[ClauseResult]
    errata: list[Erratum]
