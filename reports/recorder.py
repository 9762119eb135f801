"""The recorder of a run: the `Record` that drivers write to, and the pytest plugin that gives verdicts.

`start` is called by the root conftest's `pytest_configure` in every process of a run. The process that runs
scenarios records them; the one that the user started (the same one without xdist) owns the run's folder and
writes the results.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from lab.errors import LabError
from lab.record import Finding, Operation
from lab.verdict import Verdict
from reports.allure_results import AllureSteps
from reports.clauses import Catalogue
from reports.events import (
    Event,
    Finished,
    Journal,
    Planned,
    Progressed,
    SessionChanged,
    Started,
    StepStarted,
    Waited,
)
from reports.evidence import EvidenceStore, redacted
from reports.folder import RunFolder
from reports.gherkin import planned
from reports.model import ScenarioResult, SessionFacts
from reports.publisher import PROPERTY, Publisher
from reports.signals import treat_sigterm_as_sigint
from reports.verdicts import Contacts, Outcome, judge, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from lab.record import Wait
    from lab.secret import Redactor

PLUGIN: Final = "run-recorder"
_WIDER_THAN_A_SCENARIO: Final = frozenset({"class", "module", "package", "session"})


def start(
    config: pytest.Config, *, runs: Path, redactor: Redactor, lab: dict[str, Any], profile: dict[str, Any]
) -> RunRecorder:
    """Begin a run: make its folder below `runs`, and register what records and reports it.

    Call it from the root conftest's `pytest_configure`: allure-pytest reads its folder in one of its own,
    which pytest calls later (plugins configure in the reverse order of their loading). `lab` and `profile`
    are shown in the results as they are, but for their secrets.
    """
    treat_sigterm_as_sigint(config)
    worker_input = getattr(config, "workerinput", None)
    if worker_input is None:
        folder = RunFolder.create(runs)
        publisher = Publisher(
            config, folder, redactor, lab=redacted(lab, redactor), profile=redacted(profile, redactor)
        )
        config.pluginmanager.register(publisher, "run-publisher")
        recorder = RunRecorder(folder, redactor, publisher.run.apply)
    else:
        folder = RunFolder.of_worker(worker_input)
        journal = Journal(folder.journal(worker_input["workerid"]))
        config.add_cleanup(journal.close)
        recorder = RunRecorder(folder, redactor, journal, process=worker_input["workerid"])
    config.option.allure_report_dir = str(folder.allure)
    # What a test prints is evidence of the recorder's, redacted; allure-pytest would attach it as it is.
    config.option.attach_capture = False
    config.pluginmanager.register(recorder, PLUGIN)
    AllureSteps.register(config, recorder)
    return recorder


class RunRecorder:
    """Records the scenarios that this process runs. Implements `lab.record.Record`."""

    def __init__(
        self, folder: RunFolder, redactor: Redactor, tell: Callable[[Event], None], *, process: str = "main"
    ) -> None:
        self.folder = folder
        self.redactor = redactor
        self.current: ScenarioResult | None = None
        self.step: int | None = None
        self._tell = tell
        self._process = process
        self._evidence = EvidenceStore(folder.path, redactor)
        self._catalogue = Catalogue()
        self._contacts = Contacts()
        self._session = SessionFacts()
        self._session_fixtures = 0
        self._by_item: dict[str, ScenarioResult] = {}
        self._began = 0.0
        self._step_began = 0.0
        self._attach: Callable[[str, str, bytes], None] = lambda _name, _media_type, _data: None

    # What drivers tell (lab.record.Record).

    def evidence(self, name: str, body: str | bytes | dict[str, Any] | list[Any]) -> None:
        """Keep evidence with the current step, or with the session outside of scenarios."""
        facts = self._facts()
        where = facts.id if isinstance(facts, ScenarioResult) else f"session {self._process}"
        entry, data = self._evidence.keep(where, len(facts.evidence) + 1, name, body)
        if isinstance(facts, ScenarioResult):
            entry.step = self.step
        facts.evidence.append(entry)
        self._attach(entry.name, entry.media_type, data)

    def operation(self, operation: Operation) -> None:
        """Enter an operation in the ledger of the scenario, or of the session outside of scenarios."""
        self._facts().operations.append(Operation(**redacted(vars(operation), self.redactor)))

    def finding(self, finding: Finding) -> None:
        """Keep a finding with the scenario or the session; the same one only once."""
        clean = Finding(**redacted(vars(finding), self.redactor))
        facts = self._facts()
        if clean not in facts.findings:
            facts.findings.append(clean)

    def waiting(self, wait: Wait) -> None:
        """Show that a wait goes on."""
        self._tell(
            Waited(
                scenario=self.current.id if self.current else None,
                what=self.redactor(wait.what),
                elapsed=wait.elapsed,
                remaining=wait.remaining,
                last_seen=self.redactor(wait.last_seen),
            )
        )

    def version(self, component: str, version: str) -> None:
        """Name the version of something that was tested; always a fact of the whole run."""
        self._session.versions[self.redactor(component)] = self.redactor(version)

    def reached(self, service: str) -> None:
        """Note that a service of the lab (host, cluster, kbs, database) answered: now it can be lost."""
        self._contacts.reached(service)

    def attach_by(self, attach: Callable[[str, str, bytes], None]) -> None:
        """Hand each piece of evidence (name, media type, data) to `attach` too."""
        self._attach = attach

    def _facts(self) -> ScenarioResult | SessionFacts:
        """Where facts go at this moment."""
        return self._session if self.current is None or self._session_fixtures else self.current

    # What pytest tells.

    @pytest.hookimpl
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Plan the selected scenarios, so that those which never run are known too."""
        taken: dict[str, int] = {}
        for item in session.items:
            scenario = planned(item)
            if scenario is None:
                continue
            scenario.clauses = self._catalogue.sort(scenario.clauses)
            taken[scenario.id] = taken.get(scenario.id, 0) + 1
            if taken[scenario.id] > 1:
                scenario.id += f"-{taken[scenario.id]}"
            self._by_item[item.nodeid] = scenario
        self._tell(Planned(scenarios=list(self._by_item.values())))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Record one scenario from before its fixtures to after their clean-up."""
        scenario = self._by_item.get(item.nodeid)
        if scenario is None:
            return (yield)
        self._begin(scenario)
        try:
            result = yield
        except BaseException as error:
            # Ctrl-C and pytest.exit end the session; its clean-up still runs, and belongs to this scenario.
            reason = f"{one_line(error)} {scenario.moment(self.step)}"
            self._settle(Outcome(Verdict.BROKEN, self.redactor(reason)))
            raise
        self._end()
        return result

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Give the verdict of a phase. `trylast` makes this the innermost wrapper: others see the result."""
        report = yield
        scenario = self.current
        if scenario is None or item.nodeid not in self._by_item:
            return report
        report.user_properties.append((PROPERTY, scenario.id))
        if call.excinfo is None:
            if report.when == "call":
                self._settle(Outcome(Verdict.PASSED))
            return report
        error = call.excinfo.value
        outcome = judge(error, self._contacts)
        if report.when == "teardown":
            self._clean_up_failed(call.excinfo, item.config.rootpath)
            return report
        self._settle(
            Outcome(outcome.verdict, self.redactor(outcome.reason), outcome.owner),
            detail=self.redactor(_detail(call.excinfo, item.config.rootpath)),
        )
        if outcome.verdict in (Verdict.NOT_PROVEN, Verdict.NOT_APPLICABLE):
            path, line, _ = report.location
            report.outcome = "skipped"
            report.longrepr = (path, (line or 0) + 1, f"Skipped: {self.redactor(outcome.reason)}")
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, object, object]:
        """Take what a fixture for many scenarios does as the session's, whichever asked for it first."""
        wide = fixturedef.scope in _WIDER_THAN_A_SCENARIO
        self._session_fixtures += wide
        try:
            return (yield)
        finally:
            self._session_fixtures -= wide

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self) -> Generator[None, object, object]:
        """After all clean-up: tell what is left of the session, and of a scenario that was interrupted."""
        try:
            return (yield)
        finally:
            if self.current:
                self._tell(Progressed(scenario=self.current))
            self._tell(SessionChanged(process=self._process, facts=self._session))

    # What pytest-bdd tells.

    @pytest.hookimpl
    def pytest_bdd_before_step(self, scenario: Any, step: Any) -> None:
        """Open a step."""
        if self.current is None:
            return
        # Rendered steps are objects of this run of the scenario: a repeated phrase is not the same step.
        self.step = next(index for index, own in enumerate(scenario.steps) if own is step)
        self._step_began = time.monotonic()
        self._tell(StepStarted(scenario=self.current.id, step=self.step))

    @pytest.hookimpl
    def pytest_bdd_after_step(self) -> None:
        """Close a step that passed."""
        self._close_step(Verdict.PASSED)

    @pytest.hookimpl
    def pytest_bdd_step_func_lookup_error(self, scenario: Any, step: Any) -> None:
        """Mark a step that has no definition: it is the scenario's current one, though it never began."""
        if self.current is not None:
            self.step = next(index for index, own in enumerate(scenario.steps) if own is step)
            self._step_began = time.monotonic()

    def _close_step(self, verdict: Verdict) -> None:
        """Give the current step its verdict; evidence after it belongs to the scenario as a whole."""
        if self.current is None or self.step is None:
            return
        step = self.current.steps[self.step]
        step.verdict = verdict
        step.seconds = round(time.monotonic() - self._step_began, 3)
        self.step = None
        self._tell(Progressed(scenario=self.current))

    # A scenario's life.

    def _begin(self, scenario: ScenarioResult) -> None:
        scenario.started = datetime.now(UTC)
        self.current = scenario
        self.step = None
        self._began = time.monotonic()
        self._tell(Started(scenario=scenario.id))

    def _settle(self, outcome: Outcome, *, detail: str = "") -> None:
        """Give the scenario its verdict and, where a step was under way, that step too."""
        if self.current is None:
            return
        self._close_step(outcome.verdict)
        self.current.verdict = outcome.verdict
        self.current.reason = outcome.reason
        self.current.owner = outcome.owner
        self.current.detail = detail
        self.current.seconds = round(time.monotonic() - self._began, 3)

    def _clean_up_failed(self, info: pytest.ExceptionInfo[BaseException], root: Path) -> None:
        """A failed clean-up makes a scenario *broken*, but never hides that the product failed."""
        scenario = self.current
        if scenario is None:
            return
        scenario.cleanup = self.redactor(one_line(info.value))
        if scenario.verdict not in (Verdict.FAILED, Verdict.BROKEN):
            scenario.verdict = Verdict.BROKEN
            scenario.reason = f"clean-up: {scenario.cleanup}"
            scenario.owner = None
            scenario.detail = self.redactor(_detail(info, root))

    def _end(self) -> None:
        """Close the scenario, with its clean-up."""
        scenario = self.current
        if scenario is None:
            return
        scenario.seconds = round(time.monotonic() - self._began, 3)
        self.current = None
        self._tell(Finished(scenario=scenario))
        self._tell(SessionChanged(process=self._process, facts=self._session))


def _detail(info: pytest.ExceptionInfo[BaseException], root: Path) -> str:
    """More than the reason's one line, where there is more to know.

    A `LabError` is clear by its contract, and an assertion's text is pytest's. Anything else is a bug of the
    suite, and shows its traceback as far as it is the suite's own code (below `root`).
    """
    error = info.value
    if isinstance(error, (LabError, AssertionError, pytest.fail.Exception, pytest.skip.Exception)):
        text = str(error).strip()
        return text if text != one_line(error) else ""
    own = info.traceback.filter(lambda entry: Path(entry.path).is_relative_to(root))
    return str(info.getrepr(style="short", tbfilter=lambda _info: own or info.traceback))
