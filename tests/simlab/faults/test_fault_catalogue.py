"""The catalogue of faults: well formed, found by name, and unknown to the components that it breaks."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from simlab.faults import catalogue, lab_fault
from simlab.faults.stand_in import load
from simlab.layout import Layout

if TYPE_CHECKING:
    from simlab.faults.fault import Fault

ROOT = Path(__file__).parents[3]
CLAUSES = {each["id"] for each in tomllib.loads((ROOT / "docs/clauses.toml").read_text())["clause"]}
SERVICES = {"psp", "internet", "apiserver", "controllers", "node", "sshd", "database", "kbs"}
# Where a lab is started and wired.
WIRING = {"__main__", "services", "supervisor", "world", "machine.labfile"}

EVERY = pytest.mark.parametrize("fault", catalogue.faults().values(), ids=lambda fault: fault.name)


@EVERY
def test_a_fault_says_what_it_breaks_and_what_must_be_noticed(fault: Fault) -> None:
    assert re.fullmatch(r"[a-z0-9.]+(-[a-z0-9.]+)+", fault.name)
    assert fault.breaks.strip(".") == fault.breaks
    assert fault.breaks
    assert fault.clauses
    assert {*fault.clauses, *fault.also} <= CLAUSES
    assert not {*fault.clauses}.intersection(fault.also)
    re.compile(fault.cause)
    assert fault.provision in {"off", "apply", "check"}
    assert fault.acts or fault.stand_ins or fault.guest
    for begin in fault.features:
        assert list(ROOT.glob(f"features/{begin}_*.feature"))


@EVERY
def test_a_faults_stand_ins_are_there(fault: Fault) -> None:
    assert set(fault.stand_ins) <= SERVICES
    for name in (*fault.stand_ins.values(), *filter(None, [fault.guest])):
        assert callable(load(name))


def test_a_fault_that_is_not_there_is_answered_with_near_ones() -> None:
    with pytest.raises(catalogue.UnknownFaultError, match="near it: kbs-ignores-policies"):
        catalogue.named("kbs-ignores-policy")
    with pytest.raises(catalogue.UnknownFaultError, match="simlab faults lists them"):
        catalogue.named("xyzzy")


def test_a_lab_remembers_its_fault(tmp_path: Path) -> None:
    assert lab_fault.of(Layout(tmp_path)) is None
    lab_fault.write(Layout(tmp_path), catalogue.named("firewalld-running"))
    assert lab_fault.of(Layout(tmp_path)) == catalogue.named("firewalld-running")


def test_components_know_nothing_of_faults() -> None:
    simlab = ROOT / "simlab"
    found = {
        str(path.relative_to(simlab).with_suffix("")).replace("/", ".")
        for path in simlab.rglob("*.py")
        if "faults" not in path.relative_to(simlab).parts
        and "simlab.faults" in path.read_text(encoding="utf-8")
    }
    assert found == WIRING
