"""Runs that end early, and runs of several processes."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from lab.verdict import Verdict
from tests.reports.small_suite import allure
from tests.reports.visible import visible

if TYPE_CHECKING:
    from tests.reports.small_suite import Left, Suite

LONG = """\
Feature: Long

  Scenario: before
    Given a lab

  @W-1.2
  Scenario: waits
    Given a lab
    When it waits for long
    Then it holds

  @W-1.3
  Scenario: never runs
    Given a lab
"""
LONG_STEPS = """
import threading

@pytest.fixture
def lent(record):
    yield
    record.operation(operation("give back", kind="borrowed"))
    record.evidence("given back", "row 10")

@when("it waits for long")
def _(lent, record):
    pathlib.Path("waiting").touch()
    threading.Event().wait(50)

@when("pytest is left")
def _():
    pytest.exit("no disk left")
"""


def _interrupted(suite: Suite, number: signal.Signals, *, workers: bool = False) -> Left:
    """A run that gets a signal while its second scenario waits; with its workers, as a terminal sends it."""
    suite.write(LONG, LONG_STEPS)
    with suite.start(*(["-n", "1"] if workers else [])) as process:
        deadline = time.monotonic() + 30
        while not (suite.path / "waiting").exists():
            assert time.monotonic() < deadline, "the scenario never began to wait"
            assert process.poll() is None, process.stdout.read() if process.stdout else ""
            time.sleep(0.05)
        if workers:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        output, _ = process.communicate(timeout=40)
    return suite.left(process.returncode, output)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_cleans_up_and_tells(suite: Suite, number: signal.Signals) -> None:
    left = _interrupted(suite, number)
    assert list(left.verdicts().values()) == [Verdict.PASSED, Verdict.BROKEN, Verdict.NOT_PROVEN]
    waits = left.scenario("waits")
    assert waits.reason == "interrupted during: When it waits for long"
    assert [step.verdict for step in waits.steps] == [Verdict.PASSED, Verdict.BROKEN, None]
    # The clean-up ran, and what it did is in the results.
    assert [operation.name for operation in waits.operations] == ["give back"]
    assert [entry.name for entry in waits.evidence] == ["given back"]
    assert left.scenario("never runs").reason == "never ran: the run was interrupted"
    assert left.results.run.interrupted
    assert left.exit_code == 2
    assert {name: entry["status"] for name, entry in allure(left).items()} == {
        "before": "passed",
        "waits": "broken",
        "never runs": "skipped",
    }
    assert len(left.junit().findall(".//testcase")) == 3


def test_an_interrupted_run_of_workers_tells(suite: Suite) -> None:
    left = _interrupted(suite, signal.SIGINT, workers=True)
    assert list(left.verdicts().values()) == [Verdict.PASSED, Verdict.BROKEN, Verdict.NOT_PROVEN]
    assert left.scenario("waits").reason.startswith("interrupted during: When it waits for long")
    assert left.exit_code == 2
    assert len(allure(left)) == 3


def test_pytest_exit_is_a_problem_of_the_run(suite: Suite) -> None:
    suite.write(LONG.replace("it waits for long", "pytest is left"), LONG_STEPS)
    left = suite.run()
    assert list(left.verdicts().values()) == [Verdict.PASSED, Verdict.BROKEN, Verdict.NOT_PROVEN]
    assert "no disk left" in left.scenario("waits").reason
    assert left.exit_code != 0


def test_the_first_failure_may_stop_the_run(suite: Suite) -> None:
    suite.write(
        "Feature: f\n\n  Scenario: a\n    Then it does not hold\n\n  Scenario: b\n    Then it holds\n"
    )
    left = suite.run("-x")
    assert list(left.verdicts().values()) == [Verdict.FAILED, Verdict.NOT_PROVEN]
    assert left.scenario("b").reason == "never ran: the run stopped before it"


def test_a_mistake_in_an_argument_is_told_and_leaves_no_run(suite: Suite) -> None:
    suite.write("Feature: f\n\n  Scenario: a\n    Then it holds\n")
    with suite.start("-k", "a and (") as process:
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 4
    assert "Wrong expression passed to '-k': a and (" in output
    assert "never ran" not in output
    assert list((suite.path / "reports" / "runs").iterdir()) == []
    assert not (suite.path / "reports" / "latest").exists()


WORKERS = """\
Feature: Workers

  @P-1.1
  Scenario: one
    Given a lab
    Then it holds

  Scenario: two
    Given a lab
    Then it does not hold

  Scenario: three
    Given a lab
    When the registry is down

  Scenario: four
    Given the session
    Then it holds
"""
WORKERS_STEPS = """
@when("the registry is down")
def _():
    raise NotProven("the registry does not answer", owner="C-3.2")

@pytest.fixture(scope="session")
def whole(record):
    record.version("kubernetes", "v1.24.0")
    record.operation(operation("label the node"))

@given("the session")
def _(whole, record):
    record.on_host("sev-1")
    record.waiting(Wait("the pod", 31.0, 20.0, "Pending"))

@given("the worker dies")
def _():
    import os, signal
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_workers_leave_what_one_process_leaves(suite: Suite) -> None:
    suite.write(WORKERS, WORKERS_STEPS)
    parallel = suite.run("-n", "2")
    single = suite.run()
    for left in (parallel, single):
        assert list(left.verdicts().values()) == [
            Verdict.PASSED,
            Verdict.FAILED,
            Verdict.NOT_PROVEN,
            Verdict.PASSED,
        ]
        assert left.exit_code == 1
        assert left.results.versions["kubernetes"] == "v1.24.0"
        assert left.results.answer.ledger.changed == 1
        assert len(allure(left)) == 4
    histories = [sorted(entry["historyId"] for entry in allure(left).values()) for left in (parallel, single)]
    assert histories[0] == histories[1]
    for left in (parallel, single):
        assert left.scenario("one").evidence[0].step == 1
        assert "waiting for the pod: 31 s, 20 s left, last seen: Pending" in left.output
        assert [path.name for path in left.folder.iterdir() if path.name.startswith(".")] == []
    assert (single.scenario("one").host, single.scenario("one").worker) == (None, None)
    assert single.scenario("four").worker is None
    four = parallel.scenario("four")
    assert four.host == "sev-1"
    assert four.worker in ("gw0", "gw1")
    properties = parallel.junit().findall(".//testcase[@name='four']/properties/property")
    assert {"host": "sev-1", "worker": four.worker}.items() <= {
        each.get("name", ""): each.get("value") for each in properties
    }.items()
    labels = [(label["name"], label["value"]) for label in allure(parallel)["four"]["labels"]]
    assert [each for each in labels if each[0] in ("host", "thread")] == [
        ("host", "sev-1"),
        ("thread", four.worker),
    ]
    assert f"{four.worker}  four" in parallel.output
    assert [scenario.id for scenario in parallel.results.scenarios] == [
        scenario.id for scenario in single.results.scenarios
    ]


def test_a_worker_that_dies_breaks_its_scenario(suite: Suite) -> None:
    suite.write(
        "Feature: f\n\n  Scenario: dies\n    Given a lab\n    And the worker dies\n\n"
        "  Scenario: lives\n    Given a lab\n",
        WORKERS_STEPS,
    )
    left = suite.run("-n", "1", "--max-worker-restart", "0")
    assert left.scenario("dies").verdict is Verdict.BROKEN
    assert left.scenario("dies").worker == "gw0"
    assert left.scenario("dies").reason == "the process that ran it died during: And the worker dies"
    assert left.scenario("lives").verdict is Verdict.NOT_PROVEN
    assert left.exit_code != 0


def test_a_run_on_a_lab_that_is_broken_on_purpose_says_so_and_is_no_success(suite: Suite) -> None:
    suite.write(
        "Feature: f\n\n  @W-1.2\n  Scenario: one\n    Given a lab\n", 'LAB["fault"] = "no-key: no key"\n'
    )
    left = suite.run()
    assert left.verdicts() == {"one": Verdict.PASSED}
    assert left.exit_code == 1
    assert left.results.run.faults == ["no-key: no key"]
    assert "The lab is broken on purpose: no-key: no key" in left.output
    assert "1 of 1 scenario proved. The lab was broken on purpose, so this certifies" in left.output
    assert "no-key: no key. This run certifies nothing." in visible(left.texts()["index.html"])
