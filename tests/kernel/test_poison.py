"""Poison: what pardons a kind of message, what does not, and what is never set aside."""

import asyncio
from typing import Any

import pytest
from aviary.actors.core.alarms import poison_alarm
from aviary.actors.core.cell import CellSettings
from aviary.actors.core.message import Message
from aviary.actors.core.refusal import ActorCrashed, Conflict, DeadlineExceeded, Refusal, Unavailable
from aviary.supervisors.messages import RestartChild, TerminateChild
from aviary.supervisors.spec import SupervisorSpec
from kernel_live import Blocking, Live
from kernel_live import Die as DieInThread
from kernel_stage import SECOND, Die, Note, Player, Stage, Work


class Deed(Message[str]):
    """Ends as it says, along one of the ways out of a handler."""

    way: str
    end: str


class Urgent(Message[None]):
    """Control that kills."""

    control = True


class Doer(Player):
    """Is no coroutine but where it has to be."""

    def receive(self, message: Message[Any]) -> Any:
        match message:
            case Deed(way="at once"):
                return self.end(message.end)
            case Deed(way="awaited"):
                return self.later(message.end)
            case Deed(way="deferred"):
                return self.defer(self.later(message.end))
            case Urgent():
                raise ValueError("urgent")
        return super().receive(message)

    async def later(self, how: str) -> str:
        await asyncio.sleep(0)
        return self.end(how)

    def end(self, how: str) -> str:
        match how:
            case "crash":
                raise ValueError(how)
            case "refuse":
                raise Conflict(how)
            case _:
                return how


def up(stage: Stage, **limits: Any) -> Any:
    stage.up(
        SupervisorSpec(intensity=None, children=(stage.child("a", make=Doer, settings=CellSettings(**limits)),))
    )
    return stage.system.cell("sup/a")


@pytest.mark.parametrize("way", ["at once", "awaited", "deferred"])
@pytest.mark.parametrize("end", ["answer", "refuse"])
@pytest.mark.parametrize("asked", [True, False])
def test_every_way_out_of_a_handler_but_a_crash_pardons(stage: Stage, way: str, end: str, *, asked: bool) -> None:
    cell = up(stage, poison_after=2)
    stage.do("sup/a", Deed(way=way, end="crash"))
    assert cell.kills == {Deed: 1}

    if asked and end == "answer":
        assert stage.ask("sup/a", Deed(way=way, end=end)) == "answer"
    elif asked:
        with pytest.raises(Conflict):
            stage.ask("sup/a", Deed(way=way, end=end))
    else:
        stage.do("sup/a", Deed(way=way, end=end))

    assert cell.kills == {}
    with pytest.raises(ActorCrashed):
        stage.ask("sup/a", Deed(way=way, end="crash"))
    with pytest.raises(ActorCrashed):
        stage.ask("sup/a", Deed(way=way, end="crash"))
    with pytest.raises(Unavailable, match="set aside"):
        stage.ask("sup/a", Deed(way=way, end="answer"))


@pytest.mark.parametrize("how", ["refuse", "finish"])
def test_so_does_every_way_out_of_a_threads_handler(live: Live, how: str) -> None:
    live.start("a", Blocking, poison_after=2)
    with pytest.raises(ActorCrashed):
        live.ask("a", DieInThread())

    try:
        live.ask("a", DieInThread(how=how))
    except Conflict:
        assert how == "refuse"

    for _ in range(2):
        with pytest.raises(ActorCrashed):
            live.ask("a", DieInThread())
    with pytest.raises(Unavailable, match="set aside"):
        live.ask("a", DieInThread())


def test_another_kind_that_is_handled_well_pardons_nothing(stage: Stage) -> None:
    cell = up(stage, poison_after=2)
    stage.do("sup/a", Deed(way="at once", end="crash"))

    stage.ask("sup/a", Note())
    stage.ask("sup/a", Work(seconds=1.0))

    assert cell.kills == {Deed: 1}


def test_control_is_never_set_aside(stage: Stage) -> None:
    cell = up(stage, poison_after=1)
    for _ in range(4):
        with pytest.raises(ActorCrashed):
            stage.ask("sup/a", Urgent())

    assert cell.poison == {}
    assert stage.system.alarms.standing() == ()
    assert stage.lives("a") == [5]


def test_control_that_nobody_waits_for_is_kept_for_the_next_life_even_at_rest(stage: Stage) -> None:
    up(stage, poison_after=1)
    stage.ask("sup", TerminateChild(name="a"))

    stage.tell("sup/a", Urgent())
    assert stage.system.dead_letters() == ()
    stage.ask("sup", RestartChild(name="a"))
    stage.sim.settle()

    assert stage.lives("a") == [3]
    assert [letter.message_kind for letter in stage.system.dead_letters()] == ["Urgent"]


def test_what_is_set_aside_is_refused_at_once_while_nobody_lives_there(stage: Stage) -> None:
    limits = CellSettings(poison_after=1)
    stage.up(SupervisorSpec(intensity=None, children=(stage.child("a", backoff=SECOND, settings=limits),)))
    stage.do("sup/a", Die())

    with pytest.raises(Unavailable, match="set aside"):
        stage.ask("sup/a", Die())

    assert stage.sim.clock.monotonic() == 0
    stage.tell("sup/a", Die())
    assert len(stage.system.dead_letters()) == 2


def test_the_boundary_of_poison(stage: Stage) -> None:
    cell = up(stage, poison_after=3, poison_quarantine=10.0)
    for kills in (1, 2):
        stage.do("sup/a", Die())
        assert (cell.kills, cell.poison) == ({Die: kills}, {})

    stage.do("sup/a", Die())
    assert cell.poison == {Die: 10.0}
    stage.sim.advance(9.5)
    with pytest.raises(Refusal, match="set aside"):
        stage.ask("sup/a", Die())
    stage.sim.advance(0.5)
    with pytest.raises(ActorCrashed):
        stage.ask("sup/a", Die())


@pytest.mark.parametrize("forgotten", [True, False])
def test_an_address_that_is_removed_leaves_no_alarm_behind(stage: Stage, *, forgotten: bool) -> None:
    restart = "temporary" if forgotten else "permanent"
    limits = CellSettings(poison_after=1, handler_limit=None)
    child = stage.child("a", make=Doer, settings=limits, restart=restart)
    stage.up(SupervisorSpec(intensity=None, children=(child,)))
    stage.do("sup/a", Deed(way="at once", end="crash"))
    names = [alarm.name for alarm in stage.system.alarms.standing()]
    assert names == ([] if forgotten else [poison_alarm("sup/a", Deed)])

    stage.ask("aviary", TerminateChild(name="sup"))

    assert not stage.exists("sup/a")
    assert stage.system.alarms.standing() == ()


class Errand(Message[str]):
    """Has the neighbour asked for a deed, and lets through whatever comes of it."""

    deed: Deed
    how: str = "alone"


class Errands(Player):
    """Asks its neighbour."""

    async def receive(self, message: Message[Any]) -> Any:
        match message:
            case Errand(deed=deed, how="alone"):
                return await self.ask("sup/b", deed, timeout=5.0)
            case Errand(deed=deed, how="deferred"):
                return self.defer(self.ask("sup/b", deed, timeout=5.0))
            case Errand(deed=deed):
                async with asyncio.TaskGroup() as asks:
                    for _ in range(2):
                        asks.create_task(self.ask("sup/b", deed, timeout=5.0))
                raise ValueError("not reached")
        return await super().receive(message)


def errands(stage: Stage) -> Any:
    """Start one that runs errands and knows poison, and its neighbour, which knows none."""
    limits = CellSettings(poison_after=2, handler_limit=None)
    patient = CellSettings(poison_after=1_000, handler_limit=None)
    children = (stage.child("a", make=Errands, settings=limits), stage.child("b", make=Doer, settings=patient))
    stage.up(SupervisorSpec(intensity=None, children=children))
    return stage.system.cell("sup/a")


@pytest.mark.parametrize("how", ["alone", "deferred", "together"])
def test_a_message_is_not_blamed_for_the_crash_of_whom_its_handler_asked(stage: Stage, how: str) -> None:
    cell = errands(stage)

    for life in range(1, 6):
        assert cell.life.number == life
        with pytest.raises(ActorCrashed, match="sup/a crashed"):
            stage.ask("sup/a", Errand(deed=Deed(way="awaited", end="crash"), how=how))
        stage.sim.settle()

    assert cell.kills == {}
    assert cell.poison == {}
    assert stage.events("poison", address="sup/a") == []
    assert [event.reason for event in stage.events("dead_letter", address="sup/a")] != []


@pytest.mark.parametrize(("end", "refusal"), [("refuse", Conflict), ("late", DeadlineExceeded)])
def test_a_no_to_whom_a_handler_asked_is_its_own_answer(stage: Stage, end: str, refusal: type[Refusal]) -> None:
    cell = errands(stage)
    if end == "late":
        stage.tell("sup/b", Die(how="hang"))

    for _ in range(3):
        with pytest.raises(refusal):
            stage.ask("sup/a", Errand(deed=Deed(way="at once", end=end)))

    assert cell.life.number == 1
    assert cell.kills == {}


def test_a_message_is_blamed_for_what_its_handler_made_of_anothers_crash(stage: Stage) -> None:
    class Careless(Errands):
        async def receive(self, message: Message[Any]) -> Any:
            try:
                return await super().receive(message)
            except ActorCrashed as error:
                raise ValueError("of my own") from error

    limits = CellSettings(poison_after=2)
    stage.up(
        SupervisorSpec(
            intensity=None,
            children=(stage.child("a", make=Careless, settings=limits), stage.child("b", make=Doer)),
        )
    )
    for _ in range(2):
        with pytest.raises(ActorCrashed):
            stage.ask("sup/a", Errand(deed=Deed(way="at once", end="crash")))
        stage.sim.settle()

    with pytest.raises(Unavailable, match="set aside"):
        stage.ask("sup/a", Errand(deed=Deed(way="at once", end="well")))
