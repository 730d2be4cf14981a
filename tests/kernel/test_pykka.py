"""pykka's own interface: what is used of it keeps pykka's promises, and the rest refuses."""

from typing import Any

import pykka
import pytest
from aviary.actors.core.cell import CellSettings
from aviary.actors.core.exits import Killed
from aviary.actors.core.life import Life, Stop
from aviary.actors.core.refusal import DeadlineExceeded
from aviary.actors.core.registry import LAST, enter, take_out
from aviary.supervisors.messages import TerminateChild
from aviary.supervisors.spec import SupervisorSpec
from kernel_live import Block, Blocking, Live
from kernel_live import Note as NoteInThread
from kernel_stage import Die, Note, Player, Stage, life_of


def up(stage: Stage, **limits: Any) -> None:
    limits.setdefault("poison_after", 1_000)
    child = stage.child("a", settings=CellSettings(**limits))
    stage.up(SupervisorSpec(intensity=None, children=(child, *stage.children("b"))))


def ref_of(stage: Stage) -> pykka.ActorRef[Any]:
    return life_of(stage).actor.actor_ref


def test_an_ask_whose_time_is_over_is_not_begun_afterwards(stage: Stage) -> None:
    up(stage)

    with pytest.raises(pykka.Timeout):
        ref_of(stage).ask(Note(n=1), timeout=0)
    kept = ref_of(stage).ask(Note(n=2), block=False)
    stage.sim.settle()

    assert stage.world.notes("a") == [(2, 1)]
    assert kept.get(timeout=0) == 1
    assert [letter.reason for letter in stage.system.dead_letters()] == ["the asker has given up waiting"]


def test_a_stop_comes_after_all_that_was_told_before_and_before_what_is_told_afterwards(stage: Stage) -> None:
    up(stage)
    ref = ref_of(stage)
    for n in range(5):
        ref.tell(Note(n=n))
    stopped = ref.stop(block=False)
    for n in range(5, 8):
        ref.tell(Note(n=n))
    stage.sim.settle()

    assert stopped.get(timeout=0) is True
    assert stage.world.notes("a") == [(n, 1 if n < 5 else 2) for n in range(8)]
    assert stage.end_of("sup/a") == "shut down"


def test_a_stop_is_taken_by_a_full_mailbox_too(stage: Stage) -> None:
    up(stage, mailbox=3)
    for n in range(5):
        stage.tell("sup/a", Note(n=n))
    stopped = ref_of(stage).stop(block=False)
    stage.sim.settle()

    assert stopped.get(timeout=0) is True
    assert stage.world.notes("a") == [(0, 1), (1, 1), (2, 1)]
    assert stage.lives("a") == [2]


def test_a_stop_is_for_one_incarnation_and_answered_if_that_has_ended_before(stage: Stage) -> None:
    up(stage)
    stage.tell("sup/a", Die())
    stopped = ref_of(stage).stop(block=False)
    stage.sim.settle()

    assert stopped.get(timeout=0) is True
    assert stage.lives("a") == [2]
    assert [letter.message_kind for letter in stage.system.dead_letters()] == ["Die"]


@pytest.mark.parametrize("removed", [True, False])
def test_a_stop_that_waits_where_nobody_comes_any_more_is_answered(stage: Stage, *, removed: bool) -> None:
    up(stage, handler_limit=None)
    stage.do("sup/a", Die(how="hang"))
    stopped = ref_of(stage).stop(block=False)

    stage.ask(*(("aviary", TerminateChild(name="sup")) if removed else ("sup", TerminateChild(name="a"))))

    assert stopped.get(timeout=0) is True
    assert [letter.message_kind for letter in stage.system.dead_letters()] == ["Die"]


def test_whoever_asks_for_a_stop_hears_of_the_end(stage: Stage) -> None:
    up(stage)

    assert stage.ask("sup/a", Stop(), timeout=5.0) is None
    assert stage.sim.clock.monotonic() == 0
    stage.sim.settle()
    assert stage.lives("a") == [2]


def test_nobody_is_started_but_by_a_supervisor(stage: Stage) -> None:
    before = pykka.ActorRegistry.get_all()

    for kind in (Player, Blocking):
        with pytest.raises(TypeError, match="is started by a supervisor"):
            kind.start(stage.world)

    assert pykka.ActorRegistry.get_all() == before


def test_there_are_no_proxies(stage: Stage) -> None:
    up(stage)

    with pytest.raises(TypeError, match="it has no proxy"):
        ref_of(stage).proxy()


def test_the_registry_holds_those_that_live_however_long_ago_they_were_entered(stage: Stage) -> None:
    before = pykka.ActorRegistry.get_all()
    names = [f"c{n}" for n in range(2 * LAST)]
    stage.up(SupervisorSpec(dynamic=True, intensity=None, children=stage.children(" ".join(names))))
    old, new = "c0", names[-1]

    for name in (old, new):
        count = len(pykka.ActorRegistry.get_all())
        cell = stage.system.cell(f"sup/{name}")
        assert cell is not None
        assert isinstance(cell.life, Life)
        ref = cell.life.actor.actor_ref
        assert ref in pykka.ActorRegistry.get_all()

        stage.ask("sup", TerminateChild(name=name))

        assert ref not in pykka.ActorRegistry.get_all()
        assert len(pykka.ActorRegistry.get_all()) == count - 1
    stage.down()
    assert pykka.ActorRegistry.get_all() == before


def test_the_registry_forgives_an_actor_that_was_taken_out_before(stage: Stage) -> None:
    up(stage)
    ref = ref_of(stage)
    before = pykka.ActorRegistry.get_all()

    take_out(ref)
    take_out(ref)
    assert ref not in pykka.ActorRegistry.get_all()
    enter(ref)

    assert set(pykka.ActorRegistry.get_all()) == set(before)
    life_of(stage).end(Killed())


def test_an_ask_of_a_thread_whose_time_is_over_is_not_begun_and_does_not_go_on_waiting(live: Live) -> None:
    live.start("a", Blocking)
    live.system.tell("a", Block())
    assert live.gate.entered.wait(20.0)
    cell = live.system.cell("a")
    assert cell is not None

    with pytest.raises(DeadlineExceeded):
        live.ask("a", NoteInThread(n=1), timeout=0.01)

    assert len(cell.mailbox) == 0
    assert [letter.reason for letter in live.system.dead_letters()] == ["the asker has given up waiting"]
    live.gate.go.set()
    live.ask("a", NoteInThread(n=2))
    assert [n for n in live.gate.handled if n > 0] == [2]
