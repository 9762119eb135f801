from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.simlab.keeper import Keeper

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keeper]:
    with Keeper(tmp_path_factory.mktemp(f"lab-{os.getpid()}-")) as keeper:
        yield keeper
