"""The world of feeds, in several orders of what is ready at the same moment."""

from collections.abc import Iterator

import pytest
from aviary.actors.core.simulation import Simulation
from feed_world import World


@pytest.fixture(params=[0, 1, 2], ids=["in order", "shuffled", "shuffled again"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with Simulation(request.param, shuffle=request.param > 0) as sim:
        world = World(sim)
        yield world
        world.stop()
