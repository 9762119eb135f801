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

from lab.errors import LabError, Unreachable
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
)
from reports.evidence import redacted
from reports.facts import FactRecorder
from reports.folder import MAIN, RunFolder
from reports.gherkin import planned
from reports.publisher import PROPERTY, Publisher
from reports.signals import treat_sigterm_as_sigint
from reports.transcript import TranscriptFile
from reports.triage import Rules, diagnose, hear
from reports.verdicts import UNPROVED, Outcome, judge, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from lab.secret import Redactor
    from reports.model import ScenarioResult, Triage

PLUGIN: Final = "run-recorder"
_WIDER_THAN_A_SCENARIO: Final = frozenset({"class", "module", "package", "session"})


def start(
    config: pytest.Config,
    *,
    runs: Path,
    redactor: Redactor,
    lab: dict[str, Any],
    profile: dict[str, Any],
    transcript: bool = False,
) -> RunRecorder:
    """Begin a run: make its folder below `runs`, and register what records and reports it.

    Call it from the root conftest's `pytest_configure`: allure-pytest reads its folder in one of its own,
    which pytest calls later (plugins configure in the reverse order of their loading). `lab` and `profile`
    are shown in the results as they are, but for their secrets. With `transcript` every exchange with the lab
    is written down too (docs/transcripts.md).
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
    if transcript:
        recorder.transcript = TranscriptFile(
            folder.transcript(recorder.process), redactor, run=folder.id, lab=lab, profile=profile
        )
    config.option.allure_report_dir = str(folder.allure)
    # What a scenario prints becomes evidence, redacted; allure-pytest would attach it as it is.
    config.option.attach_capture = False
    config.pluginmanager.register(recorder, PLUGIN)
    AllureSteps.register(config, recorder)
    return recorder


class RunRecorder(FactRecorder):
    """Records the scenarios that this process runs: their steps, and the verdicts of their phases."""

    def __init__(
        self, folder: RunFolder, redactor: Redactor, tell: Callable[[Event], None], *, process: str = MAIN
    ) -> None:
        super().__init__(folder, redactor, tell, process=process)
        self._catalogue = Catalogue()
        self._by_item: dict[str, ScenarioResult] = {}
        self._began = 0.0
        self._step_began = 0.0

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
        self.tell(Planned(scenarios=list(self._by_item.values())))

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
            self._settle(Outcome(Verdict.BROKEN, self.redactor(reason)), kind=type(error).__name__)
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
        if report.when == "setup":
            # A plugin that tries again does so inside of one protocol.
            scenario.attempts += 1
        if report.when == "teardown":
            for title, text in report.sections:
                self.evidence(title, text)
        if call.excinfo is None:
            if report.when == "call":
                self._settle(Outcome(Verdict.PASSED))
            return report
        error = call.excinfo.value
        outcome = judge(error, self.contacts)
        if report.when == "teardown":
            self._clean_up_failed(call.excinfo, outcome.verdict, item.config.rootpath)
            return report
        self._settle(
            Outcome(outcome.verdict, self.redactor(outcome.reason), outcome.owner),
            detail=self.redactor(_detail(call.excinfo, item.config.rootpath)),
            kind=type(error).__name__,
        )
        if outcome.verdict in (Verdict.NOT_PROVEN, Verdict.NOT_APPLICABLE):
            path, line, _ = report.location
            report.outcome = "skipped"
            report.longrepr = (path, (line or 0) + 1, f"Skipped: {self.redactor(outcome.reason)}")
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, object, object]:
        """Take what a fixture for many scenarios does as the session's, whichever comes first or last."""
        if fixturedef.scope not in _WIDER_THAN_A_SCENARIO:
            return (yield)
        # Finalizers run in reverse: the fixture's own clean-up comes between these two.
        fixturedef.addfinalizer(self._leave_session)
        self._enter_session()
        try:
            return (yield)
        finally:
            self._leave_session()
            fixturedef.addfinalizer(self._enter_session)

    def _enter_session(self) -> None:
        self.for_session += 1

    def _leave_session(self) -> None:
        self.for_session -= 1

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self) -> Generator[None, object, object]:
        """After all clean-up: tell what is left of the session, and of a scenario that was interrupted."""
        try:
            return (yield)
        finally:
            if self.current:
                self.tell(Progressed(scenario=self.current))
            self.tell(SessionChanged(process=self.process, facts=self.session))
            if self.transcript:
                self.transcript.close()

    # What pytest-bdd tells.

    @pytest.hookimpl
    def pytest_bdd_before_step(self, scenario: Any, step: Any) -> None:
        """Open a step."""
        if self.current is None:
            return
        # Rendered steps are objects of this run of the scenario: a repeated phrase is not the same step.
        self.step = next(index for index, own in enumerate(scenario.steps) if own is step)
        self._step_began = time.monotonic()
        self.tell(StepStarted(scenario=self.current.id, step=self.step))

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
        self.tell(Progressed(scenario=self.current))

    # A scenario's life.

    def _begin(self, scenario: ScenarioResult) -> None:
        scenario.started = datetime.now(UTC)
        scenario.worker = None if self.process == MAIN else self.process
        self.current = scenario
        self.step = None
        self._began = time.monotonic()
        self.tell(Started(scenario=scenario.id, worker=scenario.worker))

    def _settle(self, outcome: Outcome, *, detail: str = "", kind: str = "") -> None:
        """Give the scenario its verdict and, where a step was under way, that step too.

        `kind` is that of the error that ended it.
        """
        if self.current is None:
            return
        step = self.step
        self._close_step(outcome.verdict)
        self.current.verdict = outcome.verdict
        self.current.reason = outcome.reason
        self.current.owner = outcome.owner
        self.current.detail = detail
        if self.current.advisory and outcome.verdict is Verdict.FAILED:
            self.current.findings += self._catalogue.findings(self.current)
        self.current.triage = self._triage(kind, step)
        self.current.seconds = round(time.monotonic() - self._began, 3)

    def _triage(self, kind: str, step: int | None) -> Triage | None:
        """What the scenario's cause is, by what was said in the step that ended it."""
        scenario = self.current
        if scenario is None or scenario.is_finding or scenario.verdict not in UNPROVED:
            return None
        text = f"{scenario.reason}\n{scenario.detail}"
        told = hear(kind, text, scenario.evidence, self.folder.path, step)
        return diagnose(told, Rules.read(), clauses=scenario.clauses, owner=scenario.owner)

    def _clean_up_failed(
        self, info: pytest.ExceptionInfo[BaseException], verdict: Verdict, root: Path
    ) -> None:
        """A failed clean-up makes a scenario *broken*, but never hides that the product failed.

        What was lost before the scenario began explains both that it is not proven and that nothing can be
        given back: one loss is one cause.
        """
        scenario = self.current
        if scenario is None:
            return
        scenario.cleanup = self.redactor(one_line(info.value))
        lost_before = isinstance(info.value, Unreachable) and verdict is Verdict.NOT_PROVEN
        if lost_before and scenario.verdict is Verdict.NOT_PROVEN:
            return
        if scenario.verdict not in (Verdict.FAILED, Verdict.BROKEN):
            scenario.verdict = Verdict.BROKEN
            scenario.reason = f"clean-up: {scenario.cleanup}"
            scenario.owner = None
            scenario.detail = self.redactor(_detail(info, root))
            scenario.triage = self._triage(type(info.value).__name__, None)

    def _end(self) -> None:
        """Close the scenario, with its clean-up."""
        scenario = self.current
        if scenario is None:
            return
        scenario.seconds = round(time.monotonic() - self._began, 3)
        self.current = None
        self.tell(Finished(scenario=scenario))
        self.tell(SessionChanged(process=self.process, facts=self.session))


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
