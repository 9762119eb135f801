"""How a fault gets into a lab: acts among the steps of its start, stand-ins in the place of programs."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from simlab.bringup import Step, bring_up
from simlab.faults import catalogue, lab_fault
from simlab.faults.acts import Act, with_acts
from simlab.faults.fault import Fault, Kind
from simlab.layout import Layout
from simlab.services import Lab, Sockets
from simlab.stages import Stage
from tests.simlab.keeper import Keeper

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

ROOT = Path(__file__).parents[3]
# Of each service one stand-in that is the service's own program with another part in it.
STAND_INS = {
    "apiserver": "old-kubernetes",
    "kbs": "kbs-ignores-policies",
    "node": "kata-runs-runc",
    "psp": "psp-fixed-digest",
}


@pytest.fixture
def sockets() -> Iterator[Sockets]:
    with socket.create_server(("127.0.0.1", 0)) as ssh, socket.create_server(("127.0.0.1", 0)) as api:
        yield Sockets(ssh.fileno(), 1, api.fileno(), 2)


FAULT = Fault(name="a-fault", kind=Kind.WRONG_STATE, breaks="it", clauses=("X-9.9",), cause="")


def test_acts_come_where_they_say_one_after_the_other(tmp_path: Path) -> None:
    done: list[str] = []

    def step(name: str) -> Callable[[], Awaitable[None]]:
        async def run() -> None:
            done.append(name)

        return run

    steps = [
        Step("disk", (), step("disk")),
        Step("boot", ("disk",), step("boot")),
        Step("file", ("boot",), step("file")),
    ]
    acts = [
        Act(lambda _: done.append("before the boot"), after=("disk",), before=("boot",)),
        Act(lambda _: done.append("after it"), after=("boot",), before=("file",)),
        Act(lambda _: done.append("and then"), after=("boot",), before=("file",)),
    ]
    asyncio.run(bring_up(with_acts(steps, acts, Layout(tmp_path)), lambda *_: None))
    assert done == ["disk", "before the boot", "boot", "after it", "and then", "file"]


def test_a_stand_in_runs_in_a_programs_place_with_its_arguments(tmp_path: Path, sockets: Sockets) -> None:
    def argv(fault: Fault | None, service: str) -> list[str]:
        return Lab(Layout(tmp_path), sockets, Stage.KBS, fault).services[service].spec.argv()[2:]

    usual = argv(None, "kbs")
    assert usual[0] == "simlab.kbs"
    fault = replace(FAULT, stand_ins={"kbs": "module:function"})
    assert argv(fault, "kbs") == ["simlab.faults.stand_in", str(tmp_path), "kbs", *usual[1:]]
    assert argv(fault, "node") == argv(None, "node")


def test_a_guests_stand_in_is_what_the_node_starts(tmp_path: Path, sockets: Sockets) -> None:
    lab = Lab(Layout(tmp_path), sockets, Stage.KBS, replace(FAULT, guest="module:function"))
    assert lab.services["node"].spec.argv()[-2:] == ["--guest", "simlab.faults.guest"]


@pytest.mark.parametrize(("service", "fault"), STAND_INS.items())
def test_a_stand_in_is_the_program_that_it_stands_for(tmp_path: Path, service: str, fault: str) -> None:
    """It takes the same command line: its usage is that program's."""
    lab_fault.write(Layout(tmp_path), catalogue.named(fault))
    command = [sys.executable, "-m", "simlab.faults.stand_in", str(tmp_path), service, "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: ")


def test_a_lab_under_a_fault_says_so_and_is_broken(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Keeper(
        tmp_path_factory.mktemp("lab-"), "--fault", "firewalld-running", "--stage", "cluster"
    ) as keeper:
        lab_file = tomllib.loads(keeper.layout.lab_file.read_text())
        assert lab_file["fault"] == "firewalld-running: firewalld runs again"
        assert lab_file["timeouts"]["pod_running"] < 300
        assert keeper.output("systemctl is-active firewalld").strip() == "active"
