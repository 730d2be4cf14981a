"""What can't be done yet is tried until it is: with growing delays, one alarm, and beside everything else."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.message import Message
from aviary.actors.core.refusal import Unavailable
from aviary.actors.core.simulation import Simulation
from aviary.actors.keeping.until_done import FIRST_RETRY, LAST_RETRY, UntilDone
from aviary.supervisors.boot import Tree
from aviary.supervisors.spec import ChildSpec, SupervisorSpec

ALARM = "bring-up/registry"


class Begin(Message[None]):
    """Command: begin to do something."""

    what: str


class GetWaiting(Message[str | None]):
    """Query: why something is not done yet."""

    what: str


class Outside:
    """What the work meets: a list of troubles for each thing, then success."""

    def __init__(self) -> None:
        self.troubles: dict[str, list[Exception]] = {}
        self.tries: dict[str, list[float]] = {}


class Registry(AsyncActor):
    """Does what it is told, until it is done."""

    def __init__(self, outside: Outside) -> None:
        super().__init__()
        self._outside = outside

    def prepare(self) -> None:
        self._unfinished = UntilDone(self)

    def receive(self, message: Any) -> Any:
        match message:
            case Begin(what=what):
                return self._unfinished.begin(what, lambda: self._do(what))
            case GetWaiting(what=what):
                waiting = self._unfinished.waiting(what)
                return None if waiting is None else waiting.why
            case _:
                return super().receive(message)

    async def _do(self, what: str) -> None:
        self._outside.tries.setdefault(what, []).append(self.clock.monotonic())
        if self._outside.troubles.get(what):
            raise self._outside.troubles[what].pop(0)


class Stage:
    """A registry in virtual time."""

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self.outside = Outside()
        child = ChildSpec("registry", lambda: Registry(self.outside))
        sim.run(Tree(sim.system, SupervisorSpec(children=(child,))).start())

    def begin(self, what: str) -> None:
        self.sim.run(self.sim.system.ask("registry", Begin(what=what), timeout=1))

    def waiting(self, what: str) -> str | None:
        return self.sim.run(self.sim.system.ask("registry", GetWaiting(what=what), timeout=1))

    def alarm(self) -> str:
        standing = self.sim.system.alarms.standing()
        return next((alarm.message for alarm in standing if alarm.name == ALARM), "")

    @property
    def degraded(self) -> str | None:
        cell = self.sim.system.cell("registry")
        assert cell is not None
        return cell.degraded


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Simulation(seed=1) as sim:
        yield Stage(sim)


def away(times: int) -> list[Exception]:
    return [Unavailable("the database is away") for _ in range(times)]


def test_it_is_tried_with_growing_delays_until_it_is_done(stage: Stage) -> None:
    stage.outside.troubles["mm-1"] = away(7)

    stage.begin("mm-1")
    stage.sim.advance(200.0)

    at = stage.outside.tries["mm-1"]
    delays = [later - earlier for earlier, later in itertools.pairwise(at)]
    assert delays == pytest.approx([FIRST_RETRY, 2.0, 4.0, 8.0, LAST_RETRY, LAST_RETRY, LAST_RETRY])


def test_one_alarm_says_what_waits_and_why_and_goes_with_the_last_of_it(stage: Stage) -> None:
    stage.outside.troubles = {"mm-1": away(1), "mm-2": [OSError("no room"), *away(3)]}

    for what in ("mm-1", "mm-2", "mm-3"):
        stage.begin(what)
    stage.sim.advance(0.1)
    assert "mm-1: the database is away" in stage.alarm()
    assert "mm-2: no room" in stage.alarm()
    assert "mm-3" not in stage.alarm()
    assert stage.degraded == stage.alarm()
    assert stage.waiting("mm-2") == "no room"

    stage.sim.advance(2.0)
    assert "mm-1" not in stage.alarm()
    assert "mm-2" in stage.alarm()

    stage.sim.advance(60.0)
    assert (stage.alarm(), stage.degraded, stage.waiting("mm-2")) == ("", None, None)


def test_what_is_under_way_is_not_begun_a_second_time_and_can_be_begun_again_afterwards(stage: Stage) -> None:
    stage.outside.troubles["mm-1"] = away(1)
    for _ in range(3):
        stage.begin("mm-1")
    stage.sim.advance(10.0)
    assert len(stage.outside.tries["mm-1"]) == 2

    stage.begin("mm-1")
    stage.sim.advance(1.0)

    assert len(stage.outside.tries["mm-1"]) == 3


def test_many_that_wait_are_counted_and_not_all_named(stage: Stage) -> None:
    for number in range(30):
        stage.outside.troubles[f"mm-{number}"] = away(1)
        stage.begin(f"mm-{number}")
    stage.sim.advance(0.1)

    assert "mm-0" in stage.alarm()
    assert "and 25 more" in stage.alarm()


def test_what_nobody_expected_is_a_crash(stage: Stage) -> None:
    stage.outside.troubles["mm-1"] = [KeyError("a mistake")]

    stage.begin("mm-1")
    stage.sim.advance(1.0)

    assert [event.address for event in stage.sim.system.events() if event.kind == "crash"] == ["registry"]
