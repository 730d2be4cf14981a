"""Duties and appointments: kept by the kernel, for one life, through poison, and not beyond its end."""

import gc
from collections.abc import Callable
from typing import Any

import pytest
from aviary.actors.core.alarms import poison_alarm
from aviary.actors.core.cell import CellSettings
from aviary.actors.core.exits import Killed
from aviary.actors.core.message import Message
from aviary.actors.core.timers import Timer
from aviary.supervisors.backoff import Backoff
from aviary.supervisors.messages import RestartChild, TerminateChild
from aviary.supervisors.spec import SupervisorSpec
from kernel_stage import SECOND, Die, Note, Player, Stage, life_of


class Tick(Message[None]):
    """A duty."""

    n: int = 0


type Cancel = Callable[[], None]
type Arm = Callable[["Keeper"], Cancel]


class Keeper(Player):
    """Has duties, and fails at them during an outage."""

    arm: Arm = staticmethod(lambda keeper: keeper.every(5.0, Tick()))

    async def prepare(self) -> object:
        self.cancel = type(self).arm(self)
        return await super().prepare()

    async def receive(self, message: Message[Any]) -> object:
        if not isinstance(message, Tick):
            return await super().receive(message)
        if self.clock.monotonic() < getattr(self.world, "outage", 0.0):
            raise OSError("unreachable")
        self.world.log.append(("tick", self.name, self.incarnation, self.clock.monotonic(), message.n))
        return None


def up(stage: Stage, arm: Arm, **more: Any) -> None:
    kind = type("Keeper", (Keeper,), {"arm": staticmethod(arm)})
    more.setdefault("settings", CellSettings(poison_after=1_000))
    stage.up(SupervisorSpec(intensity=None, children=(stage.child("a", make=kind, **more),)))


def ticks(stage: Stage) -> list[float]:
    return [at for word, _, _, at, _ in (entry for entry in stage.world.log if len(entry) == 5) if word == "tick"]


def by_life(stage: Stage) -> list[int]:
    return [life for word, _, life, *_ in stage.world.log if word == "tick"]


def keeper(stage: Stage) -> Any:
    return life_of(stage).actor


# Duties


def test_a_duty_comes_again_and_again_the_first_time_when_it_is_said(stage: Stage) -> None:
    up(stage, lambda actor: actor.every(5.0, Tick()))
    stage.sim.advance(21.0)
    assert ticks(stage) == pytest.approx([5, 10, 15, 20])

    stage.ask("aviary", TerminateChild(name="sup"))
    stage.world.log.clear()
    up(stage, lambda actor: actor.every(5.0, Tick(), first=1.0))
    stage.sim.advance(12.0)

    assert ticks(stage) == pytest.approx([22, 27, 32])


def test_a_duty_is_armed_for_each_life_and_ends_with_it(stage: Stage) -> None:
    up(stage, lambda actor: actor.every(5.0, Tick()), backoff=SECOND)
    stage.sim.advance(7.0)
    stage.do("sup/a", Die())
    stage.sim.advance(12.0)

    assert ticks(stage) == pytest.approx([5, 13, 18])
    assert by_life(stage) == [1, 2, 2]


def test_a_duty_outlasts_the_outage_that_made_it_poison(stage: Stage) -> None:
    stage.world.outage = 60.0  # type: ignore[attr-defined]
    limits = CellSettings(poison_after=3, poison_quarantine=300.0)
    up(stage, lambda actor: actor.every(5.0, Tick()), backoff=Backoff(), settings=limits)

    stage.sim.advance(60.0)
    assert ticks(stage) == []
    assert [alarm.name for alarm in stage.system.alarms.standing()] == [poison_alarm("sup/a", Tick)]
    set_aside = stage.events("poison")[0].at - stage.sim.clock.EPOCH
    letters = len(stage.system.dead_letters())
    stage.sim.advance(600.0)

    # Its one try comes by itself, when the quarantine is over and not before, and it is pardoned.
    assert ticks(stage)[0] == pytest.approx(set_aside + 300.0)
    assert len(ticks(stage)) > 60
    assert stage.system.alarms.standing() == ()
    assert len(stage.system.dead_letters()) == letters
    assert stage.lives("a") == [4]


def test_an_appointment_that_is_poison_is_kept_once_it_may_pass(stage: Stage) -> None:
    limits = CellSettings(poison_after=1, poison_quarantine=300.0)
    up(stage, lambda actor: actor.schedule(5.0, Tick()), settings=limits)
    stage.world.outage = 6.0  # type: ignore[attr-defined]
    stage.sim.advance(100.0)
    assert ticks(stage) == []

    stage.sim.advance(300.0)

    assert ticks(stage) == pytest.approx([305.0])


def test_a_duty_whose_last_message_still_waits_or_is_handled_is_left_out(stage: Stage) -> None:
    up(stage, lambda actor: actor.every(5.0, Tick()), settings=CellSettings(handler_limit=None, poison_after=9))
    stage.do("sup/a", Die(how="hang"))
    cell = stage.system.cell("sup/a")
    assert cell is not None
    stage.sim.advance(100.0)
    assert len(cell.mailbox) == 1

    class Slow(Keeper):
        arm = staticmethod(lambda actor: actor.every(5.0, Note()))

        async def receive(self, message: Message[Any]) -> object:
            self.world.log.append(("begun", self.name, self.clock.monotonic()))
            return self.defer(self.work(12.0, "done"))

    stage.ask("aviary", TerminateChild(name="sup"))
    stage.up(SupervisorSpec(children=(stage.child("a", make=Slow),)))
    begin = stage.sim.clock.monotonic()
    stage.sim.advance(44.0)

    begun = [at - begin for word, _, at in (e for e in stage.world.log if len(e) == 3) if word == "begun"]
    assert begun == pytest.approx([5, 20, 35])


def test_a_full_mailbox_is_no_reason_to_miss_an_appointment_with_oneself(stage: Stage) -> None:
    limits = CellSettings(handler_limit=10.0, mailbox=2, poison_after=9)
    up(stage, lambda actor: actor.schedule(5.0, Tick()), settings=limits)
    stage.do("sup/a", Die(how="hang"))
    for n in range(4):
        stage.tell("sup/a", Note(n=n))
    cell = stage.system.cell("sup/a")
    assert cell is not None

    stage.sim.advance(5.1)

    assert len(cell.mailbox) == 3
    assert cell.mailbox.statistics().refused == 2


# The end of a life


def test_what_a_life_sent_to_itself_does_not_reach_the_next(stage: Stage) -> None:
    up(stage, lambda actor: actor.schedule(5.0 if actor.incarnation == 1 else 500.0, Tick(n=actor.incarnation)))
    stage.sim.advance(3.0)
    stage.do("sup/a", Die())
    stage.sim.advance(60.0)
    assert stage.lives("a") == [2]
    assert ticks(stage) == []

    stage.sim.advance(500.0)
    assert by_life(stage) == [2]


def test_what_a_life_sent_to_itself_and_did_not_come_to_handle_is_dropped_in_silence(stage: Stage) -> None:
    limits = CellSettings(handler_limit=10.0, poison_after=9)
    up(stage, lambda actor: actor.schedule(5.0 if actor.incarnation == 1 else 500.0, Tick()), settings=limits)
    stage.do("sup/a", Die(how="hang"))

    stage.sim.advance(60.0)

    assert stage.lives("a") == [2]
    assert ticks(stage) == []
    assert [letter.message_kind for letter in stage.system.dead_letters()] == ["Die"]


@pytest.mark.parametrize("removed", [False, True])
def test_nor_is_it_a_dead_letter_of_an_address_that_comes_to_rest(stage: Stage, *, removed: bool) -> None:
    more = {"restart": "temporary" if removed else "permanent", "settings": CellSettings(handler_limit=None)}
    up(stage, lambda actor: actor.schedule(5.0, Tick()), shutdown=0, **more)
    stage.do("sup/a", Die(how="hang"))
    stage.sim.advance(6.0)

    stage.ask("sup", TerminateChild(name="a"))

    assert stage.exists("sup/a") is not removed
    assert [letter.message_kind for letter in stage.system.dead_letters()] == ["Die"]


def test_the_timers_of_dead_lives_keep_nothing_of_them(stage: Stage) -> None:
    # Whoever may cancel it holds the timer, and not the life.
    held: list[Cancel] = []

    def arm(actor: Keeper) -> Cancel:
        held.append(actor.every(3_600.0, Tick()))
        return actor.schedule(3_600.0, Tick())

    up(stage, arm)
    for _ in range(300):
        stage.do("sup/a", Die())
    gc.collect()

    assert stage.lives("a") == [301]
    # asyncio keeps some cancelled timers, with their context, until there are a hundred of them.
    assert len([one for one in gc.get_objects() if isinstance(one, Keeper)]) < 150


def test_a_timer_that_has_fired_or_was_cancelled_is_no_longer_its_lifes(stage: Stage) -> None:
    up(stage, lambda actor: actor.schedule(5.0, Tick()))
    life = life_of(stage)
    stage.sim.settle()
    assert len(life.timers) == 1
    stage.sim.advance(6.0)
    assert life.timers == set()

    cancel = keeper(stage).every(5.0, Tick())
    stage.sim.settle()
    assert len(life.timers) == 1
    cancel()
    cancel()
    stage.sim.settle()
    assert life.timers == set()


# Cancelling


@pytest.mark.parametrize("periodic", [False, True])
def test_a_cancelled_timer_does_not_fire(stage: Stage, *, periodic: bool) -> None:
    def arm(actor: Keeper) -> Cancel:
        return actor.every(5.0, Tick()) if periodic else actor.schedule(5.0, Tick())

    up(stage, arm)
    stage.sim.advance(4.0)
    keeper(stage).cancel()
    stage.sim.advance(60.0)
    assert ticks(stage) == []

    at_once = arm(keeper(stage))
    at_once()
    stage.sim.advance(60.0)
    assert ticks(stage) == []


def test_a_timer_that_a_fenced_life_had_begun_to_arm_is_not_armed(stage: Stage) -> None:
    up(stage, lambda actor: actor.schedule(500.0, Tick()))
    life = life_of(stage)
    timer = Timer(life, Tick(), 1.0, stage.system.deliver)
    life.end(Killed())

    stage.sim.loop.call_soon(timer._start, 1.0)
    stage.sim.advance(60.0)

    assert ticks(stage) == []
    assert life.timers == set()


def test_a_duty_is_not_kept_while_its_actor_is_stopped_and_is_armed_at_its_restart(stage: Stage) -> None:
    up(stage, lambda actor: actor.every(5.0, Tick()))
    stage.sim.advance(6.0)
    stage.ask("sup", TerminateChild(name="a"))
    stage.sim.advance(60.0)
    assert ticks(stage) == pytest.approx([5.0])

    stage.ask("sup", RestartChild(name="a"))
    stage.sim.advance(6.0)

    assert ticks(stage) == pytest.approx([5.0, 71.0])
    assert stage.system.dead_letters() == ()


def test_a_delay_that_has_passed_already_is_none(stage: Stage) -> None:
    up(stage, lambda actor: actor.schedule(-5.0, Tick()))
    stage.sim.settle()

    assert ticks(stage) == [0.0]


class Newest(Message[None]):
    """Only the newest one matters, whoever sent it."""

    def conflation_key(self) -> str:
        return "newest"


def test_what_somebody_tells_is_not_lost_in_the_timer_message_of_a_dead_life(stage: Stage) -> None:
    class Listener(Player):
        async def prepare(self) -> object:
            if self.incarnation == 1:
                self.schedule(1.0, Newest())
            return await super().prepare()

        async def receive(self, message: Message[Any]) -> object:
            if isinstance(message, Newest):
                self.world.log.append(("newest", self.name, self.incarnation))
                return None
            return await super().receive(message)

    stage.up(SupervisorSpec(intensity=None, children=(stage.child("a", make=Listener, backoff=SECOND),)))
    stage.tell("sup/a", Die(how="hang"))
    stage.sim.advance(1.5)
    cell = stage.system.cell("sup/a")
    assert cell is not None
    assert len(cell.mailbox) == 1

    # The timer's message waits behind what hangs; somebody tells the same kind, and then that life ends.
    stage.tell("sup/a", Newest())
    assert cell.life is not None
    cell.life.end(Killed())
    stage.sim.advance(5.0)

    assert stage.world.log[-1] == ("newest", "a", 2)
