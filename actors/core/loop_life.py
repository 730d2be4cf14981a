"""How an incarnation lives on a loop: its handlers, the answers it owes, its background tasks."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Awaitable
from types import CoroutineType, NoneType
from typing import TYPE_CHECKING, Any

from aviary.actors.core.acting import ACTING
from aviary.actors.core.calls import calls_of
from aviary.actors.core.exits import Killed, Normal
from aviary.actors.core.life import RELEASE_TIMEOUT, Deferred, Ignore
from aviary.actors.core.mailbox import Fenced
from aviary.actors.core.message import Value
from aviary.actors.core.refusal import Refusal, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from aviary.actors.core.envelope import Envelope
    from aviary.actors.core.life import Life
    from typing_extensions import TypeIs

TURN = 64
"""Messages an actor handles in a row before it lets others on its loop run."""

MAX_DEFERRED = 10_000
"""Answers an incarnation may owe at one time."""

_PLAIN = (NoneType, bool, int, str, bytes, tuple, list, dict, Value)


class LoopLife:
    """Runs one incarnation on a loop, in a task of its own."""

    def __init__(self, life: Life, loop: asyncio.AbstractEventLoop) -> None:
        self._life = life
        self._loop = loop
        self._calls = calls_of(loop)
        self._main: asyncio.Task[None] | None = None
        self._abandoned: asyncio.Task[None] | None = None
        self._deferred: dict[asyncio.Task[object], Envelope] = {}
        self._tasks: dict[asyncio.Task[Any], None] = {}
        """What it runs in the background, in the order in which that was begun."""
        self._entered = False
        self._leaving = False
        self._awake = True
        """Whether there is something to look for, or it is about to see that there is not."""
        self._sleep: asyncio.Future[None] | None = None
        life.loop = loop
        life.runner = self

    def start(self) -> None:
        """Begin to run; callable from any thread."""
        self._on_loop(self._start)

    def _start(self) -> None:
        self._main = self._own_task(self._run())

    def _own_task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        # Named, for asyncio's own names count the tasks of the whole process: the journal of a seed would differ.
        return asyncio.Task(work, loop=self._loop, name=self._life.cell.address, context=self._context())

    def _context(self) -> contextvars.Context:
        # Nothing of whoever starts it: what it begets is this life's alone.
        context = contextvars.Context()
        context.run(ACTING.set, (self._life, None))
        return context

    def defer(self, work: Coroutine[Any, Any, object], envelope: Envelope) -> None:
        """Run `work` beside the mailbox and answer `envelope` with its outcome."""
        life = self._life
        if len(self._deferred) >= MAX_DEFERRED:
            work.close()
            life.denied(envelope, Unavailable(f"{life.cell.address} owes too many answers"))
            return
        token = ACTING.set((life, envelope))
        task = _task_of(work)
        ACTING.reset(token)
        task.set_name(f"{life.cell.address}:{type(envelope.message).__name__}")
        self._deferred[task] = envelope
        task.add_done_callback(self._deferred_done)
        if not life.alive:
            task.cancel()

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run a background task that lives and dies with the incarnation; its crash is the actor's."""
        task = _task_of(work)
        task.set_name(f"{self._life.cell.address}:{name}")
        self._tasks[task] = None
        task.add_done_callback(self._task_done)
        if not self._life.alive:
            task.cancel()
        return task

    # The course of a life

    async def _run(self) -> None:
        life = self._life
        self._entered = True
        try:
            if life.alive and await self._prepare():
                life.cell.mailbox.listen(life, self._wake)
                await self._serve()
        except Fenced:
            life.end(Killed())
        except BaseException as error:  # noqa: BLE001 - cancelled from outside, or trouble of the kernel's own
            life.crash(error, "task")
        finally:
            if not self._leaving:
                await self._let_go()

    async def _prepare(self) -> bool:
        life = self._life
        try:
            extra = await _awaited(life.actor.prepare())
        except Ignore as ignore:
            life.decline(ignore)
            return False
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is this actor's crash
            life.crash(error, "start")
            return False
        return life.begin(extra)

    async def _serve(self) -> None:
        life = self._life
        turn = 0
        while life.alive:
            if life.finishing and not self._deferred:
                life.end(Normal())
                return
            if turn >= TURN:
                # Before the next message is taken: whatever ends this life here finds nothing in its hands.
                turn = 0
                await asyncio.sleep(0)
            envelope = life.take()
            if envelope is None:
                turn = 0
                if not self._awake:
                    self._sleep = self._loop.create_future()
                    await self._sleep
                self._awake = False
                continue
            turn += 1
            if life.accepts(envelope):
                unfinished = self._handle(envelope)
                if unfinished is not None:
                    await self._handle_on(envelope, unfinished)
                life.handling = None

    def _handle(self, envelope: Envelope) -> Awaitable[object] | None:
        """Handle a message, and settle it unless there is something to await first."""
        life = self._life
        try:
            result = life.actor.receive(envelope.message)
            if _is_awaitable(result):
                return result
        except Refusal as refusal:
            life.refused(envelope, refusal)
        except BaseException as error:  # noqa: BLE001 - SystemExit, CancelledError and another's fence must not spread
            life.failed(error, envelope)
        else:
            self._handled(envelope, result)
        return None

    async def _handle_on(self, envelope: Envelope, unfinished: Awaitable[object]) -> None:
        life = self._life
        try:
            result = await unfinished
        except Refusal as refusal:
            life.refused(envelope, refusal)
        except BaseException as error:  # noqa: BLE001 - as above
            life.failed(error, envelope)
        else:
            self._handled(envelope, result)

    def _handled(self, envelope: Envelope, result: object) -> None:
        if isinstance(result, Deferred):
            self.defer(result.work, envelope)
        else:
            self._life.answered(envelope, result)

    # The end

    async def _let_go(self) -> None:
        self._leaving = True
        life = self._life
        limit = life.actor.release_timeout
        life.fence()
        try:
            await _feel_cancellation()
            beside = self._cancel_beside()
            if beside:
                _, deaf = await asyncio.wait(beside, timeout=RELEASE_TIMEOUT if limit is None else limit)
                life.overseer.left_behind(life, deaf)
            releasing = life.actor.release()
            if _is_awaitable(releasing):
                async with asyncio.timeout(limit):
                    await releasing
        except BaseException as error:  # noqa: BLE001 - the end is the end, but it is told
            life.release_failed(error)
        finally:
            life.let_go()

    def interrupt(self) -> None:
        """Cancel everything that the fenced incarnation runs; callable from any thread."""
        self._on_loop(self._interrupt)

    def _interrupt(self) -> None:
        # Once it lets go, the end is no reason to interrupt it: it has begun. And a task that is cancelled before
        # its first step would never come to let go.
        main = self._main
        if main is not None and self._entered and not self._leaving and main is not _current_task():
            main.cancel()
        if not self._leaving:
            self._cancel_beside()

    def _cancel_beside(self) -> list[asyncio.Task[Any]]:
        current = _current_task()
        # In an order of ours: that of a set is another one each time.
        beside = [task for task in (*self._tasks, *self._deferred) if task is not current]
        for task in beside:
            task.cancel()
        return beside

    def write_down(self, piece: Callable[[], None]) -> None:
        """Do some paperwork in its turn among that of all who live here; at once from another thread."""
        if self._calls.are_here():
            self._calls.paperwork.do(piece)
        else:
            piece()

    def is_main(self, task: asyncio.Task[Any]) -> bool:
        """Whether this task is the one that handles its messages."""
        return task is self._main

    def drop(self, envelope: Envelope) -> None:
        """Cancel the deferred work for a message that has been settled without it; callable from any thread."""
        self._calls.send(self._drop, envelope)

    def _drop(self, envelope: Envelope) -> None:
        for task, owed in tuple(self._deferred.items()):
            if owed is envelope:
                task.cancel()

    def abandon(self) -> None:
        """Let go without the main task, if that takes no notice of its end; callable from any thread."""
        self._on_loop(self._abandon)

    def _abandon(self) -> None:
        if not self._leaving and self._main is not None:
            self._leaving = True
            self._life.overseer.left_behind(self._life, {self._main})
            self._abandoned = self._own_task(self._let_go())

    # What ends beside the mailbox

    def _deferred_done(self, task: asyncio.Task[object]) -> None:
        life = self._life
        envelope = self._deferred.pop(task)
        if task.cancelled():
            life.crash(asyncio.CancelledError("cancelled from outside"), "receive", envelope)
        elif (error := task.exception()) is None:
            life.answered(envelope, task.result())
        elif isinstance(error, Refusal):
            life.refused(envelope, error)
        else:
            life.failed(error, envelope)
        self._wake_to_finish()

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._life.crash(error, "task")
        self._wake_to_finish()

    # Waking

    def _wake(self) -> None:
        # Whoever is awake looks once more before it sleeps. This is read after the message was queued.
        if self._awake:
            return
        if self._calls.are_here():
            self._rouse()
        else:
            self._calls.send(self._rouse)

    def _rouse(self) -> None:
        self._awake = True
        sleep = self._sleep
        if sleep is not None and not sleep.done():
            sleep.set_result(None)

    def _wake_to_finish(self) -> None:
        if self._life.finishing:
            self._rouse()

    def _on_loop(self, callback: Any) -> None:
        if self._calls.are_here():
            callback()
        else:
            self._calls.send(callback)


def _task_of[R](work: Coroutine[Any, Any, R]) -> asyncio.Task[R]:
    return asyncio.get_running_loop().create_task(work)


def _current_task() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


async def _feel_cancellation() -> None:
    """Let a cancellation of before the end come now, if the task has not felt it yet: it is no reason to hold on."""
    task = _current_task()
    if task is not None and task.cancelling():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0)


async def _awaited(result: object) -> object:
    return await result if _is_awaitable(result) else result


def _is_awaitable(result: object) -> TypeIs[Awaitable[object]]:
    # `inspect.isawaitable` finds the same, but takes longest for the plain values that most answers are.
    return isinstance(result, CoroutineType) or (not isinstance(result, _PLAIN) and isinstance(result, Awaitable))
