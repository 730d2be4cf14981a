"""The world that a module's tests share."""

from collections.abc import Iterator

import pytest
from books import install
from bot_world import World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world that lasts for a module's tests."""
    world = World(tmp_path_factory.mktemp("world"))
    world.start()
    install(world)
    yield world
    world.stop()
