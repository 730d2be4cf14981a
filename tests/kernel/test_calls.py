"""Calls and answers across loops and threads: on the right loop, in order, and felt by nobody else."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import pytest
from aviary.actors.core.calls import TURN, call_on, calls_here, calls_of
from aviary.actors.core.deadlines import Deadlines
from aviary.actors.core.envelope import LoopReply, ThreadReply
from aviary.actors.core.guarded_loop import WorkLoop
from aviary.actors.core.mailbox import Fenced
from aviary.actors.core.message import Message
from aviary.actors.core.refusal import Conflict, DeadlineExceeded
from aviary.actors.core.simulation import SimulatedLoop
from aviary.config.clock import FakeClock
from aviary.supervisors.spec import SupervisorSpec
from kernel_stage import Die, Note, Stage


class CountingLoop(WorkLoop):
    """A loop that counts how often it is woken from outside."""

    wakes = 0

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:  # type: ignore[override]
        self.wakes += 1
        return super().call_soon_threadsafe(callback, *args, context=context)


@pytest.fixture
def loop() -> Iterator[CountingLoop]:
    loop = CountingLoop()
    calls_here(loop)
    yield loop
    if not loop.is_closed():
        loop.close()


def elsewhere(work: Callable[[], object]) -> None:
    """Do it in another thread, and wait for that."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert failed == []


# Calls


def test_many_calls_from_outside_wake_a_loop_once_and_are_made_in_their_order(loop: CountingLoop) -> None:
    made: list[int] = []

    async def run() -> None:
        calls = calls_of(loop)
        elsewhere(lambda: [calls.send(made.append, n) for n in range(3 * TURN)])
        assert made == []
        while len(made) < 3 * TURN:
            await asyncio.sleep(0)

    loop.run_until_complete(run())

    assert made == list(range(3 * TURN))
    assert loop.wakes == 1


def test_what_else_waits_on_the_loop_gets_its_turn_between_many_calls(loop: CountingLoop) -> None:
    made: list[object] = []

    async def run() -> None:
        calls = calls_of(loop)
        elsewhere(lambda: [calls.send(made.append, n) for n in range(2 * TURN)])
        elsewhere(lambda: loop.call_soon_threadsafe(made.append, "another"))
        while len(made) <= 2 * TURN:
            await asyncio.sleep(0)

    loop.run_until_complete(run())

    assert made.index("another") == TURN


@pytest.mark.parametrize("error", [ValueError("of a call"), SystemExit("of a call"), Fenced("of a call")])
def test_a_call_that_fails_keeps_nobody_from_the_others(loop: CountingLoop, error: BaseException) -> None:
    made: list[int] = []
    told: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _loop, context: told.append(context))

    def fail() -> None:
        raise error

    async def run() -> None:
        calls = calls_of(loop)
        calls.send(made.append, 1)
        calls.send(fail)
        calls.send(made.append, 2)
        while len(made) < 2:
            await asyncio.sleep(0)
        calls.send(made.append, 3)
        while len(made) < 3:
            await asyncio.sleep(0)

    loop.run_until_complete(run())

    assert made == [1, 2, 3]
    assert [str(context["exception"]) for context in told] == ["of a call"]


def test_a_call_carries_nothing_of_whoever_wakes_the_loop(loop: CountingLoop) -> None:
    whose: ContextVar[str] = ContextVar("whose", default="nobody's")
    seen: list[str] = []

    def send() -> None:
        whose.set("the sender's")
        calls_of(loop).send(lambda: seen.append(whose.get()))

    async def run() -> None:
        elsewhere(send)
        while not seen:
            await asyncio.sleep(0)

    loop.run_until_complete(run())

    assert seen == ["nobody's"]


def test_a_call_to_a_loop_that_is_closed_is_dropped(loop: CountingLoop) -> None:
    made: list[int] = []
    loop.close()

    calls_of(loop).send(made.append, 1)
    call_on(loop, made.append, 2)

    assert made == []


def test_a_call_on_ones_own_loop_is_made_at_once(loop: CountingLoop) -> None:
    made: list[int] = []

    async def run() -> None:
        call_on(loop, made.append, 1)
        assert made == [1]

    loop.run_until_complete(run())

    assert loop.wakes == 0


# Answers


@pytest.mark.parametrize("refused", [True, False])
def test_an_answer_from_another_thread_settles_the_future_on_its_own_loop(
    loop: CountingLoop, *, refused: bool
) -> None:
    async def ask() -> object:
        reply = LoopReply(loop)
        elsewhere(lambda: reply.fail(Conflict("no")) if refused else reply.set("yes"))
        # The loop has not had its turn since, and so nothing may have happened in its future.
        assert not reply.future.done()
        return await reply.future

    if refused:
        with pytest.raises(Conflict):
            loop.run_until_complete(ask())
    else:
        assert loop.run_until_complete(ask()) == "yes"


@pytest.mark.parametrize("here", [True, False])
def test_only_the_first_answer_counts(loop: CountingLoop, *, here: bool) -> None:
    told: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _loop, context: told.append(context))

    async def ask() -> object:
        reply = LoopReply(loop)

        def answer() -> None:
            reply.set(1)
            reply.fail(Conflict("too late"))
            reply.set(2)

        answer() if here else elsewhere(answer)
        answered = await reply.future
        answer() if here else elsewhere(answer)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return answered

    assert loop.run_until_complete(ask()) == 1
    assert told == []
    reply = ThreadReply()
    reply.set(1)
    reply.fail(Conflict("too late"))
    reply.set(2)
    assert reply.future.result(0) == 1


def test_an_answer_to_a_loop_that_has_gone_is_felt_by_nobody(loop: CountingLoop) -> None:
    async def ask() -> LoopReply:
        return LoopReply(loop)

    reply = loop.run_until_complete(ask())
    loop.close()

    elsewhere(lambda: reply.set(1))
    elsewhere(lambda: reply.fail(Conflict("no")))

    assert not reply.future.done()


# Deadlines


class Hours:
    """Deadlines on a loop whose clock the test moves."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.loop = SimulatedLoop(self.clock, None)
        self.deadlines = Deadlines(self.loop)
        self.over: list[tuple[str, float]] = []

    def add(self, name: str, when: float) -> asyncio.Future[Any]:
        future = self.loop.create_future()
        future.add_done_callback(
            lambda done: done.exception() and self.over.append((name, self.clock.monotonic()))
        )
        self.deadlines.add(future, when, DeadlineExceeded, name)
        return future

    def advance(self, seconds: float) -> None:
        self.loop.run_until_complete(asyncio.sleep(seconds))


@pytest.fixture
def hours() -> Iterator[Hours]:
    hours = Hours()
    yield hours
    hours.loop.close()


def test_everybody_gives_up_at_ones_own_deadline_in_whatever_order_they_came(hours: Hours) -> None:
    for name, when in (("late", 9.0), ("early", 2.0), ("middle", 5.0), ("also early", 2.0), ("last", 20.0)):
        hours.add(name, when)

    hours.advance(10.0)
    hours.add("between", 12.0)
    hours.advance(20.0)

    assert hours.over == [
        ("early", 2.0),
        ("also early", 2.0),
        ("middle", 5.0),
        ("late", 9.0),
        ("between", 12.0),
        ("last", 20.0),
    ]
    assert hours.deadlines._waiting == {}


def test_who_was_answered_or_waits_no_longer_does_not_give_up(hours: Hours) -> None:
    answered, gone, waiting = hours.add("answered", 1.0), hours.add("gone", 1.0), hours.add("waiting", 3.0)
    answered.set_result(1)
    hours.deadlines.discard(gone)
    hours.advance(5.0)

    assert not gone.done()
    assert answered.result() == 1
    assert isinstance(waiting.exception(), DeadlineExceeded)
    assert hours.over == [("waiting", 3.0)]
    hours.deadlines.discard(gone)


def test_nothing_is_kept_of_an_ask_that_was_answered_refused_or_given_up(stage: Stage) -> None:
    class Odd(Message[None]):
        """Kills."""

    stage.up(SupervisorSpec(intensity=None, children=stage.children("a")))
    deadlines = calls_of(stage.sim.loop).deadlines

    stage.ask("sup/a", Note())
    for message, how in ((Die(how="refuse"), Conflict), (Odd(), Exception)):
        with pytest.raises(how):
            stage.ask("sup/a", message)
    with pytest.raises(DeadlineExceeded):
        stage.ask("sup/a", Die(how="hang"), timeout=1.0)
    asked = stage.begin("sup/a", Note())
    asked.cancel()
    stage.sim.settle()

    assert deadlines._waiting == {}
