"""The dead act no more, let go of what they held, and hold nobody up."""

import asyncio
import contextlib
import gc
from typing import Any

import pytest
from aviary.actors.core.cell import CellSettings
from aviary.actors.core.endings import PROMPT
from aviary.actors.core.exits import ChildExited, Crash, Killed
from aviary.actors.core.life import Life
from aviary.actors.core.loop_life import TURN
from aviary.actors.core.mailbox import Fenced
from aviary.actors.core.message import Message
from aviary.actors.core.refusal import ActorCrashed, Unavailable
from aviary.supervisors.messages import DeleteChild, Reconfigure, StartChild, TerminateChild, WhichChildren
from aviary.supervisors.spec import SupervisorSpec
from kernel_stage import SECOND, Die, Note, Player, Stage, Stubborn, Work, life_of, one_child


class Trader(Player):
    """Acts on the outside world in the background, and may be deaf to its end."""

    release_timeout = 1.0

    async def prepare(self) -> object:
        self.spawn(self.quote(), "quote")
        return await super().prepare()

    async def quote(self) -> None:
        while True:
            await asyncio.sleep(10.0)
            self.world.log.append(("order", self.name, self.incarnation, self.clock.monotonic()))

    async def receive(self, message: Message[Any]) -> object:
        if isinstance(message, Work):
            return await deaf()
        return await super().receive(message)


async def deaf() -> None:
    while True:
        try:
            await asyncio.sleep(1_000.0)
        except asyncio.CancelledError:
            continue


def releases(stage: Stage) -> list[int]:
    return [entry[2] for entry in stage.world.log if entry[0] == "stop"]


# Those that can't be ended


def test_the_background_tasks_of_a_life_that_can_not_be_ended_act_no_more(stage: Stage) -> None:
    one_child(stage, Trader, handler_limit=5.0)

    for _ in range(3):
        stage.tell("sup/a", Work(seconds=1.0))
        stage.sim.advance(60.0)
    now = stage.sim.clock.monotonic()
    stage.sim.advance(600.0)

    assert stage.lives("a") == [4]
    later = {
        life for word, _, life, at in (e for e in stage.world.log if len(e) == 4 and e[0] == "order") if at > now
    }
    assert later == {4}


def test_a_life_that_can_not_be_ended_is_told_counted_and_lets_go_all_the_same(stage: Stage) -> None:
    one_child(stage, Trader, handler_limit=5.0)

    for count in (1, 2, 3):
        stage.tell("sup/a", Work(seconds=1.0))
        stage.sim.advance(60.0)
        assert stage.system.statistics().abandoned_tasks == count

    told = stage.events("release_failed", address="sup/a")
    assert len(told) == 3
    assert "1 tasks can't be ended" in told[0].reason
    assert releases(stage) == [1, 2, 3]
    assert stage.ask("sup/a", Note()) == 4


def test_a_background_task_that_can_not_be_ended_is_told_counted_and_forgotten_when_it_ends(stage: Stage) -> None:
    let_go: list[asyncio.Event] = []

    class Clinging(Player):
        release_timeout = 1.0

        async def prepare(self) -> object:
            if self.incarnation == 1:
                self.spawn(self.cling(), "clinging")
            return await super().prepare()

        async def cling(self) -> None:
            let_go.append(asyncio.Event())
            while not let_go[0].is_set():
                try:
                    await let_go[0].wait()
                except asyncio.CancelledError:
                    continue

    one_child(stage, Clinging)
    stage.sim.advance(1.0)
    stage.do("sup/a", Die())
    stage.sim.advance(5.0)

    assert stage.lives("a") == [2]
    (told,) = stage.events("release_failed")
    assert told.reason == "1 tasks can't be ended: sup/a:clinging"
    assert stage.system.statistics().abandoned_tasks == 1
    let_go[0].set()
    stage.sim.settle()
    assert stage.system.statistics().abandoned_tasks == 0
    stage.sim.advance(1.0)
    assert stage.system.endings._tasks == set()


def test_release_has_all_of_its_time_however_long_the_background_tasks_took(stage: Stage) -> None:
    class Polite(Player):
        async def prepare(self) -> object:
            self.spawn(self.linger(), "lingering")
            return await super().prepare()

        async def linger(self) -> None:
            try:
                await asyncio.sleep(10_000.0)
            finally:
                await asyncio.sleep(8.0)

    one_child(stage, Polite)
    stage.world.stops["a"] = 4.0
    stage.sim.advance(1.0)
    for _ in range(3):
        stage.do("sup/a", Die())
        stage.sim.advance(60.0)

    assert releases(stage) == [1, 2, 3]
    assert stage.lives("a") == [4]


def test_nobody_acts_any_more_when_its_actor_lets_go(stage: Stage) -> None:
    order: list[str] = []

    class Orderly(Player):
        async def prepare(self) -> object:
            self.spawn(self.linger(), "lingering")
            return await super().prepare()

        async def linger(self) -> None:
            try:
                await asyncio.sleep(10_000.0)
            finally:
                order.append("task")

        async def release(self) -> None:
            order.append("release")

    one_child(stage, Orderly)
    stage.sim.advance(1.0)
    stage.do("sup/a", Die(how="normal"))
    stage.sim.advance(1.0)

    assert order == ["task", "release"]
    assert stage.lives("a") == [2]


def test_the_background_tasks_of_a_fenced_life_are_cancelled_at_once(stage: Stage) -> None:
    class Slow(Trader):
        async def receive(self, message: Message[Any]) -> object:
            if isinstance(message, Work):
                try:
                    await asyncio.sleep(1_000.0)
                finally:
                    # Its main task takes its time to notice.
                    await asyncio.sleep(1.5)
            return await super().receive(message)

    one_child(stage, Slow, handler_limit=None)
    stage.do("sup/a", Work(seconds=1.0))
    (task,) = life_of(stage).runner._tasks  # type: ignore[union-attr]

    life_of(stage).end(Killed())
    stage.sim.settle()

    assert task.done()
    assert stage.sim.clock.monotonic() == 0


def test_a_release_that_never_ends_is_given_up(stage: Stage) -> None:
    class Endless(Player):
        release_timeout = 1.0

        async def release(self) -> None:
            await deaf()

    one_child(stage, Endless)
    stage.do("sup/a", Die())
    stage.sim.advance(1.0 + PROMPT + 2.0 + PROMPT + 0.1)

    assert stage.ask("sup/a", Note()) == 2


def test_release_is_called_once_however_the_life_ends(stage: Stage) -> None:
    for how in (
        "error",
        "exit",
        "cancel",
        "cancel oneself",
        "normal",
        "shutdown",
        "task",
        "task exit",
        "task finish",
    ):
        one_child(stage)
        stage.do("sup/a", Die(how=how))
        stage.sim.advance(1.0)
        life_of(stage).end(Killed())
        stage.sim.advance(1.0)
        stage.world.starts["a"].append(ValueError("start"))
        life_of(stage).end(Killed())
        stage.sim.advance(1.0)

        assert releases(stage) == [1, 2, 3, 4], how
        stage.ask("aviary", TerminateChild(name="sup"))
        stage.world.log.clear()


# The fenced


def test_a_fenced_life_spawns_nothing(stage: Stage) -> None:
    ran: list[str] = []

    async def work() -> None:
        ran.append("ran")

    one_child(stage)
    actor: Any = life_of(stage).actor
    life_of(stage).end(Killed())

    with pytest.raises(Fenced):
        actor.spawn(work(), "late")
    gc.collect()
    stage.sim.settle()

    assert ran == []


def test_what_is_spawned_as_the_fence_comes_down_does_not_run(stage: Stage) -> None:
    ran: list[str] = []

    async def work() -> None:
        ran.append("ran")

    async def fence_and_spawn() -> None:
        life = life_of(stage)
        life.end(Killed())
        # Between the look at the fence and the task, another thread may have put it there.
        life.runner.spawn(work(), "late")  # type: ignore[union-attr]

    one_child(stage)
    stage.sim.run(fence_and_spawn())
    stage.sim.settle()

    assert ran == []


def test_what_is_deferred_by_a_handler_that_was_fenced_off_does_not_run(stage: Stage) -> None:
    ran: list[str] = []

    async def work() -> None:
        ran.append("ran")

    class Deaf(Player):
        async def die(self, how: str) -> Any:
            with contextlib.suppress(asyncio.CancelledError):
                await super().die(how)
            return self.defer(work())

    one_child(stage, Deaf)
    stage.do("sup/a", Die(how="hang"))
    life_of(stage).end(Killed())
    stage.sim.settle()

    assert ran == []
    assert stage.lives("a") == [2]


def test_a_life_that_has_ended_ends_once_however_often_it_is_told_to(stage: Stage) -> None:
    async def finish_twice() -> None:
        life.end(Killed())
        life.finish()
        life.finish()

    one_child(stage)
    life = life_of(stage)
    stage.sim.run(finish_twice())
    stage.sim.settle()

    assert stage.lives("a") == [2]
    assert [event.incarnation for event in stage.events("stop", address="sup/a")] == [1]


def test_who_lives_at_an_address_that_is_removed_is_killed_with_all_below_it(stage: Stage) -> None:
    one_child(stage)
    life = life_of(stage)

    stage.system.directory.remove("sup")
    stage.sim.settle()

    assert not life.alive
    assert stage.world.did("stop") == ["a"]
    assert not stage.exists("sup/a")


@pytest.mark.parametrize("outcome", [ValueError("gone"), "hang", "ignore"])
def test_whoever_asked_for_a_start_that_failed_is_told_when_it_has_let_go(stage: Stage, outcome: object) -> None:
    one_child(stage)
    stage.world.starts["b"].append(outcome)
    stage.world.stops["b"] = 4.0

    # One that does not want to run is no failure.
    with contextlib.nullcontext() if outcome == "ignore" else pytest.raises(Unavailable, match="did not start"):
        stage.ask("sup", StartChild(spec=stage.child("b", start_timeout=1.0)))

    assert stage.world.did("stop") == ["b"]


def test_a_life_that_is_killed_before_its_first_step_ends_at_once(stage: Stage) -> None:
    async def kill_the_next() -> float:
        cell = stage.system.cell("sup/a")
        assert cell is not None
        first = cell.life
        assert first is not None
        first.end(Killed())
        while cell.life is None or cell.life is first:
            await asyncio.sleep(0)
        before = stage.system.clock.monotonic()
        cell.life.end(Killed())
        assert isinstance(cell.life, Life)
        await asyncio.shield(cell.life.done)
        return stage.system.clock.monotonic() - before

    one_child(stage)

    assert stage.sim.run(kill_the_next()) == 0
    stage.sim.settle()
    assert stage.lives("a") == [3]


def test_the_end_of_another_is_no_end_of_ones_own_but_a_crash_like_any_other(stage: Stage) -> None:
    kept: list[Player] = []

    class Kept(Player):
        async def prepare(self) -> object:
            kept.append(self)
            return await super().prepare()

    class Caller(Player):
        async def receive(self, message: Message[Any]) -> object:
            if isinstance(message, Work):
                kept[0].tell("sup/x", Note())
            return await super().receive(message)

    limits = CellSettings(poison_after=2)
    children = (
        stage.child("kept", make=Kept, restart="temporary"),
        stage.child("caller", make=Caller, settings=limits),
    )
    stage.up(SupervisorSpec(intensity=None, children=children))
    stage.do("sup/kept", Die(how="normal"))

    for _ in range(2):
        with pytest.raises(ActorCrashed):
            stage.ask("sup/caller", Work(seconds=1.0))
    with pytest.raises(Unavailable, match="set aside"):
        stage.ask("sup/caller", Work(seconds=1.0))

    assert [event.reason for event in stage.events("crash", address="sup/caller")] == ["Fenced: "] * 2
    assert stage.events("stop", address="sup/caller") == []


class Listener(Player):
    """Tells itself what it hears of the kernel, and never unsubscribes."""

    heard = 0

    async def prepare(self) -> object:
        def hear(_topic: str, _event: object) -> None:
            type(self).heard += 1
            self.tell(self.address, Note(n=7))

        self.system.bus.subscribe("kernel", hear)
        return await super().prepare()


def test_a_listener_that_has_ended_is_felt_by_nobody_and_not_called_again(stage: Stage) -> None:
    listener = type("Listener", (Listener,), {"heard": 0})
    limits = CellSettings(handler_limit=5.0, poison_after=99)
    children = (
        stage.child("listener", make=listener, restart="temporary"),
        stage.child("a", settings=limits),
        *stage.children("b", backoff=SECOND),
    )
    stage.up(SupervisorSpec(intensity=None, children=children))
    stage.do("sup/listener", Die(how="normal"))
    stage.do("sup/b", Die())
    heard = listener.heard  # type: ignore[attr-defined]
    for _ in range(2):
        stage.tell("sup/a", Die(how="hang"))
        stage.sim.advance(30.0)

    assert listener.heard == heard  # type: ignore[attr-defined]
    assert [cell.incarnation for cell in stage.system.tree() if cell.address in {"aviary", "sup"}] == [1, 1]
    assert stage.lives("a", "b") == [3, 2]
    assert stage.ask("sup/b", Note()) == 2


# Supervisors


def test_the_children_of_a_supervisor_that_is_killed_are_killed_at_once(stage: Stage) -> None:
    stage.world.stops.update({"x": 3.0, "y": 3.0})
    inner = SupervisorSpec(children=stage.children("x y", shutdown=None))
    middle = SupervisorSpec(children=(stage.nested("inner", inner),))
    stage.up(SupervisorSpec(children=(stage.nested("middle", middle, shutdown=0),)))
    before = stage.sim.clock.monotonic()
    addresses = ["sup/middle", "sup/middle/inner", "sup/middle/inner/x", "sup/middle/inner/y"]
    lives = [life_of(stage, address) for address in addresses]

    killing = stage.begin("sup", TerminateChild(name="middle"))

    # Before anybody lets go, which takes a while, all of them are fenced off.
    assert [life.alive for life in lives] == [False] * 4
    stage.finish(killing)
    assert [stage.end_of(address) for address in addresses] == ["killed"] * 4
    # All let go at the same time, in whatever order they are waited for.
    assert stage.sim.clock.monotonic() - before == pytest.approx(3.0)


def test_a_supervisor_that_is_ended_from_outside_kills_its_children_without_a_polite_word(stage: Stage) -> None:
    busy = stage.child("x", make=Stubborn, shutdown=None)
    inner = stage.nested("inner", SupervisorSpec(children=(busy,)), restart="temporary")
    stage.up(SupervisorSpec(children=(inner,)))
    stage.do("sup/inner/x", Die(how="busy"))

    life_of(stage, "sup/inner").end(Killed())
    stage.sim.advance(0.1)

    assert not stage.exists("sup/inner")
    assert stage.end_of("sup/inner/x") == "killed"


def test_whatever_lives_below_a_supervisor_that_could_not_stop_it_is_killed_at_its_end(stage: Stage) -> None:
    inner = stage.nested("inner", SupervisorSpec(children=stage.children("x")), restart="temporary")
    stage.up(SupervisorSpec(children=(inner,)))
    supervisor = life_of(stage, "sup/inner")
    child = life_of(stage, "sup/inner/x")

    # It is abandoned: its release never comes to its children.
    supervisor.finish()
    stage.sim.settle()

    assert not child.alive


def test_a_late_exit_of_a_childs_earlier_existence_does_not_count(stage: Stage) -> None:
    stage.up(SupervisorSpec(intensity=0, children=stage.children("a b")))
    first = life_of(stage).serial
    stage.ask("sup", TerminateChild(name="a"))
    stage.ask("sup", DeleteChild(name="a"))
    stage.ask("sup", StartChild(spec=stage.child("a")))

    stage.do("sup", ChildExited(address="sup/a", serial=first, reason=Crash("id", "late"), lived=0.0))

    assert stage.lives("a", "b") == [1, 1]
    assert stage.which() == {"b": "running", "a": "running"}
    assert stage.events("escalation", "restart", "backoff") == []


def test_a_child_that_was_never_started_is_asked_nothing(stage: Stage) -> None:
    stage.up(SupervisorSpec())
    new = stage.nested("new", SupervisorSpec())
    stage.ask("sup", Reconfigure(spec=SupervisorSpec(children=(new,))))

    with pytest.raises(Unavailable, match="is stopped"):
        stage.ask("sup/new", WhichChildren())

    assert stage.sim.clock.monotonic() == 0


def test_a_child_that_has_died_is_not_shown_as_running_while_its_supervisor_is_busy(stage: Stage) -> None:
    stage.up(SupervisorSpec(intensity=None, children=(stage.child("a"), stage.child("slow", start_timeout=None))))
    stage.world.starts["slow"].append(600.0)
    stage.do("sup/slow", Die())
    stage.world.stops["a"] = 5.0
    stage.do("sup/a", Die())

    def seen() -> tuple[str, float]:
        return next((cell.state, cell.uptime) for cell in stage.system.tree() if cell.address == "sup/a")

    assert seen() == ("stopping", 0.0)
    stage.sim.advance(10.0)
    assert seen() == ("backing_off", 0.0)


def test_a_healthy_life_is_one_that_was_long_and_not_one_whose_end_was_noticed_late(stage: Stage) -> None:
    children = (stage.child("a", backoff=SECOND), stage.child("slow", start_timeout=None))
    stage.up(SupervisorSpec(intensity=None, children=children))
    for _ in range(4):
        stage.do("sup/a", Die())
        stage.sim.advance(20.0)
    cell = stage.system.cell("sup/a")
    assert cell is not None
    assert cell.attempt == 4

    stage.world.starts["slow"].append(70.0)
    stage.do("sup/slow", Die())
    stage.do("sup/a", Die())
    stage.sim.advance(71.0)

    assert cell.attempt == 5


# Turns and finishing


def test_two_busy_actors_of_a_loop_take_turns(stage: Stage) -> None:
    stage.up(SupervisorSpec(children=stage.children("a b")))
    each = 10 * TURN
    for name in "ab":
        for n in range(each):
            stage.tell(f"sup/{name}", Note(n=n))
    stage.sim.settle()

    order = [name for word, name, *_ in stage.world.log if word == "note"]
    assert len(order) == 2 * each
    changes = [place for place in range(1, len(order)) if order[place] != order[place - 1]]
    longest = max(after - before for before, after in zip([0, *changes], [*changes, len(order)], strict=True))
    # In a shuffled order one may have a few turns in a row, by chance.
    assert longest <= 8 * TURN


def test_whoever_finishes_takes_no_more_work_and_ends_when_nothing_is_owed(stage: Stage) -> None:
    async def load() -> None:
        for n in range(40):
            stage.tell("sup/a", Work(seconds=1.0))
            await asyncio.sleep(0.5)
            if n == 4:
                stage.tell("sup/a", Die(how="normal"))

    stage.up(SupervisorSpec(intensity=None, children=stage.children("a")))
    stage.sim.run(load())

    (end,) = stage.events("stop", address="sup/a")
    assert end.at - stage.sim.clock.EPOCH <= 4.0
    assert end.reason == "ended"
    assert stage.lives("a") == [2]
    assert stage.system.dead_letters() == ()
