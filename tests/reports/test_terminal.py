"""What the terminal shows of a run's events."""

from __future__ import annotations

import io
import os
import pty
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from lab.verdict import Verdict
from reports.clauses import Catalogue
from reports.events import Finished, Planned, Started, StepStarted, Waited
from reports.model import ScenarioResult, StepResult
from reports.run import Run
from reports.terminal import Display, is_live
from reports.words import duration

if TYPE_CHECKING:
    from tests.reports.small_suite import Suite


def _scenario() -> ScenarioResult:
    step = StepResult(keyword="When", text="the pod starts", line=3)
    return ScenarioResult(id="f::s", name="s", feature="f", file="f.feature", line=2, steps=[step])


def _waited(elapsed: float, remaining: float) -> Waited:
    return Waited(
        scenario="f::s", what="the pod", elapsed=elapsed, remaining=remaining, last_seen="Pending: no [node]"
    )


def test_a_log_hears_of_a_wait_from_time_to_time() -> None:
    stream = io.StringIO()
    run = Run("r", lab={}, profile={}, catalogue=Catalogue())
    run.listen(Display(run, stream, live=False))
    run.apply(Planned(scenarios=[_scenario()]))
    run.apply(Started(scenario="f::s"))
    run.apply(StepStarted(scenario="f::s", step=0))
    for elapsed in range(0, 70, 2):
        run.apply(_waited(elapsed, 100 - elapsed))
    done = _scenario().model_copy(
        update={"verdict": Verdict.FAILED, "reason": "it [never] ran", "seconds": 70}
    )
    run.apply(Finished(scenario=done))
    assert [line.strip() for line in stream.getvalue().splitlines()] == [
        "1 scenario selected",
        "… waiting for the pod: 30 s, 1 min 10 s left, last seen: Pending: no [node]",
        "… waiting for the pod: 1 min 0 s, 40 s left, last seen: Pending: no [node]",
        "failed            70.0 s  s",
        "it [never] ran",
    ]


@pytest.mark.parametrize("columns", [40, 80])
def test_a_narrow_terminal_shows_step_wait_and_time_left(columns: int) -> None:
    run = Run("r", lab={}, profile={}, catalogue=Catalogue())
    display = Display(run, io.StringIO(), live=False)
    run.listen(display)
    scenario = _scenario()
    scenario.name = "A name that is longer than forty columns, as many of the suite's are, and than eighty"
    run.apply(Planned(scenarios=[scenario]))
    run.apply(Started(scenario="f::s"))
    run.apply(StepStarted(scenario="f::s", step=0))
    run.apply(_waited(5, 295).model_copy(update={"last_seen": "Pending\x1b[2J, still"}))
    shown = io.StringIO()
    Console(file=shown, width=columns, markup=False).print(display._now())
    lines = [line.rstrip() for line in shown.getvalue().splitlines()]
    assert max(map(len, lines)) <= columns
    assert lines[1].startswith("  A name that is longer")
    assert lines[1].endswith("…")
    assert lines[2:] == [
        "    0 s  When the pod starts",
        "    4 min 55 s left, waiting for the pod",
        "    last seen: Pending\\x1b[2J, still",
    ]


def test_many_hosts_have_a_line_each() -> None:
    run = Run("r", lab={}, profile={}, catalogue=Catalogue())
    display = Display(run, io.StringIO(), live=False)
    run.listen(display)
    for host in range(5):
        scenario = _scenario()
        scenario.id = scenario.name = f"f::s{host}"
        run.apply(Planned(scenarios=[scenario]))
        run.apply(Started(scenario=scenario.id, worker=f"gw{host}"))
        run.apply(StepStarted(scenario=scenario.id, step=0))
    shown = io.StringIO()
    Console(file=shown, width=80).print(display._now())
    lines = [line.strip() for line in shown.getvalue().splitlines()]
    assert lines[1:] == [f"gw{host}  0 s  When the pod starts  f::s{host}" for host in range(5)]


def test_a_log_says_which_worker_waits_and_is_done() -> None:
    stream = io.StringIO()
    run = Run("r", lab={}, profile={}, catalogue=Catalogue())
    run.listen(Display(run, stream, live=False))
    run.apply(Planned(scenarios=[_scenario()]))
    run.apply(Started(scenario="f::s", worker="gw1"))
    run.apply(_waited(30, 70))
    run.apply(Finished(scenario=run.scenarios["f::s"]))
    assert [line.strip() for line in stream.getvalue().splitlines()[1:]] == [
        "… gw1  waiting for the pod: 30 s, 1 min 10 s left, last seen: Pending: no [node]",
        "not proven         0.0 s  gw1  s",
    ]


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (299.9, "5 min 0 s")]
)
def test_durations(seconds: float, told: str) -> None:
    assert duration(seconds) == told


def test_only_a_person_s_terminal_is_live() -> None:
    controller, terminal = pty.openpty()
    with os.fdopen(terminal, "w") as stream:
        assert is_live(stream, {"TERM": "xterm"})
        assert not is_live(stream, {"TERM": "xterm", "CI": "true"})
        assert not is_live(stream, {"TERM": "xterm", "NO_COLOR": "1"})
        assert not is_live(stream, {"TERM": "dumb"})
    os.close(controller)
    assert not is_live(io.StringIO(), {"TERM": "xterm"})


WAITING = """
@when("it waits")
def _(record):
    record.waiting(Wait("the pod", 12.0, 288.0, "Pending"))
    # The test that reads the terminal says when it has seen enough.
    pathlib.Path("seen").touch()
    import os
    with open("enough") as pipe:
        pipe.read()
"""


def test_a_person_sees_step_and_wait_while_they_last(suite: Suite) -> None:
    suite.write(
        "Feature: f\n\n  Scenario: waits\n    Given a lab\n    When it waits\n    Then it holds\n", WAITING
    )
    enough = suite.path / "enough"
    os.mkfifo(enough)
    controller, terminal = pty.openpty()
    with suite.start(stdout=terminal) as process:
        os.close(terminal)
        shown = ""
        while not ("4 min 48 s left, waiting for the pod" in shown and "last seen: Pending" in shown):
            shown += os.read(controller, 4096).decode()
        assert "When it waits" in shown
        assert "0 of 1 scenario" in shown
        enough.write_text("")
        try:
            while part := os.read(controller, 4096):
                shown += part.decode()
        except OSError:  # how Linux says that nobody holds the other end any more
            pass
    os.close(controller)
    assert process.returncode == 0
    assert "1 of 1 scenario proved." in shown
