"""What the terminal shows: while a run goes on, and when it ends."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Final, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from lab.verdict import Verdict
from reports.events import Event, Finished, Planned, Started, StepStarted, Waited
from reports.pedigree import unseen_on_hardware
from reports.shown import Shown
from reports.triage import sentence
from reports.words import all_findings, answer_sentence, duration, plural

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import RenderableType

    from reports.model import Results, ScenarioResult
    from reports.run import Run

STYLE: Final = {
    Verdict.PASSED: "green",
    Verdict.FAILED: "bold red",
    Verdict.BROKEN: "bold magenta",
    Verdict.NOT_PROVEN: "yellow",
    Verdict.NOT_APPLICABLE: "dim",
}
_LABEL_WIDTH: Final = max(len(verdict) for verdict in Verdict)
# With more scenarios under way each gets one line, or a terminal of 24 lines would be too short.
_IN_FULL: Final = 3
# Without a live line, a wait is told each time that so many seconds of it have passed: enough to see in a CI
# log that the run lives.
_TELL_WAITS_EVERY: Final = 30.0


def real_stdout() -> TextIO:
    """The terminal itself, past pytest's capture of what tests print; to be called while capture is off."""
    try:
        number = os.dup(sys.stdout.fileno())
    except (OSError, ValueError):  # stdout is no file: pytest runs inside of another program
        return sys.stdout
    encoding = sys.stdout.encoding or "utf-8"
    return os.fdopen(number, "w", encoding=encoding, errors="replace", buffering=1)


def is_live(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether a line that rewrites itself is welcome on `stream`: a person's terminal, not a log."""
    quiet = environment.get("CI") or environment.get("NO_COLOR") or environment.get("TERM") == "dumb"
    return stream.isatty() and not quiet


class Display:
    """Shows a run. Told events by any thread, one at a time."""

    def __init__(self, run: Run, stream: TextIO, *, live: bool) -> None:
        self._run = run
        self._console = Console(
            file=stream, force_terminal=live, no_color=not live, highlight=False, emoji=False, markup=False
        )
        self._lock = threading.Lock()
        self._since: dict[str | None, float] = {}
        self._waits: dict[str | None, tuple[Waited, float]] = {}
        self._told: dict[str | None, float] = {}
        self._started = time.monotonic()
        self._spinner = Spinner("dots")
        self._live: Live | None = None
        if live:
            self._live = Live(
                get_renderable=self._now, console=self._console, refresh_per_second=8, transient=True,
                redirect_stdout=False, redirect_stderr=False,
            )  # fmt: skip

    def begin(self, title: str) -> None:
        """Say what begins, and show it live where that is welcome."""
        self._print(Shown(title, style="bold"))
        if self._live:
            self._live.start()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        match event:
            case Planned():
                with self._lock:
                    first = None not in self._since
                    self._since.setdefault(None, time.monotonic())
                if first:
                    self._print(Shown(plural(len(event.scenarios), "scenario") + " selected", style="dim"))
            case Started() | StepStarted():
                with self._lock:
                    self._since[event.scenario] = time.monotonic()
                    self._waits.pop(event.scenario, None)
                    self._told.pop(event.scenario, None)
            case Waited():
                self._waited(event)
            case Finished():
                with self._lock:
                    self._since.pop(event.scenario.id, None)
                    self._waits.pop(event.scenario.id, None)
                self._print(*_lines(event.scenario))

    def problem(self, text: str) -> None:
        """Show at once what disturbs the run as a whole."""
        self._print(Shown(text, style="bold red"))

    def end(self, results: Results, report: str) -> None:
        """Take the live line away and close with a verdict per scenario, the causes, and the answer."""
        if self._live:
            self._live.stop()
        self._print(Shown(), *summary(results, report))

    def _waited(self, event: Waited) -> None:
        """Remember a wait for the live line; without one, tell it from time to time."""
        with self._lock:
            self._waits[event.scenario] = (event, time.monotonic())
            due = self._told.get(event.scenario, 0.0) + _TELL_WAITS_EVERY <= event.elapsed
            if due:
                self._told[event.scenario] = event.elapsed
        if due and self._live is None:
            scenario = self._run.scenarios.get(event.scenario or "")
            whose = _worker(scenario) if scenario else ""
            self._print(Shown(f"{'':{_LABEL_WIDTH}}           … {whose}{_wait(event, 0.0)}", style="dim"))

    def _now(self) -> RenderableType:
        """The live part: a line for the run, and one for each scenario under way."""
        run = self._run
        with self._lock:
            under_way = dict(run.under_way)
            since, waits = dict(self._since), dict(self._waits)
        now = time.monotonic()
        ended, selected = len(run.ended), len(run.scenarios)
        if not selected:
            done = "collecting"
        else:
            done = f"{ended} of {plural(selected, 'scenario')}" if ended < selected else "cleaning up"
        self._spinner.update(text=Shown(f"{done}  {duration(now - self._started)}", style="dim"))
        lines: list[RenderableType] = [self._spinner]
        for identifier, step in under_way.items():
            scenario = run.scenarios[identifier]
            what = (
                f"{scenario.steps[step].keyword} {scenario.steps[step].text}"
                if step is not None
                else "set-up"
            )
            took = duration(now - since.get(identifier, now))
            wait = waits.get(identifier)
            if len(under_way) > _IN_FULL:
                # A line for each worker: what its step is, for how long, and where.
                lines.append(_line(f"  {_worker(scenario)}{took}  {what}", f"  {scenario.name}"))
                continue
            lines += [_line(f"  {_worker(scenario)}", scenario.name), _line(f"    {took}  {what}")]
            if wait:
                lines += _wait_lines(*wait, now)
        if not under_way and None in waits:
            lines += _wait_lines(*waits[None], now)
        return Group(*lines)

    def _print(self, *lines: Text) -> None:
        self._console.print(Shown("\n").join(lines), soft_wrap=True)


def summary(results: Results, report: str) -> list[Text]:
    """The end of a run: a verdict per scenario, causes and findings, the answer."""
    lines: list[Text] = []
    feature = None
    for scenario in results.scenarios:
        if scenario.feature != feature:
            feature = scenario.feature
            lines.append(Shown(feature, style="bold"))
        line = Shown("  ").append(f"{scenario.verdict:{_LABEL_WIDTH}}", style=STYLE[scenario.verdict])
        line.append(f" {scenario.seconds:7.1f} s  {scenario.name}")
        if scenario.clauses:
            line.append(f"  {' '.join(scenario.clauses)}", style="dim")
        lines.append(line)
    lines += _plan(results) + _causes(results) + _findings(results)
    lines += [Shown(f"problem: {problem}", style="bold red") for problem in results.run.problems]
    lines += [Shown(), _answer(results)]
    if unseen := unseen_on_hardware(results):
        told = "{unseen} of {judged} clauses rest on facts not yet seen on hardware (docs/facts.md)."
        lines.append(Shown(told.format(**unseen), style="dim"))
    lines.append(Shown(f"Report: {report}"))
    return lines


def _plan(results: Results) -> list[Text]:
    """What provisioning would change, in order: the mode `check` asks for nothing else."""
    operations = [*results.session.operations, *(o for s in results.scenarios for o in s.operations)]
    needed = dict.fromkeys(
        f"  {operation.name}: {operation.before}"
        for operation in operations
        if operation.changed and not operation.applied
    )
    return [Shown(), Shown("Would change, in this order", style="bold"), *map(Text, needed)] if needed else []


def _causes(results: Results) -> list[Text]:
    """Why scenarios are not proved: each cause once, with how many it stopped."""
    lines: list[Text] = []
    for cause in results.causes:
        owner = f" ({cause.owner})" if cause.owner else ""
        line = Shown("  ").append(f"{cause.verdict:{_LABEL_WIDTH}}", style=STYLE[cause.verdict])
        line.append(f" {plural(len(cause.scenarios), 'scenario')}: {cause.reason}{owner}")
        lines.append(line)
        if cause.triage:
            lines.append(Shown(f"    {sentence(cause.triage)}", style="cyan"))
    return [Shown(), Shown("Causes", style="bold"), *lines] if lines else []


def _findings(results: Results) -> list[Text]:
    """What decides nothing and must be known: each finding once, with what was seen, and what to do."""
    titles: dict[str, list[Text]] = {}
    for finding in all_findings(results):
        title = f"{finding.title} ({finding.clause})" if finding.clause else finding.title
        told = {"Seen": finding.detail, "Means": finding.meaning, "Do": finding.remedy}
        lines: list[Text] = [Shown(f"    {word}: {text}", style="dim") for word, text in told.items() if text]
        titles.setdefault(title, [Shown(f"  {title}"), *lines])
    found = [line for told in titles.values() for line in told]
    return [Shown(), Shown("Findings: they decide nothing", style="bold"), *found] if found else []


def _answer(results: Results) -> Text:
    """The last word: how much is proved, and how much was changed to get there."""
    answer, ledger = results.answer, results.answer.ledger
    line = Shown(
        answer_sentence(results), style=STYLE[Verdict.PASSED if answer.all_proved else Verdict.FAILED]
    )
    line.stylize("bold")
    changes = f"{ledger.changed} changed"
    if ledger.would_change:
        changes += f", {ledger.would_change} would change"
    return line.append(f"  {changes}.  {duration(results.run.seconds)}", style="not bold default")


def _lines(scenario: ScenarioResult) -> list[Text]:
    """A finished scenario: one line, and its reason below where it has one."""
    line = Shown(f"{scenario.verdict:{_LABEL_WIDTH}}", style=STYLE[scenario.verdict])
    told = f" {scenario.seconds:7.1f} s  {_worker(scenario)}{scenario.name}"
    line.append(told, style="not bold default")
    if not scenario.reason:
        return [line]
    owner = f" ({scenario.owner})" if scenario.owner else ""
    lines: list[Text] = [line, Shown(f"{'':{_LABEL_WIDTH}}            {scenario.reason}{owner}")]
    # Of what is not proven the causes at the end tell: one may stop all the rest.
    if scenario.triage and scenario.verdict is not Verdict.NOT_PROVEN:
        lines.append(Shown(f"{'':{_LABEL_WIDTH}}            {sentence(scenario.triage)}", style="cyan"))
    return lines


def _worker(scenario: ScenarioResult) -> str:
    """Which of xdist's workers runs it, before what it tells; nothing without xdist."""
    return f"{scenario.worker}  " if scenario.worker else ""


def _line(text: str, bold: str = "") -> Text:
    """A line of the live part, cut where the terminal ends: one that wraps would stay behind."""
    line = Shown(text, no_wrap=True, overflow="ellipsis")
    return line.append(bold, style="bold")


def _wait_lines(wait: Waited, at: float, now: float) -> list[Text]:
    """A wait as the live part shows it: the time that is left first, for narrow terminals."""
    left = max(0.0, wait.remaining - (now - at))
    lines: list[Text] = [_line(f"    {duration(left)} left, waiting for {wait.what}")]
    if wait.last_seen:
        lines.append(_line(f"    last seen: {' '.join(wait.last_seen.split())}"))
    for line in lines:
        line.stylize("dim")
    return lines


def _wait(wait: Waited, ago: float) -> str:
    """A wait in words; `ago` is how many seconds old what it says is."""
    seen = f", last seen: {wait.last_seen}" if wait.last_seen else ""
    left = max(0.0, wait.remaining - ago)
    return f"waiting for {wait.what}: {duration(wait.elapsed + ago)}, {duration(left)} left{seen}"
