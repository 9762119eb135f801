from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from lab.changes.described import Described
from lab.convergence import Convergence, Stage
from lab.errors import CommandFailed, LabError, NotProven
from lab.labfile import Permissions
from lab.provisioning import Mode, Provisioning, Sight
from lab.record import MemoryRecord

MADE: list[str] = []


@dataclass
class Part(Described):
    name: str
    permission: str | None = None
    clause: str | None = None
    looks_at: str = "it"
    undone_by: str = "undoing it"
    there: bool = False
    looks: int = field(default=0)

    def look(self) -> Sight:
        self.looks += 1
        return Sight(self.there, "there" if self.there else "not there")

    def apply(self) -> None:
        MADE.append(self.name)
        self.there = True


@pytest.fixture(autouse=True)
def fresh() -> None:
    MADE.clear()


def stages() -> dict[str, Stage]:
    return {
        "P-1": Stage((Part("a"),)),
        "P-2": Stage((Part("b"), Part("c", permission="reboot"))),
        "C-1": Stage((Part("d"),), after=("P-1",)),
        "C-2": Stage((Part("e"),), after=("C-1", "P-1", "P-2")),
    }


def convergence(mode: Mode, **permissions: bool) -> tuple[Convergence, Provisioning, MemoryRecord]:
    record = MemoryRecord()
    provisioning = Provisioning(mode=mode, permissions=Permissions(**permissions), record=record)
    return Convergence(provisioning, stages()), provisioning, record


def test_only_what_a_clause_builds_on_is_made_and_in_order() -> None:
    lab, _, _ = convergence(Mode.APPLY, reboot=True)
    lab.reach("C-1")
    assert MADE == ["a", "d"]
    lab.reach("C-2")
    assert MADE == ["a", "d", "b", "c", "e"]


def test_what_a_clause_builds_on_is_not_touched_where_the_clause_holds() -> None:
    made = stages()
    for change in made["C-2"].changes:
        change.apply()
    MADE.clear()
    provisioning = Provisioning(mode=Mode.APPLY, permissions=Permissions(), record=MemoryRecord())
    Convergence(provisioning, made).reach("C-2")
    assert MADE == []


def test_a_clause_that_cannot_be_reached_keeps_no_other_from_it() -> None:
    lab, _, _ = convergence(Mode.APPLY)
    lab.reach_all()
    assert MADE == ["a", "b", "d"]


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.CHECK])
def test_without_apply_a_scenario_is_left_to_its_own_assertions(mode: Mode) -> None:
    lab, _, record = convergence(mode)
    lab.reach("C-2")
    assert (MADE, record.operations) == ([], [])


class Undoing(Part):
    """Making it undoes another change, as a reboot does."""

    undone: Part | None = None
    provisioning: Provisioning | None = None

    def apply(self) -> None:
        super().apply()
        assert self.undone
        assert self.provisioning
        self.undone.there = False
        self.provisioning.unsettle()


def test_what_a_later_clause_undoes_is_made_again() -> None:
    started, reboot = Part("start"), Undoing("reboot")
    lab, provisioning, _ = convergence(Mode.APPLY)
    reboot.undone, reboot.provisioning = started, provisioning
    lab = Convergence(provisioning, {"C-1": Stage((started,)), "W-2": Stage((reboot,))})
    lab.reach("C-1", "W-2")
    assert MADE == ["start", "reboot", "start"]


def test_changes_that_undo_each_other_come_to_an_end() -> None:
    lab, provisioning, _ = convergence(Mode.APPLY)
    one, other = Undoing("one"), Undoing("other")
    one.undone, other.undone = other, one
    one.provisioning = other.provisioning = provisioning
    lab = Convergence(provisioning, {"C-1": Stage((one,)), "C-2": Stage((other,))})
    with pytest.raises(LabError, match="C-1, C-2 undo each other"):
        lab.reach("C-1", "C-2")


def test_it_stops_at_the_first_that_may_not_be_made_with_one_cause_for_all() -> None:
    lab, _, record = convergence(Mode.APPLY)
    causes = []
    for _ in range(2):
        with pytest.raises(NotProven, match="permission 'reboot'") as refused:
            lab.reach("C-2")
        causes.append(str(refused.value))
    assert MADE == ["a", "d", "b"]
    assert len(set(causes)) == 1
    assert [entry.name for entry in record.operations] == ["a", "d", "b"]


class Unseen(Part):
    def look(self) -> Sight:
        raise CommandFailed("rpm --query", 127, "rpm: not found")


def test_what_cannot_be_looked_at_is_not_made() -> None:
    record = MemoryRecord()
    provisioning = Provisioning(mode=Mode.APPLY, permissions=Permissions(), record=record)
    lab = Convergence(provisioning, {"P-1": Stage((Unseen("a", clause="P-1"),))})
    with pytest.raises(NotProven, match=r"a: cannot be looked at: .*rpm: not found \(P-1\)"):
        lab.reach("P-1")
    assert (lab.plan(), MADE) == (["a"], [])


class NeedsFirst(Part):
    def look(self) -> Sight:
        if "first" not in MADE:
            raise NotProven("the first is not there", owner="K-1")
        return super().look()


def test_what_can_be_looked_at_only_after_what_it_builds_on_is_reached() -> None:
    made = {"K-1": Stage((Part("first"),)), "K-2": Stage((NeedsFirst("second"),), after=("K-1",))}
    provisioning = Provisioning(mode=Mode.APPLY, permissions=Permissions(), record=MemoryRecord())
    lab = Convergence(provisioning, made)
    lab.look()
    lab.reach("K-2")
    assert MADE == ["first", "second"]


def test_check_lists_everything_once_in_the_guides_order_and_makes_nothing() -> None:
    lab, _, record = convergence(Mode.CHECK)
    assert lab.plan() == ["a", "b", "c", "d", "e"]
    assert [(entry.name, entry.changed, entry.applied) for entry in record.operations] == [
        (name, True, False) for name in "abcde"
    ]
    assert MADE == []


def test_check_lists_nothing_after_apply() -> None:
    made = stages()
    apply = Provisioning(mode=Mode.APPLY, permissions=Permissions(reboot=True), record=MemoryRecord())
    Convergence(apply, made).reach("C-2")
    record = MemoryRecord()
    check = Provisioning(mode=Mode.CHECK, permissions=Permissions(), record=record)
    assert Convergence(check, made).plan() == []
    assert not [entry for entry in record.operations if entry.changed]


def test_what_was_settled_is_looked_at_again_once_it_may_be_undone() -> None:
    lab, provisioning, _ = convergence(Mode.APPLY, reboot=True)
    lab.reach("C-2")
    made = len(MADE)
    lab.reach("C-2")
    provisioning.unsettle()
    lab.reach("C-2")
    assert len(MADE) == made


def test_what_the_run_undid_is_reached_again_and_nothing_else() -> None:
    made, record = stages(), MemoryRecord()
    provisioning = Provisioning(mode=Mode.APPLY, permissions=Permissions(), record=record)
    lab = Convergence(provisioning, made)
    lab.reach("C-1")
    provisioning.undo()
    for part in (made["P-1"].changes[0], made["C-1"].changes[0]):
        assert isinstance(part, Part)
        part.there = False
    MADE.clear()
    lab.reach_again()
    assert MADE == ["a", "d"]
    assert [entry.kind for entry in record.operations] == ["convergence"] * 2 + ["borrowed"] * 2
