"""The key of the encrypted image is added where it is missing, and nothing else is touched."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from lab.changes.image_key import ImageKeyAdded
from lab.errors import MalformedRow, Unreachable
from lab.kbs.rows import Keyset
from lab.profile import StockKbs
from lab.secret import Secret

KEY = "HUlOu8NWz8si11OZUzUJMnjiq/iZyHBJZMSD3BaqgMc="
WANTED = StockKbs(
    tag="0.1.1",
    repository="https://example.org/simple-kbs.git",
    folder="/root/simple-kbs",
    key_id="default/key/a",
    kid="kbs:///default/key/a",
    wrap_type="A256CTR",
    published_key=KEY,
    keyset_id="KEYSET-1",
    network="simple-kbs_default",
    database_container="db",
    server_container="server",
)


@dataclass
class TwoTables:
    secrets: dict[str, Secret] = field(default_factory=dict)
    keysets: dict[str, list[str]] = field(default_factory=dict)
    malformed: tuple[str, ...] = ()

    def secret_exists(self, key_id: str) -> bool:
        return key_id in self.secrets

    def insert_secrets(self, values: dict[str, Secret]) -> None:
        self.secrets |= values

    def keyset(self, keyset_id: str) -> Keyset | None:
        if keyset_id in self.malformed:
            raise MalformedRow("keysets.kskeys of KEYSET-1 holds '[', which is no JSON list")
        return Keyset(keyset_id, tuple(self.keysets[keyset_id]), None) if keyset_id in self.keysets else None

    def insert_keyset(self, keyset_id: str, keys: list[str], policy: int | None) -> None:
        assert policy is None
        self.keysets[keyset_id] = keys

    def set_keyset_keys(self, keyset_id: str, keys: list[str]) -> None:
        self.keysets[keyset_id] = keys


@dataclass
class Broker:
    database: TwoTables


def change(database: TwoTables) -> ImageKeyAdded:
    return ImageKeyAdded(cast("Any", Broker(database)), WANTED, KEY)


@pytest.mark.parametrize(
    ("before", "after"),
    [({}, ["default/key/a"]), ({"KEYSET-1": ["key_id1"]}, ["key_id1", "default/key/a"])],
)
def test_the_key_and_its_place_in_the_keyset_are_added(
    before: dict[str, list[str]], after: list[str]
) -> None:
    database = TwoTables(keysets=before)
    made = change(database)
    assert not made.look().holds
    made.apply()
    assert made.look().holds
    assert database.secrets == {"default/key/a": Secret(KEY)}
    assert database.keysets == {"KEYSET-1": after}


def test_a_key_that_is_there_keeps_its_value() -> None:
    database = TwoTables({"default/key/a": Secret("another")}, {"KEYSET-1": ["default/key/a"]})
    made = change(database)
    assert made.look().holds
    made.apply()
    assert database.secrets == {"default/key/a": Secret("another")}


def test_a_keyset_that_nobody_can_read_is_left_to_its_owner() -> None:
    made = change(TwoTables({"default/key/a": Secret("another")}, malformed=("KEYSET-1",)))
    assert made.look().holds
    assert "no JSON list" in made.look().found


def test_no_text_of_the_change_shows_the_key() -> None:
    made = change(TwoTables())
    assert KEY not in f"{made.name} {made.looks_at} {made.undone_by} {made.look().found}"


def test_a_database_that_does_not_answer_has_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    made = change(TwoTables())

    def silent(*_: object) -> bool:
        raise Unreachable("the database", "connection refused")

    monkeypatch.setattr(TwoTables, "secret_exists", silent)
    assert made.look().found == "the database: connection refused"
