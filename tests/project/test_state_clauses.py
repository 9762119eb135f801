"""Every state clause can be looked at again, outside of its scenarios, or it is said why not."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fixtures.state_clauses import NO_LOOK, Fault, StateClauses, looks, told
from lab.errors import NotApplicable, NotProven
from lab.record import MemoryRecord
from reports.clauses import Catalogue

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
FEATURES = ROOT / "features"
STATE = Catalogue().of_kind("state")
FEATURE = """
Feature: small
  @C-4.3
  Scenario: looks
    Given the guide was followed for C-4.3
    Then containerd is running

  @C-4.3 @W-1.2
  Scenario: acts
    When nginx is started with that RuntimeClass
    Then the pod is Running
"""


@pytest.fixture(scope="module", autouse=True)
def steps() -> None:
    for module in sorted((ROOT / "steps").glob("[!_]*.py")):
        importlib.import_module(f"steps.{module.stem}")


class Run:
    """A run that only remembers."""

    record = MemoryRecord()


class Services:
    """What a step asks for, saying what a test wants."""

    def __init__(self, state: Callable[[str], str]) -> None:
        self.state = state


def test_a_state_clause_can_be_looked_at_or_it_is_said_why_not() -> None:
    told_of = {clause for look in looks(FEATURES) for clause in look.clauses}
    pending = {clause for clause in STATE if clause not in told_of}
    assert pending == set(NO_LOOK), (
        "a state clause needs a scenario without a When, or a reason in fixtures/state_clauses.py"
    )


def test_the_thens_of_scenarios_that_only_look_are_asked(tmp_path: Path) -> None:
    (tmp_path / "small.feature").write_text(FEATURE)
    states = {"containerd": "active"}
    services = Services(states.__getitem__)
    clauses = StateClauses(tmp_path, ["C-4.3", "W-1.2"], {"services": services, "run": Run()}.__getitem__)
    assert clauses.faults() == {"C-4.3": None}
    states["containerd"] = "failed"
    assert clauses.faults() == {"C-4.3": Fault("containerd is failed")}


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (
            NotProven("docker does not answer", owner="C-3.1"),
            Fault("docker does not answer (C-3.1)", unknown=True),
        ),
        (NotApplicable("it is Intel's"), None),
    ],
)
def test_what_cannot_be_looked_at_is_no_fault_of_the_clause(
    tmp_path: Path, error: Exception, fault: Fault | None
) -> None:
    def ask(_: str) -> str:
        raise error

    (tmp_path / "small.feature").write_text(FEATURE)
    wanted = {"services": Services(ask), "run": Run()}
    clauses = StateClauses(tmp_path, ["C-4.3"], wanted.__getitem__)
    assert clauses.faults() == {"C-4.3": fault}


def test_faults_of_one_cause_are_told_together() -> None:
    dead = Fault("docker does not answer", unknown=True)
    faults = {"K-1.3": dead, "C-3.1": Fault("docker is inactive"), "K-1.4": dead}
    known, unknown = "C-3.1 (docker is inactive)", "K-1.3, K-1.4 (docker does not answer)"
    assert told(faults) == f"no longer hold: {known}; cannot be looked at: {unknown}"
