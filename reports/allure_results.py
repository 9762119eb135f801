"""Allure: steps, evidence and verdicts of our own over allure-pytest, which knows no Gherkin."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from typing import TYPE_CHECKING, Any, Final

import allure
import allure_commons
import pytest
from allure_commons.logger import AllureFileLogger
from allure_commons.model2 import Label, Status, StatusDetails, TestResult, TestResultContainer
from allure_commons.types import AttachmentType, LabelType

from lab.verdict import Verdict
from reports.allure_about import links, severity
from reports.evidence import JSON, TEXT
from reports.ledger import effect, told
from reports.triage import sentence

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from lab.record import Operation
    from lab.secret import Redactor
    from reports.model import ScenarioResult
    from reports.recorder import RunRecorder

STATUS: Final = {
    Verdict.PASSED: Status.PASSED,
    Verdict.FAILED: Status.FAILED,
    Verdict.BROKEN: Status.BROKEN,
    Verdict.NOT_PROVEN: Status.SKIPPED,
    Verdict.NOT_APPLICABLE: Status.SKIPPED,
}
_ATTACHMENT: Final = {TEXT: AttachmentType.TEXT, JSON: AttachmentType.JSON}


class AllureSteps:
    """Opens and closes Allure's steps, and gives each result the recorder's verdict, redacted."""

    def __init__(self, recorder: RunRecorder) -> None:
        self._recorder = recorder
        self._open: Any = None

    @classmethod
    def register(cls, config: pytest.Config, recorder: RunRecorder) -> None:
        """Register with pytest for steps, with Allure for results (whose registry outlives a session)."""
        steps = cls(recorder)
        recorder.attach_by(steps.attach, steps.enter)
        config.pluginmanager.register(steps, "allure-steps")
        allure_commons.plugin_manager.register(steps)
        config.add_cleanup(lambda: allure_commons.plugin_manager.unregister(steps))

    @pytest.hookimpl
    def pytest_bdd_before_step(self, step: Any) -> None:
        """Open a step."""
        self._open = allure.step(self._recorder.redactor(f"{step.keyword.strip()} {step.name}"))
        self._open.__enter__()

    @pytest.hookimpl
    def pytest_bdd_after_step(self) -> None:
        """Close a step that passed."""
        self._close(None)

    @pytest.hookimpl
    def pytest_bdd_step_error(self, exception: BaseException) -> None:
        """Close a step that did not."""
        self._close(exception)

    @pytest.hookimpl
    def pytest_bdd_after_scenario(self) -> None:
        """Close the step that a skip or an interruption left open: it gets neither of the two hooks above."""
        self._close(pytest.skip.Exception("the scenario ended in this step"))

    def _close(self, error: BaseException | None) -> None:
        if self._open is not None:
            step, self._open = self._open, None
            step.__exit__(type(error) if error else None, error, error.__traceback__ if error else None)

    def attach(self, name: str, media_type: str, data: bytes) -> None:
        """Attach evidence to the current step; evidence from outside of scenarios has no result to go to."""
        if self._recorder.current is not None:
            allure.attach(data, name=name, attachment_type=_ATTACHMENT.get(media_type))

    def enter(self, operation: Operation) -> None:
        """Show an entry of the ledger as a step of its own, below the step or fixture that asked for it."""
        if self._recorder.current is None:
            return
        identifier = str(uuid.uuid4())
        title = f"{effect(operation)}: {operation.name}"
        hook = allure_commons.plugin_manager.hook
        hook.start_step(uuid=identifier, title=title, params=told(operation))
        error = RuntimeError(operation.failed) if operation.failed else None
        kind = RuntimeError if error else None
        hook.stop_step(uuid=identifier, title=title, exc_type=kind, exc_val=error, exc_tb=None)

    @allure_commons.hookimpl(tryfirst=True)
    def report_result(self, result: TestResult) -> None:
        """Before a result is written: the scenario's name, place and verdict; then nothing secret in it."""
        scenario = self._recorder.current
        if scenario is not None:
            describe(result, scenario)
        _redact(result, self._recorder.redactor)

    @allure_commons.hookimpl(tryfirst=True)
    def report_container(self, container: TestResultContainer) -> None:
        """Before the fixtures of a result are written: only what tells something, and nothing secret."""
        container.befores = [each for each in container.befores if _tells(each)]
        container.afters = [each for each in container.afters if _tells(each)]
        _redact(container, self._recorder.redactor)


def complete_allure(folder: Path, scenarios: Iterable[ScenarioResult]) -> None:
    """Write the results of scenarios that allure-pytest never saw, or never saw the end of."""
    known = {json.loads(path.read_bytes()).get("fullName") for path in folder.glob("*-result.json")}
    logger: Any = AllureFileLogger(folder)  # type: ignore[no-untyped-call]
    for scenario in scenarios:
        if scenario.id not in known:
            moment = round(time.time() * 1000)
            result = TestResult(uuid=str(uuid.uuid4()), start=moment, stop=moment)
            describe(result, scenario)
            logger.report_result(result)


def describe(result: TestResult, scenario: ScenarioResult) -> None:
    """Say of `result` what the recorder knows: allure-pytest knows a test function only."""
    # A step that met a precondition's lack is no broken step, as which allure-pytest sees it. The operations
    # among them have parameters.
    gherkin = [step for step in result.steps if not step.parameters]
    for step, ours in zip(gherkin, scenario.steps, strict=False):
        step.status = STATUS[ours.verdict] if ours.verdict else Status.SKIPPED
    result.name = scenario.name
    result.fullName = scenario.id
    result.testCaseId = result.historyId = hashlib.sha256(scenario.id.encode()).hexdigest()
    told = [f"**Triage**: {sentence(scenario.triage)}"] if scenario.triage else []
    told += [f"**{each.title}**. {each.meaning} {each.remedy}".strip() for each in scenario.findings]
    result.description = "\n\n".join(filter(None, [scenario.description, *told])) or None
    result.status = STATUS[scenario.verdict]
    result.statusDetails = (
        StatusDetails(message=f"{scenario.verdict}: {scenario.reason}", trace=scenario.detail or None)
        if scenario.reason
        else None
    )
    own = {
        LabelType.SEVERITY,
        LabelType.FEATURE,
        LabelType.SUITE,
        LabelType.PARENT_SUITE,
        LabelType.SUB_SUITE,
    }
    # allure-pytest names the runner and its process; of a scenario that never met its host they say nothing.
    place = {LabelType.HOST: scenario.host, LabelType.THREAD: scenario.worker}
    labels = [label for label in result.labels if label.name not in own and not place.get(label.name)]
    labels += [Label(name, where) for name, where in place.items() if where]
    labels += [Label(LabelType.FEATURE, scenario.feature), Label(LabelType.SUITE, scenario.feature)]
    tags = {label.value for label in labels if label.name == LabelType.TAG}
    if scenario.advisory:
        labels.append(Label(LabelType.TAG, "advisory"))
    labels.append(severity(scenario))
    labels += [Label(LabelType.TAG, clause) for clause in scenario.clauses if clause not in tags]
    result.labels = labels
    result.links = links(scenario)


def _tells(fixture: Any) -> bool:
    """Whether a fixture's set-up or clean-up did more than to pass."""
    return bool(fixture.steps or fixture.attachments or fixture.status not in (None, Status.PASSED))


def _redact(node: Any, redactor: Redactor) -> None:
    """Mask secrets in every text of an Allure object, in place."""
    for name, value in vars(node).items():
        if isinstance(value, str):
            setattr(node, name, redactor(value))
        elif isinstance(value, list):
            setattr(node, name, [redactor(part) if isinstance(part, str) else part for part in value])
            for part in value:
                if hasattr(part, "__dict__"):
                    _redact(part, redactor)
        elif hasattr(value, "__dict__") and type(value).__module__ == TestResult.__module__:
            _redact(value, redactor)
