"""The stages of the kernel's tests: simulated, in several orders of what is ready at the same moment, or on threads."""

from collections.abc import Iterator

import pykka
import pytest
from aviary.actors.core.simulation import Simulation
from kernel_live import Live
from kernel_stage import Stage, check_journal


@pytest.fixture(params=[0, 1, 2], ids=["in order", "shuffled", "shuffled again"])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with Simulation(request.param, shuffle=request.param > 0) as sim:
        stage = Stage(sim)
        yield stage
        check_journal(stage.system.events())


@pytest.fixture
def live() -> Iterator[Live]:
    before = set(pykka.ActorRegistry.get_all())
    live = Live()
    yield live
    live.gate.go.set()
    live.on_kernel(live.tree.stop())
    live.system.shutdown()
    check_journal(live.system.events())
    assert set(pykka.ActorRegistry.get_all()) <= before
