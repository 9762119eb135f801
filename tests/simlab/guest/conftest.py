from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simlab.guest.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def world_of_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("world")) as world:
        yield world


@pytest.fixture
def world(world_of_session: World) -> World:
    world_of_session.stock_kbs()
    return world_of_session
