"""The stage for every test of the kernel, in several orders of what is ready at the same moment."""

from collections.abc import Iterator

import pytest
from aviary.actors.core.simulation import Simulation
from kernel_stage import Stage, check_journal


@pytest.fixture(params=[0, 1, 2], ids=["in order", "shuffled", "shuffled again"])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with Simulation(request.param, shuffle=request.param > 0) as sim:
        stage = Stage(sim)
        yield stage
        check_journal(stage.system.events())
