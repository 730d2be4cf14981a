"""How an incarnation lives on a loop: its handlers, the answers it owes, its background tasks."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Awaitable
from types import CoroutineType, NoneType
from typing import TYPE_CHECKING, Any

from aviary.actors.core.dispatcher import call_on
from aviary.actors.core.exits import Killed, Normal
from aviary.actors.core.life import Deferred, Ignore
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
        self._tasks: set[asyncio.Task[Any]] = set()
        self._leaving = False
        self._awake = True
        """Whether there is something to look for, or it is about to see that there is not."""
        self._sleep: asyncio.Future[None] | None = None
        life.loop = loop
        life.interrupt = self._interrupt

    def start(self) -> None:
        """Begin to run; callable from any thread."""
        call_on(self._loop, self._start)

    def _start(self) -> None:
        self._life.main = self._loop.create_task(self._run(), context=contextvars.Context())

    def defer(self, work: Coroutine[Any, Any, object], envelope: Envelope) -> None:
        """Run `work` beside the mailbox and answer `envelope` with its outcome."""
        life = self._life
        if len(life.deferred) >= MAX_DEFERRED:
            work.close()
            envelope.refuse(Unavailable(f"{life.cell.address} owes too many answers"))
            return
        task = _task_of(work)
        life.deferred[task] = (envelope, life.system.clock.monotonic())
        task.add_done_callback(self._deferred_done)

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run a background task that lives and dies with the incarnation; its crash is the actor's."""
        task = _task_of(work)
        task.set_name(f"{self._life.cell.address}:{name}")
        self._tasks.add(task)
        task.add_done_callback(self._task_done)
        return task

    # The course of a life

    async def _run(self) -> None:
        life = self._life
        life.main = asyncio.current_task()
        try:
            if life.alive and await self._prepare():
                life.attach(self._wake_from_anywhere())
                await self._serve()
        except Fenced:
            life.end(Killed())
        except BaseException as error:  # noqa: BLE001 - cancelled from outside, or trouble of the kernel's own
            life.crash(error, "task")
        finally:
            self._leaving = True
            await self._let_go()
            life.finish()

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
        mailbox = life.cell.mailbox
        turn = 0
        while life.alive:
            if life.finishing and not life.deferred:
                life.end(Normal())
                return
            envelope = mailbox.take(life)
            if envelope is None:
                turn = 0
                if not self._awake:
                    self._sleep = self._loop.create_future()
                    await self._sleep
                self._awake = False
                continue
            turn += 1
            if turn >= TURN:
                turn = 0
                await asyncio.sleep(0)
            if life.accepts(envelope):
                await self._handle(envelope)

    async def _handle(self, envelope: Envelope) -> None:
        life = self._life
        try:
            result = life.actor.receive(envelope.message)
            if _is_awaitable(result):
                result = await result
        except Refusal as refusal:
            if life.is_handled():
                life.refused(envelope, refusal)
        except Fenced:
            raise
        except BaseException as error:  # noqa: BLE001 - SystemExit and CancelledError must not spread
            if not life.spares(error, envelope):
                life.crash(error, "receive", envelope)
        else:
            if isinstance(result, Deferred):
                if life.is_handled():
                    self.defer(result.work, envelope)
                else:
                    result.work.close()
            elif life.is_handled():
                envelope.answer(result)
                if life.cell.kills:
                    life.survived(envelope)
        finally:
            life.handling = None

    async def _let_go(self) -> None:
        life = self._life
        pending = [*self._tasks, *life.deferred]
        for task in pending:
            task.cancel()
        try:
            async with asyncio.timeout(life.actor.release_timeout):
                if pending:
                    await asyncio.wait(pending)
                await _awaited(life.actor.release())
        except BaseException as error:  # noqa: BLE001 - the end is the end, but it is told
            life.release_failed(error)

    # What ends beside the mailbox

    def _deferred_done(self, task: asyncio.Task[object]) -> None:
        life = self._life
        envelope, _ = life.deferred.pop(task)
        if task.cancelled():
            if task in life.dropped:
                life.dropped.discard(task)
            elif life.alive:
                life.crash(asyncio.CancelledError("cancelled from outside"), "receive", envelope)
            return
        error = task.exception()
        if not life.alive:
            return
        if error is None:
            envelope.answer(task.result())
            life.survived(envelope)
        elif isinstance(error, Refusal):
            life.refused(envelope, error)
        elif not life.spares(error, envelope):
            life.crash(error, "receive", envelope)
        self._wake_to_finish()

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and self._life.alive:
            self._life.crash(error, "task")
        self._wake_to_finish()

    # Waking and interrupting

    def _wake(self) -> None:
        self._awake = True
        sleep = self._sleep
        if sleep is not None and not sleep.done():
            sleep.set_result(None)

    def _wake_to_finish(self) -> None:
        if self._life.finishing:
            self._wake()

    def _wake_from_anywhere(self) -> Callable[[], None]:
        home = threading.get_ident()

        def wake() -> None:
            if threading.get_ident() == home:
                self._wake()
            else:
                call_on(self._loop, self._wake)

        return wake

    def _interrupt(self) -> None:
        main = self._life.main
        if main is not None and _current_task() is not main:
            call_on(self._loop, self._cancel)

    def _cancel(self) -> None:
        # Once it lets go, the end is no reason to interrupt it: it has begun.
        if self._life.main is not None and not self._leaving:
            self._life.main.cancel()


def _task_of[R](work: Coroutine[Any, Any, R]) -> asyncio.Task[R]:
    task = asyncio.ensure_future(_contained(work))
    # A task that is cancelled before its first step leaves the work unbegun, which Python complains about.
    task.add_done_callback(lambda _task: work.close())
    return task


async def _contained[R](work: Coroutine[Any, Any, R]) -> R:
    # asyncio lets these two out of the loop, which would end every actor on it.
    try:
        return await work
    except (SystemExit, KeyboardInterrupt) as error:
        raise RuntimeError(f"{type(error).__name__} in a task") from error


def _current_task() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


async def _awaited(result: object) -> object:
    return await result if _is_awaitable(result) else result


def _is_awaitable(result: object) -> TypeIs[Awaitable[object]]:
    # `inspect.isawaitable` finds the same, but takes longest for the plain values that most answers are.
    return isinstance(result, CoroutineType) or (not isinstance(result, _PLAIN) and isinstance(result, Awaitable))
