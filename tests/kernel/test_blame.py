"""Who is to blame: whatever code exits or blocks, it costs one actor its life, and the message that did it is charged."""

import asyncio
import logging
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from aviary.actors.core import watchdog
from aviary.actors.core.cell import CellSettings
from aviary.actors.core.dispatcher import LoopDispatcher
from aviary.actors.core.life import Life
from aviary.actors.core.message import Message
from aviary.actors.core.refusal import ActorCrashed, Unavailable
from aviary.supervisors.spec import SupervisorSpec
from kernel_live import DEADLINE, Blocking, Live, Looping
from kernel_live import Block as BlockThread
from kernel_live import Note as LiveNote
from kernel_stage import Note, Player, Stage

EXITS = [SystemExit(1), KeyboardInterrupt()]


class Exit(Message[object]):
    """Has something raise `SystemExit` or the like beside the handler."""

    where: str
    later: bool
    error: BaseException


class Exiting(Player):
    """Uses a library that starts tasks and callbacks of its own, in a handler or in an answer that is owed."""

    async def receive(self, message: Message[Any]) -> object:
        match message:
            case Exit(later=True):
                return self.defer(self.beside(message))
            case Exit():
                return await self.beside(message)
            case _:
                return await super().receive(message)

    async def beside(self, message: Exit) -> str:
        loop, error = asyncio.get_running_loop(), message.error

        def callback(*_: object) -> None:
            raise error

        async def work() -> None:
            raise error

        match message.where:
            case "task":
                self.kept = loop.create_task(work())
            case "soon":
                loop.call_soon(callback)
            case "later":
                loop.call_later(1.0, callback)
            case "at":
                loop.call_at(loop.time() + 1.0, callback)
            case "from outside":
                loop.call_soon_threadsafe(callback)
            case "done":
                future = loop.create_future()
                future.add_done_callback(callback)
                future.set_result(None)
        await asyncio.sleep(2.0)
        return "went on"


WHERE = ["task", "soon", "later", "at", "from outside", "done"]


@pytest.mark.parametrize("error", EXITS)
@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("later", [True, False])
def test_an_exit_in_a_task_or_callback_ends_the_actor_that_began_it_and_nobody_else(
    stage: Stage, where: str, error: BaseException, *, later: bool
) -> None:
    child = stage.child("a", make=Exiting, settings=CellSettings(poison_after=2))
    stage.up(SupervisorSpec(intensity=None, children=(child, stage.child("b"))))
    stage.ask("sup/a", Note())

    with pytest.raises(ActorCrashed):
        stage.ask("sup/a", Exit(where=where, later=later, error=error))
    stage.sim.advance(5.0)

    assert stage.lives("a", "b") == [2, 1]
    (crash,) = stage.events("crash", address="sup/a")
    assert type(error).__name__ in crash.reason
    # What is owed beside the mailbox is known by its context; a handler might only be a bystander.
    assert crash.message_kind == ("Exit" if later else None)
    cell = stage.system.cell("sup/a")
    assert cell is not None
    assert cell.kills == ({Exit: 1} if later else {})


@pytest.mark.parametrize("where", WHERE)
def test_an_exit_of_nobodys_is_told_and_ends_nobody(
    stage: Stage, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def of_nobody() -> None:
        def callback(*_: object) -> None:
            raise SystemExit(3)

        async def work() -> None:
            raise SystemExit(3)

        loop = asyncio.get_running_loop()
        match where:
            case "task":
                await asyncio.wait([loop.create_task(work())])
            case "soon" | "done":
                loop.call_soon(callback)
            case "later":
                loop.call_later(1.0, callback)
            case "at":
                loop.call_at(loop.time() + 1.0, callback)
            case "from outside":
                loop.call_soon_threadsafe(callback)
        await asyncio.sleep(2.0)

    stage.up(SupervisorSpec(children=stage.children("a")))
    with caplog.at_level(logging.ERROR, "aviary.kernel"):
        stage.sim.run(of_nobody())

    assert stage.ask("sup/a", Note()) == 1
    assert "of nobody that lives here" in caplog.text


class Leave(Message[str]):
    """Calls `sys.exit` beside the handler, on a real loop."""

    where: str


class Leaving(Looping):
    async def receive(self, message: Message[Any]) -> object:
        if not isinstance(message, Leave):
            return await super().receive(message)
        loop = asyncio.get_running_loop()

        async def work() -> None:
            sys.exit(1)

        match message.where:
            case "task":
                self.kept = loop.create_task(work())
            case "soon":
                loop.call_soon(sys.exit, 1)
            case "later":
                loop.call_later(0.0, sys.exit, 1)
            case "at":
                loop.call_at(loop.time(), sys.exit, 1)
            case "from outside":
                loop.call_soon_threadsafe(sys.exit, 1)
            case "done":
                future = loop.create_future()
                future.add_done_callback(lambda _done: sys.exit(1))
                future.set_result(None)
        await loop.create_future()
        return "never"


@pytest.mark.parametrize("where", WHERE)
def test_an_exit_on_a_real_loop_ends_one_actor_and_never_the_loop(live: Live, where: str) -> None:
    live.start("a", Leaving)
    live.start("b", Looping)
    thread = live.system.dispatcher("work").thread  # type: ignore[attr-defined]
    assert live.ask("b", LiveNote()) == 1

    with pytest.raises(ActorCrashed):
        live.ask("a", Leave(where=where))

    assert live.ask("a", LiveNote()) == 2
    assert live.ask("b", LiveNote()) == 1
    assert live.system.dispatcher("work").thread is thread  # type: ignore[attr-defined]
    assert thread.is_alive()
    (crash,) = [event for event in live.system.events() if event.kind == "crash"]
    assert (crash.address, crash.reason[:23]) == ("a", "RuntimeError: SystemExi")


def test_an_exit_out_of_code_that_a_loop_calls_without_us_does_not_end_the_loop(live: Live) -> None:
    live.start("b", Looping)
    dispatcher = live.system.dispatcher("work")
    assert isinstance(dispatcher, LoopDispatcher)

    class Going:
        """What a library may leave for the end of a loop's turn."""

        def __call__(self) -> None:
            raise SystemExit(2)

    from uvloop import Loop

    # Not through the guard.
    Loop.call_soon_threadsafe(dispatcher.loop, Going())

    assert live.ask("b", LiveNote()) == 1
    assert dispatcher.thread.is_alive()


# Blocked loops


class BlockBeside(Message[str]):
    """Blocks the loop's thread in a place that is not the handler itself."""

    where: str


class Beside(Looping):
    """Blocks in what it owes, in the background or in a library's task."""

    async def receive(self, message: Message[Any]) -> object:
        if not isinstance(message, BlockBeside):
            return await super().receive(message)

        async def work() -> None:
            # Its handler has given the loop back by then.
            await asyncio.sleep(0)
            self.gate.block()

        match message.where:
            case "deferred":
                return self.defer(work())
            case "spawned":
                self.spawn(work(), "working")
            case "a library's, deferred":
                return self.defer(self.library(work()))
            case "a library's":
                return await self.library(work())
        return await asyncio.get_running_loop().create_future()

    async def library(self, work: Any) -> object:
        self.kept = asyncio.get_running_loop().create_task(work)
        return await self.kept


def replaced(live: Live, message: Message[Any]) -> BaseException | None:
    """Have an actor block its loop and that loop replaced; what its asker was told."""

    async def replace() -> None:
        watchdog.replace(live.system, "work")

    with ThreadPoolExecutor(1) as pool:
        asked: Future[Any] = pool.submit(live.ask, "stuck", message)
        assert live.gate.entered.wait(DEADLINE)
        live.on_kernel(replace())
        return asked.exception(DEADLINE)


@pytest.mark.parametrize(
    ("message", "blamed"),
    [
        (BlockThread(), "BlockThread"),
        (BlockBeside(where="deferred"), "BlockBeside"),
        (BlockBeside(where="a library's, deferred"), "BlockBeside"),
        (BlockBeside(where="spawned"), None),
        (BlockBeside(where="a library's"), None),
    ],
)
def test_whatever_blocks_its_loop_is_blamed_and_only_the_message_that_did_it_is_charged(
    live: Live, message: Message[Any], blamed: str | None
) -> None:
    live.start("stuck", Beside, poison_after=1)
    live.start("bystander", Looping, poison_after=1)
    old = live.system.dispatcher("work")
    assert isinstance(old, LoopDispatcher)
    assert live.ask("bystander", LiveNote()) == 1

    assert isinstance(replaced(live, message), ActorCrashed)

    assert live.ask("stuck", LiveNote()) == 2
    assert live.ask("bystander", LiveNote()) == 2
    kind = type(message)
    hung = {event.address: event.message_kind for event in live.system.events() if event.kind == "hung"}
    assert set(hung) == {"stuck", "bystander"}
    assert hung["bystander"] is None
    cells = {name: live.system.cell(name) for name in ("stuck", "bystander")}
    poison = {name: set(cell.poison) for name, cell in cells.items() if cell is not None}
    assert poison == {"stuck": {kind} if blamed else set(), "bystander": set()}
    assert (hung["stuck"] == kind.__name__) is (blamed is not None)
    (detail,) = [event.detail for event in live.system.events() if event.kind == "hung" and event.detail]
    assert "in block" in detail
    if blamed:
        with pytest.raises(Unavailable, match="set aside"):
            live.ask("stuck", message)
    assert live.system.dispatcher("work") is not old
    assert live.system.statistics().abandoned_threads == 1
    live.gate.go.set()
    old.thread.join(DEADLINE)
    assert not old.thread.is_alive()
    assert live.system.statistics().abandoned_threads == 0


def test_a_message_that_is_at_hand_while_the_background_blocks_is_told_and_not_charged(live: Live) -> None:
    live.start("stuck", Beside, poison_after=1)

    assert isinstance(replaced(live, BlockBeside(where="spawned")), ActorCrashed)

    assert live.ask("stuck", LiveNote()) == 2
    letters = [(letter.message_kind, letter.reason[:25]) for letter in live.system.dead_letters()]
    assert letters == [("BlockBeside", "its handling was cut shor")]
    cell = live.system.cell("stuck")
    assert cell is not None
    assert cell.kills == {}


def test_a_loop_is_made_once_however_many_ask_for_it_at_the_same_time(live: Live) -> None:
    barrier = threading.Barrier(4)

    def get(_n: int) -> object:
        barrier.wait(DEADLINE)
        return live.system.dispatcher("shared")

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(get, range(4)))) == 1


# Hung threads


class Holding(Blocking):
    """Would be waited for, for ever, if it were not known that it hangs."""

    release_timeout = None


def test_nobody_waits_for_a_hung_thread_to_let_go(live: Live) -> None:
    live.start("a", Holding, poison_after=1)

    async def hang() -> None:
        cell = live.system.cell("a")
        assert cell is not None
        assert isinstance(cell.life, Life)
        (envelope,) = cell.mailbox.taken()
        live.system.endings.hang(cell.life, envelope, 99.0)

    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(live.ask, "a", BlockThread())
        assert live.gate.entered.wait(DEADLINE)
        live.on_kernel(hang())
        assert isinstance(asked.exception(DEADLINE), ActorCrashed)

    assert live.ask("a", LiveNote()) == 2
    assert live.system.statistics().abandoned_threads == 1
    with pytest.raises(Unavailable, match="set aside"):
        live.ask("a", BlockThread())
    live.gate.go.set()
    assert live.gate.left.wait(DEADLINE)


def test_a_thread_that_finishes_takes_no_more_whatever_waits(live: Live) -> None:
    class Brief(Blocking):
        def receive(self, message: Message[Any]) -> object:
            if isinstance(message, BlockThread):
                self.gate.block()
                self.finish()
                return "done"
            return super().receive(message)

    live.start("a", Brief)
    live.system.tell("a", BlockThread())
    assert live.gate.entered.wait(DEADLINE)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(live.ask, "a", LiveNote())
        cell = live.system.cell("a")
        assert cell is not None
        while len(cell.mailbox) < 1:
            threading.Event().wait(0.001)
        live.gate.go.set()

        assert asked.result(DEADLINE) == 2
