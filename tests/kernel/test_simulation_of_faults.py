"""Promise 9: a whole tree in one thread, from a seed, faults included, comes to rest healthy.

`make storm` tries thousands of seeds.
"""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from aviary.actors.core.envelope import Envelope
from aviary.actors.core.message import Message
from aviary.actors.core.simulation import Simulation
from aviary.supervisors.messages import TerminateChild
from aviary.supervisors.spec import SupervisorSpec
from kernel_stage import Note, Player, Stage
from storm_of_faults import record_of, storm

SEEDS = 60


@pytest.mark.parametrize("seed", range(SEEDS))
def test_after_any_storm_everything_runs_again_and_nothing_was_lost_or_doubled(seed: int) -> None:
    with storm(seed) as blowing:
        blowing.run()


def test_a_storm_s_books_are_its_own() -> None:
    stop = threading.Event()

    def live_beside_it() -> None:
        while not stop.is_set():
            Envelope(Note())

    with ThreadPoolExecutor(1) as neighbour:
        neighbour.submit(live_beside_it)
        try:
            with storm(3) as blowing:
                blowing.run()
        finally:
            stop.set()


def test_a_seed_makes_a_storm_repeatable() -> None:
    first = record_of(33)

    assert record_of(33) == first
    assert record_of(34) != first


class Crowded(Player):
    """Has many tasks, and owes many answers, each of which tells when it is cut short."""

    async def prepare(self) -> object:
        for n in range(50):
            self.spawn(self.tell_the_end(n), f"task-{n}")
        return await super().prepare()

    async def receive(self, message: Message[object]) -> object:
        return self.defer(self.tell_the_end(message.n))  # type: ignore[attr-defined]

    async def tell_the_end(self, n: int) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.world.log.append(("cut short", self.name, n))


class Hang(Message[None]):
    """Is owed an answer for ever."""

    n: int


def test_what_a_life_runs_is_cut_short_in_the_order_in_which_it_began() -> None:
    with Simulation() as sim:
        stage = Stage(sim)
        stage.up(SupervisorSpec(children=(stage.child("a", make=Crowded),)))
        for n in range(50, 100):
            stage.do("sup/a", Hang(n=n))

        stage.ask("sup", TerminateChild(name="a"))

        assert [entry[2] for entry in stage.world.log if entry[0] == "cut short"] == list(range(100))
        stage.down()


class Deaf(Player):
    """Takes no notice of its end, in a handler, a background task or an answer that it owes."""

    release_timeout = 1.0

    async def receive(self, message: Message[object]) -> object:
        match message:
            case Hang(n=0):
                return await self.go_on()
            case Hang(n=1):
                return self.defer(self.go_on())
            case _:
                return self.spawn(self.go_on(), "going-on")

    async def go_on(self) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + 30
        while loop.time() < until:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(until - loop.time())


@pytest.mark.parametrize(("where", "name"), [(0, "sup/a"), (1, "sup/a:Hang"), (2, "sup/a:going-on")])
def test_what_can_not_be_ended_bears_a_name_that_is_the_same_in_every_run(
    stage: Stage, where: int, name: str
) -> None:
    stage.up(SupervisorSpec(children=(stage.child("a", make=Deaf, shutdown=1.0),)))
    stage.do("sup/a", Hang(n=where))

    stage.ask("sup", TerminateChild(name="a"))

    assert [event.reason for event in stage.events("release_failed")] == [f"1 tasks can't be ended: {name}"]
    stage.sim.advance(60.0)
