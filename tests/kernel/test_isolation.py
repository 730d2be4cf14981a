"""Promises 1 and 2: a crash is felt by nobody else, and a new life starts clean."""

import asyncio

import pykka
import pytest
from aviary.actors.core.alarms import poison_alarm
from aviary.actors.core.cell import CellSettings
from aviary.actors.core.exits import Killed
from aviary.actors.core.refusal import ActorCrashed, Conflict, Refusal, Unavailable
from aviary.supervisors.messages import TerminateChild
from aviary.supervisors.spec import SupervisorSpec
from kernel_stage import SECOND, Die, Note, Odd, Player, Stage, Work

DEADLY = ["error", "exit", "interrupt", "cancel"]


def up(stage: Stage, names: str = "a b", **more: object) -> None:
    stage.up(SupervisorSpec(intensity=None, children=stage.children(names, **more)))


@pytest.mark.parametrize("how", DEADLY)
def test_whoever_asked_the_fatal_message_is_answered_at_once_with_the_crash_id(stage: Stage, how: str) -> None:
    up(stage)
    before = stage.sim.clock.monotonic()

    with pytest.raises(ActorCrashed) as crashed:
        stage.ask("sup/a", Die(how=how))

    assert stage.sim.clock.monotonic() == before
    assert crashed.value.crash_id == stage.events("crash")[0].crash_id
    assert crashed.value.address == "sup/a"
    stage.sim.settle()
    assert stage.lives("a", "b") == [2, 1]
    assert stage.ask("sup/b", Note()) == 1


@pytest.mark.parametrize("how", ["cancel oneself", "task", "task exit"])
def test_a_crash_outside_of_a_handler_ends_only_its_own_actor(stage: Stage, how: str) -> None:
    up(stage)

    stage.do("sup/a", Die(how=how))

    assert stage.lives("a", "b") == [2, 1]
    assert len(stage.events("crash", address="sup/a")) == 1


@pytest.mark.parametrize("how", DEADLY)
def test_what_waits_behind_a_fatal_message_is_handled_by_the_next_life_in_order_and_once(
    stage: Stage, how: str
) -> None:
    up(stage)

    for n in range(5):
        stage.tell("sup/a", Note(n=n))
    stage.tell("sup/a", Die(how=how))
    for n in range(5, 10):
        stage.tell("sup/a", Note(n=n))
    stage.sim.settle()

    assert stage.world.notes("a") == [(n, 1 if n < 5 else 2) for n in range(10)]
    assert [letter.message_kind for letter in stage.system.dead_letters()] == ["Die"]


def test_a_new_life_knows_nothing_of_the_last_one(stage: Stage) -> None:
    made: list[Player] = []

    class Remembered(Player):
        async def prepare(self) -> object:
            made.append(self)
            return await super().prepare()

    stage.up(SupervisorSpec(children=(stage.child("a", make=Remembered),)))
    stage.ask("sup/a", Note(n=1))
    stage.do("sup/a", Die())
    stage.ask("sup/a", Note(n=2))

    assert [actor.memory for actor in made] == [[1], [2]]
    assert made[0] is not made[1]
    assert made[0].actor_ref.actor_urn != made[1].actor_ref.actor_urn


def test_an_ask_to_an_actor_between_two_lives_waits_for_the_next(stage: Stage) -> None:
    up(stage, backoff=SECOND)
    stage.do("sup/a", Die())

    assert stage.ask("sup/a", Note(), timeout=2.0) == 2
    assert stage.sim.clock.monotonic() == pytest.approx(1.0)


def test_a_refusal_is_an_answer_and_never_a_crash(stage: Stage) -> None:
    up(stage)

    with pytest.raises(Conflict):
        stage.ask("sup/a", Die(how="refuse"))
    with pytest.raises(Conflict):
        stage.ask("sup/a", Work(seconds=1.0, end="refuse"))
    stage.do("sup/a", Die(how="refuse"))

    assert stage.lives("a") == [1]
    assert stage.events("crash") == []
    assert [letter.reason for letter in stage.system.dead_letters()] == ["refused: refuse"]


def test_a_deferred_answer_lets_others_pass_and_its_crash_tells_everyone_who_waits(stage: Stage) -> None:
    up(stage)
    slow = stage.begin("sup/a", Work(seconds=5.0))
    bad = stage.begin("sup/a", Work(seconds=2.0, end="error"))
    assert stage.ask("sup/a", Work(seconds=1.0)) == "done"
    assert stage.ask("sup/a", Note()) == 1

    with pytest.raises(ActorCrashed) as first:
        stage.finish(bad)
    with pytest.raises(ActorCrashed) as second:
        stage.finish(slow)

    assert first.value.crash_id == second.value.crash_id
    assert stage.ask("sup/a", Note()) == 2
    assert [letter.message_kind for letter in stage.system.dead_letters()] == ["Work", "Work"]


def test_a_message_that_is_cut_short_by_a_crash_beside_it_is_answered_and_a_dead_letter(stage: Stage) -> None:
    up(stage)
    stage.do("sup/a", Work(seconds=1.0, end="error"))
    hanging = stage.begin("sup/a", Die(how="hang"))

    with pytest.raises(ActorCrashed):
        stage.finish(hanging)

    assert {(letter.message_kind, letter.reason[:22]) for letter in stage.system.dead_letters()} == {
        ("Work", "it killed its handler "),
        ("Die", "its handling was cut s"),
    }


def test_asks_are_answered_when_their_actor_is_stopped(stage: Stage) -> None:
    up(stage)
    owed = stage.begin("sup/a", Work(seconds=100.0))
    stage.tell("sup/a", Die(how="hang"))
    waiting = stage.begin("sup/a", Note())

    stage.ask("sup", TerminateChild(name="a"))

    for task in (owed, waiting):
        with pytest.raises(Unavailable):
            stage.finish(task)
    assert stage.sim.clock.monotonic() < 10.0


def test_a_normal_end_waits_for_the_answers_that_are_owed(stage: Stage) -> None:
    up(stage, restart="temporary")
    owed = stage.begin("sup/a", Work(seconds=5.0))

    assert stage.ask("sup/a", Die(how="normal")) is None
    assert stage.finish(owed) == "done"

    stage.sim.settle()
    assert not stage.exists("sup/a")
    assert stage.end_of("sup/a") == "ended"


@pytest.mark.parametrize("message", [Die(how="task finish"), Work(seconds=0, end="finish")])
def test_a_task_or_a_deferred_answer_can_end_its_life_too(stage: Stage, message: Die) -> None:
    up(stage, restart="temporary")

    stage.ask("sup/a", message)
    stage.sim.settle()

    assert not stage.exists("sup/a")
    assert stage.end_of("sup/a") == "ended"


# Poison


def poisoned(stage: Stage, kind: type[Die] = Die, kills: int = 3) -> None:
    for _ in range(kills):
        stage.do("sup/a", kind())


def test_a_kind_that_keeps_killing_is_set_aside_with_an_alarm(stage: Stage) -> None:
    up(stage, settings=CellSettings(poison_after=3, poison_quarantine=300.0))

    poisoned(stage)

    with pytest.raises(Unavailable, match="Die is set aside, it killed 3") as refused:
        stage.ask("sup/a", Die())
    assert refused.value.retry_after == pytest.approx(300.0)
    assert [alarm.name for alarm in stage.system.alarms.standing()] == [poison_alarm("sup/a", Die)]
    assert stage.lives("a") == [4]
    assert stage.ask("sup/a", Note()) == 4
    assert [cell.poison for cell in stage.system.tree() if cell.address == "sup/a"] == [("Die",)]
    assert [event.message_kind for event in stage.events("poison")] == ["Die"]


def test_poison_that_waits_already_is_set_aside_too(stage: Stage) -> None:
    up(stage, settings=CellSettings(poison_after=3))
    for n in range(10):
        stage.tell("sup/a", Die())
        stage.tell("sup/a", Note(n=n))
    stage.sim.settle(400)

    assert stage.lives("a") == [4]
    assert [n for n, _ in stage.world.notes("a")] == list(range(10))
    assert len(stage.events("crash")) == 3
    assert len(stage.system.dead_letters()) == 10


def test_whoever_asked_what_turned_out_to_be_poison_is_refused_without_waiting(stage: Stage) -> None:
    up(stage, settings=CellSettings(poison_after=2))
    before = stage.sim.clock.monotonic()

    asks = [stage.sim.loop.create_task(stage.system.ask("sup/a", Die(), timeout=1_000)) for _ in range(4)]
    stage.sim.settle()

    answers = sorted(type(ask.exception()).__name__ for ask in asks)
    assert answers == ["ActorCrashed", "ActorCrashed", "Unavailable", "Unavailable"]
    assert stage.sim.clock.monotonic() == before


def test_poison_is_tried_once_after_its_quarantine_and_goes_back_if_it_kills_again(stage: Stage) -> None:
    up(stage, settings=CellSettings(poison_after=3, poison_quarantine=300.0))
    poisoned(stage)
    stage.sim.advance(301.0)

    with pytest.raises(ActorCrashed):
        stage.ask("sup/a", Die())
    with pytest.raises(Unavailable, match="set aside"):
        stage.ask("sup/a", Die())

    assert stage.lives("a") == [5]


def test_poison_that_behaves_on_probation_is_pardoned_and_its_alarm_cleared(stage: Stage) -> None:
    up(stage, settings=CellSettings(poison_after=3, poison_quarantine=300.0))
    poisoned(stage)
    poisoned(stage, Odd, kills=1)
    stage.sim.advance(301.0)

    stage.ask("sup/a", Die(how="shutdown"))

    assert stage.system.alarms.standing() == ()
    stage.sim.settle()
    with pytest.raises(ActorCrashed):
        stage.ask("sup/a", Die())
    with pytest.raises(ActorCrashed):
        stage.ask("sup/a", Die())


def test_two_kinds_that_kill_by_turns_are_both_set_aside(stage: Stage) -> None:
    up(stage, settings=CellSettings(poison_after=2))

    for _ in range(2):
        stage.do("sup/a", Die())
        stage.do("sup/a", Odd())

    for kind in (Die, Odd):
        with pytest.raises(Unavailable, match="set aside"):
            stage.ask("sup/a", kind())


def test_an_operator_can_release_poison(stage: Stage) -> None:
    up(stage, settings=CellSettings(poison_after=2))
    poisoned(stage, kills=2)

    assert stage.system.release_poison("sup/a", "Die")
    assert not stage.system.release_poison("sup/a", "Die")
    assert stage.system.alarms.standing() == ()
    with pytest.raises(ActorCrashed):
        stage.ask("sup/a", Die())


def test_a_hanging_kind_is_poison_as_well(stage: Stage) -> None:
    up(stage, settings=CellSettings(poison_after=2, handler_limit=1.0))
    for _ in range(2):
        stage.tell("sup/a", Die(how="hang"))
        stage.sim.advance(8.0)

    with pytest.raises(Unavailable, match="set aside"):
        stage.ask("sup/a", Die())


# What else must not spread


def test_a_subscriber_that_raises_is_not_felt_by_the_publisher_nor_by_other_subscribers(stage: Stage) -> None:
    seen: list[object] = []

    def bad(_topic: str, _event: object) -> None:
        raise ValueError

    stage.system.bus.subscribe("kernel", bad)
    stage.system.bus.subscribe("kernel", lambda _topic, event: seen.append(event))
    up(stage)
    stage.do("sup/a", Die())

    assert stage.lives("a", "b") == [2, 1]
    assert seen == list(stage.system.events())


def test_an_exception_whose_text_can_not_be_had_is_a_crash_like_any_other(stage: Stage) -> None:
    class Silent(Exception):
        def __str__(self) -> str:
            raise ValueError

    up(stage)
    stage.world.starts["a"].extend([Silent(), Silent()])
    stage.do("sup/a", Die())

    assert stage.lives("a", "b") == [4, 1]
    assert "its text can't be had" in stage.events("crash")[1].reason


def test_every_life_is_a_registered_pykka_actor_as_long_as_it_lasts(stage: Stage) -> None:
    before = set(pykka.ActorRegistry.get_all())
    up(stage)
    cell = stage.system.cell("sup/a")
    assert cell is not None
    assert cell.life is not None
    ref = cell.life.actor.actor_ref
    assert ref.is_alive()
    assert ref in pykka.ActorRegistry.get_by_class(Player)

    stage.do("sup/a", Die())

    assert not ref.is_alive()
    assert ref not in pykka.ActorRegistry.get_all()
    with pytest.raises(pykka.ActorDeadError):
        ref.tell(Note())
    stage.down()
    assert set(pykka.ActorRegistry.get_all()) <= before


def test_a_pykka_reference_tells_asks_and_stops(stage: Stage) -> None:
    up(stage, restart="transient", settings=CellSettings(poison_after=1, mailbox=3))
    cell = stage.system.cell("sup/a")
    assert cell is not None
    assert cell.life is not None
    ref = cell.life.actor.actor_ref

    ref.tell(Note(n=1))
    answer = ref.ask(Note(n=2), block=False)
    owed = ref.ask(Work(seconds=100.0), block=False)
    stage.sim.settle()
    assert answer.get(timeout=0) == 1
    with pytest.raises(TypeError, match="not a message"):
        ref.tell("hello")
    stopped = ref.stop(block=False)
    stage.sim.settle()

    assert stopped.get(timeout=0) is True
    with pytest.raises(Refusal):
        owed.get(timeout=0)
    assert stage.world.notes("a") == [(1, 1), (2, 1)]
    assert stage.which() == {"a": "absent", "b": "running"}


def test_a_pykka_reference_is_told_of_a_crash_once_and_of_refusals(stage: Stage) -> None:
    up(stage, settings=CellSettings(poison_after=1))
    cell = stage.system.cell("sup/a")
    assert cell is not None
    assert cell.life is not None
    crashed = cell.life.actor.actor_ref.ask(Die(), block=False)
    stage.sim.settle()
    assert cell.life is not None
    refused = cell.life.actor.actor_ref.ask(Die(), block=False)

    with pytest.raises(ActorCrashed):
        crashed.get(timeout=0)
    with pytest.raises(Unavailable, match="set aside"):
        refused.get(timeout=0)
    assert stage.lives("a") == [2]


def test_a_message_that_is_taken_at_the_very_moment_of_the_end_goes_to_the_next_life(stage: Stage) -> None:
    up(stage)
    cell = stage.system.cell("sup/a")
    assert cell is not None
    life = cell.life
    assert life is not None
    stage.tell("sup/a", Note(n=1))
    stage.tell("sup/a", Note(n=2))

    envelope = cell.mailbox.take(life, 0.0)
    assert envelope is not None
    life.end(Killed())
    assert not life.accepts(envelope)
    stage.sim.settle()

    assert stage.world.notes("a") == [(1, 2), (2, 2)]


def test_a_message_that_is_taken_when_nobody_comes_after_is_refused_and_a_dead_letter(stage: Stage) -> None:
    up(stage, restart="temporary")
    cell = stage.system.cell("sup/a")
    assert cell is not None
    life = cell.life
    assert life is not None
    stage.tell("sup/a", Note(n=1))

    envelope = cell.mailbox.take(life, 0.0)
    assert envelope is not None
    life.end(Killed())
    stage.sim.settle()
    assert not stage.exists("sup/a")
    assert not life.accepts(envelope)

    assert [letter.message_kind for letter in stage.system.dead_letters()] == ["Note"]


def test_a_life_that_ends_the_moment_it_begins_is_seen_by_its_supervisor(stage: Stage) -> None:
    class Brief(Player):
        async def prepare(self) -> object:
            answer = await super().prepare()
            if self.incarnation < 4:
                self.spawn(self.die("error"), "brief")
                await asyncio.sleep(0)
            return answer

    stage.up(SupervisorSpec(intensity=None, children=(stage.child("a", make=Brief),)))
    stage.sim.settle()

    assert stage.lives("a") == [4]
    assert stage.which() == {"a": "running"}
