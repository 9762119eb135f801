"""A whole launch: platform, KBS and database, over their own protocols."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.simlab.kbs.world import KEYSET, entries

if TYPE_CHECKING:
    from tests.simlab.kbs.world import Launcher


def test_bundle_reaches_the_guest(launcher: Launcher) -> None:
    table = launcher.inject(launcher.get_secret(KEYSET))
    assert json.loads(entries(table)[KEYSET.Guid]) == {
        "key_id1": "RcHGava52DPvj1uoIk/NVDYlwxi0A6yyIZ8ilhEX3X4="
    }
