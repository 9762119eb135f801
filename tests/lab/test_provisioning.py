import pytest

from lab.errors import (
    CommandFailed,
    ConnectionLost,
    DeadlineExceeded,
    HostFileError,
    LabError,
    NotPermitted,
    NotProven,
)
from lab.labfile import Permissions
from lab.provisioning import Mode, Provisioning, Sight
from lab.record import MemoryRecord


class Switch:
    """A change that can be looked at and made; `works` says whether making it helps."""

    name = "turn the switch"
    looks_at = "the switch"
    undone_by = "turn it back"
    clause: str | None = "X-9.9"

    def __init__(self, *, on: bool, works: bool = True, permission: str | None = None) -> None:
        self.on = on
        self.works = works
        self.permission = permission
        self.applied = 0

    def look(self) -> Sight:
        return Sight(self.on, "on" if self.on else "off")

    def apply(self) -> None:
        self.applied += 1
        self.on = self.works


def provisioning(mode: Mode, record: MemoryRecord, **permissions: bool) -> Provisioning:
    return Provisioning(mode=mode, permissions=Permissions(**permissions), record=record)


def test_what_holds_is_left_alone_and_counts_as_unchanged() -> None:
    record, switch = MemoryRecord(), Switch(on=True)
    provisioning(Mode.APPLY, record).ensure(switch)
    assert switch.applied == 0
    assert [entry.changed for entry in record.operations] == [False]


@pytest.mark.parametrize("mode", [Mode.CHECK, Mode.OFF])
def test_only_the_mode_off_makes_what_is_the_suites_own(mode: Mode) -> None:
    switch = Switch(on=False)
    changes = provisioning(mode, MemoryRecord())
    if mode is Mode.OFF:
        changes.ensure(switch, own=True)
    else:
        with pytest.raises(NotProven, match="provisioning is check"):
            changes.ensure(switch, own=True)
    assert switch.on == (mode is Mode.OFF)


def test_what_is_missing_is_made_once_and_verified() -> None:
    record, switch = MemoryRecord(), Switch(on=False)
    changes = provisioning(Mode.APPLY, record)
    changes.ensure(switch)
    changes.ensure(switch)
    assert switch.applied == 1
    assert [(entry.before, entry.after, entry.changed) for entry in record.operations] == [
        ("off", "on", True)
    ]


def test_a_change_that_does_not_take_is_an_error() -> None:
    record = MemoryRecord()
    with pytest.raises(LabError, match="turn the switch: made, but afterwards off"):
        provisioning(Mode.APPLY, record).ensure(Switch(on=False, works=False))
    assert len(record.operations) == 1


@pytest.mark.parametrize(("mode", "told"), [(Mode.CHECK, 1), (Mode.OFF, 0)])
def test_check_and_off_change_nothing(mode: Mode, told: int) -> None:
    record, switch = MemoryRecord(), Switch(on=False)
    with pytest.raises(NotProven, match=rf"off, and provisioning is {mode} \(X-9.9\)"):
        provisioning(mode, record).ensure(switch)
    assert switch.applied == 0
    assert len(record.operations) == told


@pytest.mark.parametrize(
    "failure",
    [
        CommandFailed("sevctl export", 127, "sevctl: command not found"),
        DeadlineExceeded("sevctl: command not found in time"),
        NotProven("sevctl: command not found"),
    ],
)
def test_a_change_that_the_lab_does_not_let_come_about_is_tried_once(failure: Exception) -> None:
    class Broken(Switch):
        def apply(self) -> None:
            super().apply()
            raise failure

    record = MemoryRecord()
    changes, switch = provisioning(Mode.APPLY, record), Broken(on=False, works=False)
    for _ in range(2):
        with pytest.raises(NotProven, match=r"turn the switch: .*command not found.* \(X-9\.9\)"):
            changes.ensure(switch)
    assert switch.applied == 1
    [entry] = record.operations
    assert (entry.before, entry.after, entry.changed, entry.undone_by) == (
        "off",
        "off",
        False,
        "turn it back",
    )
    assert "command not found" in entry.failed


def test_what_shows_of_a_change_that_failed_half_way_is_in_the_ledger() -> None:
    class HalfWay(Switch):
        def look(self) -> Sight:
            return Sight(holds=False, found="half on" if self.applied else "off")

        def apply(self) -> None:
            super().apply()
            raise HostFileError("/etc/switch", "No space left on device")

    record = MemoryRecord()
    with pytest.raises(NotProven, match="No space left on device"):
        provisioning(Mode.APPLY, record).ensure(HalfWay(on=False))
    [entry] = record.operations
    assert (entry.before, entry.after, entry.changed) == ("off", "half on", True)


def test_a_lost_host_is_in_the_ledger_and_no_verdict_on_the_change() -> None:
    class Lost(Switch):
        def look(self) -> Sight:
            if self.applied:
                raise ConnectionLost("the connection is gone")
            return super().look()

        def apply(self) -> None:
            super().apply()
            raise ConnectionLost("the connection broke while the command ran")

    record = MemoryRecord()
    with pytest.raises(ConnectionLost):
        provisioning(Mode.APPLY, record).ensure(Lost(on=False))
    [entry] = record.operations
    assert "broke while the command ran" in entry.failed
    assert "cannot be looked at" in entry.after


def test_a_cause_with_an_owner_of_its_own_keeps_it() -> None:
    class Broken(Switch):
        def apply(self) -> None:
            raise NotProven("sevctl is not installed", owner="W-2.1")

    with pytest.raises(NotProven) as stopped:
        provisioning(Mode.APPLY, MemoryRecord()).ensure(Broken(on=False, works=False))
    assert stopped.value.owner == "W-2.1"


def test_a_permission_that_is_not_given_is_named() -> None:
    switch = Switch(on=False, permission="reboot")
    with pytest.raises(NotPermitted, match=r"permissions\.reboot = true"):
        provisioning(Mode.APPLY, MemoryRecord()).ensure(switch)
    assert switch.applied == 0
    provisioning(Mode.APPLY, MemoryRecord(), reboot=True).ensure(switch)
    assert switch.applied == 1


def test_what_a_scenario_undid_is_given_back_and_does_not_count_as_changed() -> None:
    record, undone, missing = MemoryRecord(), Switch(on=True), Switch(on=False)
    missing.name = "turn another switch"
    changes = provisioning(Mode.APPLY, record)
    changes.ensure(undone)
    changes.undo()
    changes.ensure(undone)
    undone.on = False
    changes.undo()
    changes.ensure(undone)
    changes.ensure(missing)
    assert [(entry.kind, entry.changed) for entry in record.operations] == [
        ("convergence", False),
        ("convergence", False),
        ("borrowed", True),
        ("convergence", True),
    ]


def test_nothing_is_changed_where_what_comes_first_refuses() -> None:
    def refuse() -> None:
        raise NotProven("another run works on this host")

    record = MemoryRecord()
    changes = Provisioning(mode=Mode.APPLY, permissions=Permissions(), record=record, before=refuse)
    there, missing = Switch(on=True), Switch(on=False)
    missing.name = "turn the other switch"
    changes.ensure(there)
    with pytest.raises(NotProven, match="another run works on this host"):
        changes.ensure(missing)
    assert missing.applied == 0
    assert [entry.name for entry in record.operations] == [there.name]
