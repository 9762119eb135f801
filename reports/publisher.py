"""The process that the user started: follows the run, decides the exit code, and has the results written."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from reports import junit, page, suite
from reports.allure_about import write_about
from reports.allure_results import complete_allure
from reports.clauses import Catalogue
from reports.events import JournalReader
from reports.run import Run
from reports.terminal import Display, is_live, real_stdout

if TYPE_CHECKING:
    from collections.abc import Generator

    from lab.secret import Redactor
    from reports.folder import RunFolder
    from reports.model import Results

# The property of a pytest report that names its scenario.
PROPERTY: Final = "scenario"
# Something is broken or not proven, and nothing failed: look at lab or suite. pytest's own codes end at 5.
NOTHING_FAILED: Final = 6
# How often the journals of xdist workers are read, in seconds: as fast as a person sees.
_READING: Final = 0.2
_PHASES: Final = ("setup", "call", "teardown")


class Publisher:
    """Owns the run's folder and its results."""

    def __init__(
        self,
        config: pytest.Config,
        folder: RunFolder,
        redactor: Redactor,
        *,
        lab: dict[str, Any],
        profile: dict[str, Any],
    ) -> None:
        self.folder = folder
        catalogue = Catalogue(features=config.rootpath / "features")
        self.run = Run(folder.id, lab=lab, profile=profile, catalogue=catalogue)
        # As it is now: what is changed while it runs is not what runs.
        self._suite = suite.look(config.rootpath)
        self._config = config
        self._redactor = redactor
        self._workers = WorkerJournals(folder, self.run)
        self._other_failures = 0
        stream = real_stdout()
        self._display = Display(self.run, stream, live=is_live(stream, os.environ))
        self.run.listen(self._display)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Let the run speak for itself: pytest's own reporter goes on, unheard."""
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            # Unregistering it would break who asks for it (xdist, pytest-timeout); -q does not silence those.
            nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - closed with the session
            self._config.add_cleanup(nowhere.close)
            silent = pytest.TerminalReporter(self._config, nowhere)
            reporter._tw = silent._tw  # noqa: SLF001 - pytest 9.1 has no public way
        lab, profile = self.run.lab.get("name", "unnamed"), self.run.profile.get("title", "unnamed")
        self._display.begin(f"Conformance run {self.run.id}: lab {lab}, {profile}")
        for fault in self.run.faults:
            self._display.problem(f"The lab is broken on purpose: {fault}")

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Before an xdist worker starts: tell it the run's folder, and read along."""
        self.folder.tell_worker(node.workerinput)
        self._workers.follow()

    @pytest.hookimpl
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a feature or module that could not be collected: no scenario of it can be proved."""
        if report.failed:
            last = report.longreprtext.strip().splitlines()[-1:]
            self._display.problem(self._redactor(report.longreprtext))
            self.run.problem(self._redactor(f"{report.nodeid} cannot be collected: {' '.join(last)}"))

    @pytest.hookimpl
    def pytest_internalerror(self, excrepr: object) -> None:
        """Note an error in pytest or one of its plugins, this one included."""
        last = str(excrepr).strip().splitlines()[-1:]
        self._display.problem(self._redactor(str(excrepr)))
        self.run.problem(self._redactor(f"internal error: {' '.join(last)}"))

    @pytest.hookimpl
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Note Ctrl-C, SIGTERM and pytest.exit."""
        self.run.interrupted = True
        if not isinstance(excinfo.value, KeyboardInterrupt):
            self.run.problem(self._redactor(str(excinfo.value)))

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count failures of tests that are no scenarios: they decide the exit code as well."""
        # A crashed xdist worker's report has no phase; its scenario is known to be under way.
        if report.failed and report.when in _PHASES and PROPERTY not in dict(report.user_properties):
            self._other_failures += 1

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(
        self, session: pytest.Session, exitstatus: int
    ) -> Generator[None, object, object]:
        """After all clean-up, also of an interrupted run: close the run and write the results."""
        try:
            return (yield)
        finally:
            self._workers.stop()
            if exitstatus == pytest.ExitCode.USAGE_ERROR:
                # Such as a mistake in -k: pytest says it, and there is no run to tell of.
                self.folder.discard()
            else:
                self._close(session, exitstatus)

    def _close(self, session: pytest.Session, exitstatus: int) -> None:
        self.run.close()
        session.exitstatus = self._exit_code(int(exitstatus))
        results = self.run.results(
            exit_code=session.exitstatus,
            arguments=[self._redactor(str(a)) for a in self._config.invocation_params.args],
            suite=self._suite,
        )
        complete_allure(self.folder.allure, results.scenarios)
        write_about(self.folder.allure, results)
        write(results, self.folder.path)
        self.folder.drop_journals()
        self.folder.publish()
        self._display.end(results, os.path.relpath(self.folder.latest / page.PAGE))

    def _exit_code(self, pytest_says: int) -> int:
        """0 only when all that was selected is proved, 1 only when something says that the product failed.

        What pytest says of usage and interruptions stays.
        """
        if pytest_says not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            return pytest_says
        if self.run.failed() or self._other_failures or self.run.faults:
            return int(pytest.ExitCode.TESTS_FAILED)
        proved = self.run.all_proved() and not self.run.problems
        return int(pytest.ExitCode.OK) if proved else NOTHING_FAILED


class WorkerJournals:
    """Reads what xdist's workers write, in a thread, so that the run can be shown while it goes on."""

    def __init__(self, folder: RunFolder, run: Run) -> None:
        self._folder = folder
        self._run = run
        self._readers: dict[Path, JournalReader] = {}
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def follow(self) -> None:
        """Begin to read; once, however many workers there are."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._read_along, name="journals", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Read what is left, and end."""
        if self._thread is not None:
            self._over.set()
            self._thread.join()
            self._thread = None

    def _read_along(self) -> None:
        while not self._over.wait(_READING):
            self._read()
        self._read()

    def _read(self) -> None:
        for path in self._folder.journals():
            for event in self._readers.setdefault(path, JournalReader(path))():
                self._run.apply(event)


def write(results: Results, folder: Path) -> None:
    """Write every file of a run."""
    (folder / "results.json").write_text(results.model_dump_json(indent=2) + "\n", encoding="utf-8")
    junit.write(results, folder / "junit.xml")
    page.write(results, folder, page.PAGE)
