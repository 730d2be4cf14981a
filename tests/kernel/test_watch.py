"""The watch over handlers: what counts against whom, and that nothing ends it."""

import asyncio
import logging

import pytest
from aviary.actors.core.cell import CellSettings
from aviary.actors.core.dispatcher import LoopDispatcher
from aviary.actors.core.exits import ChildExited
from aviary.actors.core.mailbox import Fenced
from aviary.actors.core.refusal import ActorCrashed
from aviary.actors.core.simulation import Simulation
from aviary.actors.core.watchdog import PAUSE, PERIOD, STUCK_AFTER, look
from aviary.supervisors.spec import SupervisorSpec
from kernel_stage import SECOND, Die, Note, Player, Stage, Work

LIMIT = 5.0


def up(stage: Stage, names: str = "a b") -> None:
    limits = CellSettings(handler_limit=LIMIT, poison_after=1_000)
    stage.up(SupervisorSpec(intensity=None, children=stage.children(names, settings=limits)))


def test_a_pause_of_the_whole_process_is_nobodys_hang(stage: Stage) -> None:
    up(stage)
    begun = stage.begin("sup/a", Work(seconds=LIMIT - 1.0))

    # The process stands still in the middle of the work: the clock has moved, and nobody could.
    stage.sim.advance(0.1)
    stage.sim.clock.advance(LIMIT + PAUSE)
    stage.sim.settle()
    stage.sim.advance(1.0)

    assert stage.finish(begun) == "done"
    assert stage.events("hung") == []


def test_a_pause_before_a_message_was_taken_gives_it_no_more_time(stage: Stage) -> None:
    up(stage)
    stage.sim.advance(1.0)
    stage.sim.clock.advance(60.0)
    stage.sim.advance(1.0)

    stage.tell("sup/a", Die(how="hang"))
    stage.sim.advance(LIMIT + 1.0)

    assert [event.address for event in stage.events("hung")] == ["sup/a"]


def test_the_message_that_is_most_over_its_limit_is_to_blame(stage: Stage) -> None:
    class Quick(Work):
        handler_limit = 1.0

    class Slow(Work):
        handler_limit = 4.0

    up(stage)
    cell = stage.system.cell("sup/a")
    assert cell is not None
    for message in (Slow(seconds=-1.0), Quick(seconds=-1.0)):
        stage.begin("sup/a", message)
    stage.sim.clock.advance(4.5)

    look(stage.system)

    assert [event.message_kind for event in stage.events("hung")] == ["Quick"]


class Frozen(LoopDispatcher):
    """A loop that gives no sign of life but when told to; it has no thread."""

    def __init__(self, sim: Simulation) -> None:
        self.name = "frozen"
        self._clock = sim.clock
        self._loop = sim.loop
        self.give_sign()

    def give_sign(self) -> None:
        self._last_beat = self._clock.monotonic()


def test_a_loop_that_stood_still_with_the_whole_process_has_a_moment_to_give_a_sign_of_life(stage: Stage) -> None:
    up(stage)
    stage.sim.advance(1.0)
    frozen = Frozen(stage.sim)
    stage.system.dispatchers._by_name["frozen"] = frozen

    stage.sim.clock.advance(STUCK_AFTER + PAUSE)
    stage.sim.loop.call_later(PERIOD / 2, frozen.give_sign)
    stage.sim.advance(4 * PERIOD)

    assert frozen in stage.system.dispatchers.all()
    stage.sim.advance(STUCK_AFTER)
    assert frozen not in stage.system.dispatchers.all()


@pytest.mark.parametrize("what", ["sums", "actor", "loop"])
def test_one_error_in_a_look_ends_neither_the_look_nor_the_watch(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    up(stage)

    def broken(*_: object) -> None:
        raise Fenced

    cell = stage.system.cell("sup/a")
    assert cell is not None
    if what == "sums":
        monkeypatch.setattr(stage.system.ledger, "sum_up", broken)
    elif what == "actor":
        monkeypatch.setattr(cell.mailbox, "taken", broken)
    else:
        monkeypatch.setattr(stage.system.dispatchers, "take_out", broken)
        stage.system.dispatchers._by_name["frozen"] = Frozen(stage.sim)
        stage.sim.advance(2 * STUCK_AFTER)
    logging.getLogger("aviary.kernel").setLevel(logging.CRITICAL)
    stage.tell("sup/b", Die(how="hang"))
    stage.sim.advance(LIMIT + 1.0)
    stage.tell("sup/b", Die(how="hang"))
    stage.sim.advance(LIMIT + 1.0)

    assert [event.address for event in stage.events("hung")] == ["sup/b", "sup/b"]


def test_failed_starts_after_a_healthy_life_wait_longer_and_longer(stage: Stage) -> None:
    stage.up(SupervisorSpec(intensity=None, children=stage.children("a", backoff=SECOND)))
    stage.sim.advance(100.0)
    stage.world.always["a"] = ValueError("gone")
    begun = stage.sim.clock.now()

    stage.do("sup/a", Die())
    stage.sim.advance(40.0)

    crashes = [event.at - begun for event in stage.events("crash", address="sup/a")]
    assert crashes == pytest.approx([0.0, 1.0, 3.0, 7.0, 15.0, 23.0, 31.0, 39.0])


def test_a_busy_supervisor_does_not_make_a_short_life_long(stage: Stage) -> None:
    slow = stage.child("slow", start_timeout=None)
    stage.up(SupervisorSpec(intensity=None, children=(*stage.children("a", backoff=SECOND), slow)))
    for _ in range(3):
        stage.do("sup/a", Die())
        stage.sim.advance(10.0)
    stage.world.starts["slow"].append(70.0)

    stage.do("sup/slow", Die())
    stage.do("sup/a", Die())
    stage.sim.advance(71.0)

    cell = stage.system.cell("sup/a")
    assert cell is not None
    assert cell.attempt == 4


def test_an_exit_says_how_long_the_life_was_and_not_how_long_its_release_took(stage: Stage) -> None:
    told: list[float] = []
    stage.up(SupervisorSpec(intensity=None, children=stage.children("a")))
    deliver = stage.system.endings._tell

    def listen(address: str, exited: ChildExited) -> None:
        told.append(exited.lived)
        deliver(address, exited)

    stage.system.endings._tell = listen
    stage.world.stops["a"] = 4.0
    stage.sim.advance(10.0)
    stage.do("sup/a", Die())
    stage.sim.advance(5.0)

    assert told == [pytest.approx(10.0)]


@pytest.mark.parametrize("awaits", [False, True])
def test_a_handler_that_meets_anothers_fence_crashes_as_with_any_other_error(
    stage: Stage, *, awaits: bool
) -> None:
    kept: list[Player] = []

    class Kept(Player):
        async def prepare(self) -> object:
            kept.append(self)
            return None

    class Caller(Player):
        def receive(self, message: object) -> object:  # type: ignore[override]
            if not awaits:
                kept[0].tell("sup/nobody", Note())
            return self.later()

        async def later(self) -> None:
            await asyncio.sleep(0)
            kept[0].tell("sup/nobody", Note())

    stage.up(
        SupervisorSpec(
            intensity=None,
            children=(stage.child("kept", make=Kept, restart="temporary"), stage.child("caller", make=Caller)),
        )
    )
    stage.do("sup/kept", Die(how="normal"))

    with pytest.raises(ActorCrashed):
        stage.ask("sup/caller", Note())
    assert [event.reason for event in stage.events("crash", address="sup/caller")] == ["Fenced: "]
