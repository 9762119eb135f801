"""A small conformance suite, run by the recorder as the real one is, and the results it leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from reports.model import Results, ScenarioResult

if TYPE_CHECKING:
    from lab.verdict import Verdict

ROOT = Path(__file__).parents[2]
PASSWORD = 'correct "horse" staple'

CONFTEST = f"""
import pathlib
import pytest
from lab.errors import DeadlineExceeded, NotApplicable, NotProven, Unreachable
from lab.record import Finding, Operation, Wait
from lab.secret import Redactor, Secret
from pytest_bdd import given, parsers, then, when
from reports import recorder

PASSWORD = {PASSWORD!r}
LAB: dict[str, str] = {{}}

def pytest_configure(config):
    redactor = Redactor()
    redactor.learn(Secret(PASSWORD))
    config.stash_record = recorder.start(
        config,
        runs=pathlib.Path(config.rootpath, "reports", "runs"),
        redactor=redactor,
        lab={{"name": "small", "password": PASSWORD}} | LAB,
        profile={{"name": "p", "title": "Profile"}},
    )

@pytest.fixture(scope="session")
def record(request):
    return request.config.stash_record

def operation(name, **fields):
    return Operation(**dict(name=name, looked_at="l", before="b", after="a", changed=True, verified_by="v",
                            undone_by="u") | fields)

@given("a lab")
def _():
    pass

@then("it holds")
def _(record):
    record.evidence("answer", "all is well")

@then("it does not hold")
def _():
    assert 1 == 2, "the product broke it"

@then(parsers.parse("number {{number:d}} is even"))
def _(number):
    assert number % 2 == 0, f"{{number}} is odd"
"""


@dataclass(frozen=True)
class Left:
    """What a run left behind."""

    exit_code: int
    folder: Path
    output: str
    results: Results

    def scenario(self, name: str) -> ScenarioResult:
        return next(scenario for scenario in self.results.scenarios if scenario.name == name)

    def verdicts(self) -> dict[str, Verdict]:
        return {scenario.name: scenario.verdict for scenario in self.results.scenarios}

    def junit(self) -> ET.Element:
        return ET.parse(self.folder / "junit.xml").getroot()  # noqa: S314 - written by this run

    def texts(self) -> dict[str, str]:
        """Every file that the run wrote, as text."""
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        return {path.name: path.read_bytes().decode("utf-8", "replace") for path in files}


@dataclass(frozen=True)
class Suite:
    """A project of one feature (or more), whose steps a test adds to `CONFTEST`'s."""

    path: Path

    def write(self, feature: str, steps: str = "", name: str = "small") -> None:
        (self.path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        (self.path / "conftest.py").write_text(CONFTEST + steps, encoding="utf-8")
        self.add_feature(feature, name)

    def add_feature(self, feature: str, name: str) -> None:
        (self.path / f"{name}.feature").write_text(feature, encoding="utf-8")
        module = f"from pytest_bdd import scenarios\nscenarios({name + '.feature'!r})\n"
        (self.path / f"test_{name}.py").write_text(module, encoding="utf-8")

    def start(self, *arguments: str, stdout: int = subprocess.PIPE) -> subprocess.Popen[str]:
        """Start pytest on the project, away from the settings of the pytest that runs this test."""
        outer = ("PYTEST_", "CI", "NO_COLOR", "TERM")
        plugins = [f"-p{name}" for name in ("pytest_bdd.plugin", "allure_pytest.plugin", "xdist.plugin")]
        environment = {key: value for key, value in os.environ.items() if not key.startswith(outer)}
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", *plugins, *arguments],
            cwd=self.path,
            # Only the plugins that the suite needs: half of a short run's time went into loading the others.
            env=environment
            | {"PYTHONPATH": str(ROOT), "TERM": "xterm", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            stdout=stdout,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str) -> Left:
        with self.start(*arguments) as process:
            output, _ = process.communicate(timeout=60)
        return self.left(process.returncode, output)

    def left(self, exit_code: int, output: str) -> Left:
        latest = self.path / "reports" / "latest"
        assert latest.is_symlink(), output
        folder = latest.resolve(strict=True)
        results = Results.model_validate_json((folder / "results.json").read_bytes())
        return Left(exit_code, folder, output, results)


def allure(left: Left) -> dict[str, dict[str, Any]]:
    """Allure's results by their names."""
    files = (left.folder / "allure-results").glob("*-result.json")
    return {entry["name"]: entry for entry in (json.loads(path.read_bytes()) for path in files)}
