"""The world that a module's tests share."""

from collections.abc import Iterator

import pytest
from bot_world import World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world that lasts for a module's tests."""
    world = World(tmp_path_factory.mktemp("world"))
    world.start()
    yield world
    world.stop()
