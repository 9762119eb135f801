"""A reboot of the host, and what of the guide's outcomes lasts over it."""

from __future__ import annotations

from pytest_bdd import given, then, when

from fixtures.run import Run
from fixtures.state_clauses import Fault, StateClauses, told
from lab.kata_files import KataFile, KataFiles
from lab.reboot import Reboot


@given("rebooting the host is permitted")
def permit_reboot(reboot: Reboot) -> None:
    """Before anything is borrowed for it."""
    reboot.require_allowed()


@given("the state clauses that hold", target_fixture="holding")
def look_before(state_clauses: StateClauses) -> list[str]:
    """What the scenarios of state clauses tell, without what they provide."""
    return [clause for clause, fault in state_clauses.faults().items() if fault is None]


@given("the node's configuration and initrd as they are", target_fixture="files")
def look_at_files(kata_files: KataFiles) -> dict[str, KataFile]:
    """Clauses W-3.1 and W-3.2, of the node itself."""
    return kata_files.look()


@when("the host is rebooted", target_fixture="hindrance")
def reboot_host(reboot: Reboot, holding: list[str]) -> str | None:
    """Until the node tells that it is back, or cannot come back by itself."""
    return reboot.perform(holding)


@then("every state clause that held still holds")
def hold_still(
    run: Run,
    state_clauses: StateClauses,
    kata_files: KataFiles,
    files: dict[str, KataFile],
    holding: list[str],
    hindrance: str | None,
) -> None:
    """Clause X-1.1."""
    now = state_clauses.faults()
    lost = {clause: fault for clause in holding if (fault := now[clause])}
    lost |= {clause: Fault(why) for clause, why in kata_files.replaced(files).items()}
    run.record.evidence("state clauses that held before the reboot", "\n".join(holding))
    run.record.evidence(
        "state clauses after the reboot", {clause: str(fault) for clause, fault in now.items()}
    )
    assert not lost, "; ".join(filter(None, (hindrance, told(lost))))
