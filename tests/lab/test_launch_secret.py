from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

from lab.launch_secret import LIMIT, SET_ASIDE, LaunchSecrets, secret_size
from lab.record import MemoryRecord

KEY = "RcHGava52DPvj1uoIk/NVDYlwxi0A6yyIZ8ilhEX3X4="


class Database:
    """What the suite adds to the KBS's database."""

    def __init__(self) -> None:
        self.rows = {"key_id1": KEY}
        self.keysets: dict[str, list[str]] = {}

    def secrets(self, values: dict[str, Any]) -> None:
        self.rows |= {name: value.reveal() for name, value in values.items()}

    def own_keyset(self, keys: list[str]) -> str:
        self.keysets[f"set-{len(self.keysets)}"] = keys
        return f"set-{len(self.keysets) - 1}"

    def table(self, keyset: str) -> int:
        """As simple-kbs 0.1.1 makes it: src/request.rs, payload_table."""
        bundle = json.dumps({key: self.rows[key] for key in self.keysets[keyset]}, separators=(",", ":"))
        return (20 + 20 + len(bundle) + 15) & ~15


def test_one_keyset_is_too_long_for_the_kernel_and_the_other_fits_the_firmware() -> None:
    database = Database()
    record = MemoryRecord()
    made = LaunchSecrets(
        profile=cast("Any", SimpleNamespace(kbs=SimpleNamespace(key_id="key_id1"))),
        policies=cast("Any", database),
        borrowing=cast("Any", database),
        record=record,
    )
    long, short = made.too_long(), made.fitting()
    assert database.table(long) > LIMIT
    assert database.table(short) <= SET_ASIDE
    assert all(len(name) <= 1024 and len(value) <= 1024 for name, value in database.rows.items())
    assert set(database.keysets[short]) < set(database.keysets[long])


def test_the_size_is_that_of_the_table() -> None:
    bundle = json.dumps({"key_id1": KEY, "k": "abcd"}, separators=(",", ":"))
    assert secret_size([(7, 44), (1, 4)]) == (40 + len(bundle) + 15) & ~15
