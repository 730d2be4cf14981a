"""One incarnation of an actor: how it begins, handles messages, and ends exactly once."""

from __future__ import annotations

import asyncio
import threading
import traceback
from collections.abc import Awaitable
from types import CoroutineType, NoneType
from typing import TYPE_CHECKING, Any

from aviary.actors.core.dispatcher import call_on
from aviary.actors.core.exits import Crash, Exit, Hung, Killed, Normal, Phase, Shutdown, describe
from aviary.actors.core.mailbox import Fenced
from aviary.actors.core.message import Message, Value
from aviary.actors.core.refusal import ActorCrashed, Refusal, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from aviary.actors.core.actor import Actor
    from aviary.actors.core.cell import Cell
    from aviary.actors.core.envelope import Envelope
    from aviary.actors.core.system import System
    from typing_extensions import TypeIs

RELEASE_TIMEOUT = 5.0
"""Default for the seconds an ending incarnation has to let go of what it holds before its successor may start."""

TURN = 64
"""Messages an actor handles in a row before it lets others on its loop run."""

_PLAIN = (NoneType, bool, int, str, bytes, tuple, list, dict, Value)

MAX_DEFERRED = 10_000
"""Answers an incarnation may owe at one time."""


class Stop(Message[None]):
    """Control: end after the message at hand."""

    control = True


class Ignore(Exception):
    """Raised by `prepare`: there is nothing to do, the actor does not want to run."""


class Started:
    """The outcome of a start that succeeded; `extra` is what `prepare` returned, `serial` tells the life."""

    __slots__ = ("extra", "serial")

    def __init__(self, extra: object, serial: int) -> None:
        self.extra = extra
        self.serial = serial


class Deferred:
    """A handler's promise to answer later; made by `AsyncActor.defer`."""

    __slots__ = ("work",)

    def __init__(self, work: Coroutine[Any, Any, object]) -> None:
        self.work = work


class Life:
    """One incarnation. `alive` turns false once and for ever; what it sends afterwards does not count."""

    def __init__(self, system: System, cell: Cell, actor: Actor) -> None:
        self.system = system
        self.cell = cell
        self.actor = actor
        self.number = cell.incarnation
        self.serial = system.next_serial()
        self.alive = True
        self.began = False
        self.finishing = False
        """Set by a handler or task that wants this life to end normally once nothing is owed any more."""
        self.reason: Exit = Normal()
        self.handling: Envelope | None = None
        self.handling_since = 0.0
        self.deferred: dict[asyncio.Task[object], tuple[Envelope, float]] = {}
        self.tasks: set[asyncio.Task[Any]] = set()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.main: asyncio.Task[None] | None = None
        self.thread: threading.Thread | None = None
        self.release_limit: asyncio.TimerHandle | None = None
        """Fires when the ending incarnation takes too long to let go; on the kernel's loop."""
        self._lock = threading.Lock()
        self._leaving = False
        self._finished = False
        self._awake = True
        """Whether the loop's actor has something to look for, or is about to see that it has not."""
        self._sleep: asyncio.Future[None] | None = None
        self._stops: list[Envelope] = []
        kernel = system.kernel.loop
        self.started: asyncio.Future[Started | Exit | Ignore] = kernel.create_future()
        """Settled on the kernel loop once prepared, or with why there is no life."""
        self.done: asyncio.Future[Exit] = kernel.create_future()
        """Settled on the kernel loop when the incarnation has ended and let go of what it held."""

    # Ending

    def end(self, reason: Exit, fatal: Envelope | None = None) -> bool:
        """Fence this incarnation off. Whether this call was the one that did it.

        `fatal` is the message that is to blame. Whoever waits for an answer is told at once; a message
        whose handling is cut short without being to blame is a dead letter.
        """
        with self._lock:
            if not self.alive:
                return False
            self.alive = False
            self.reason = reason
            handling = self.handling
        self.cell.mailbox.detach(self)
        error = self._error_for_askers(reason)
        if fatal is not None:
            fatal.refuse(error)
        for envelope in (handling, *(owed for owed, _ in tuple(self.deferred.values()))):
            if envelope is not None and envelope is not fatal:
                envelope.refuse(error)
                self.system.dead_letter(
                    self.cell.address, envelope, f"its handling was cut short: {describe(reason)}"
                )
        self.actor.actor_stopped.set()
        if self.loop is not None and self.main is not None and _current_task() is not self.main:
            call_on(self.loop, self._interrupt)
        self.system.ending(self)
        return True

    def crash(self, error: BaseException, phase: Phase, envelope: Envelope | None = None) -> None:
        """End because `error` left a handler, a start or a task; the asker is told the crash's id."""
        if not self.alive:
            return
        reason = Crash(self.system.new_id("crash"), one_line(error), phase)
        if self.end(reason, envelope):
            detail = "".join(traceback.format_exception(error))
            self.system.crashed(self, reason, detail, envelope)

    def _interrupt(self) -> None:
        # Once it lets go, the end is no reason to interrupt it: it has begun.
        if self.main is not None and not self._leaving:
            self.main.cancel()

    def finish(self) -> None:
        """The incarnation holds nothing any more; callable from any thread, counts once."""
        call_on(self.system.kernel.loop, self._finish)

    def _finish(self) -> None:
        if self._finished:
            return
        self._finished = True
        if self.release_limit is not None:
            self.release_limit.cancel()
        if not self.started.done():
            self.started.set_result(self.reason)
        self.done.set_result(self.reason)
        for stop in self._stops:
            stop.answer(None)
        self.system.ended(self)

    def _error_for_askers(self, reason: Exit) -> BaseException:
        if isinstance(reason, Crash | Hung):
            return ActorCrashed(self.cell.address, reason.crash_id)
        return Unavailable(f"{self.cell.address}: {describe(reason)}")

    # Running

    def settle_start(self, outcome: Started | Exit | Ignore) -> None:
        """Tell the supervisor how the start went; callable from any thread."""

        def settle() -> None:
            if not self.started.done():
                self.started.set_result(outcome)
                if isinstance(outcome, Started):
                    self.system.prepared(self)

        call_on(self.system.kernel.loop, settle)

    def is_over(self, envelope: Envelope, now: float) -> bool:
        """Whether nobody waits for this answer any more; if so it is a dead letter."""
        reply = envelope.reply
        if reply is None:
            return False
        if (envelope.deadline is not None and now >= envelope.deadline) or reply.abandoned():
            self.system.dead_letter(self.cell.address, envelope, "the asker has given up waiting")
            return True
        return False

    def is_set_aside(self, envelope: Envelope) -> bool:
        """Whether the message is of a poisonous kind; if so it is refused and a dead letter."""
        refusal = self.system.poisoned(self.cell, envelope.message)
        if refusal is None:
            return False
        envelope.refuse(refusal)
        self.system.dead_letter(self.cell.address, envelope, refusal.detail)
        return True

    def accepts(self, envelope: Envelope) -> bool:
        """Whether a message that was taken is to be handled; from then on it is the one at hand."""
        if envelope.message.control and isinstance(envelope.message, Stop):
            self._stops.append(envelope)
            self.end(Shutdown())
            return False
        now = self.system.clock.monotonic()
        if envelope.reply is not None and self.is_over(envelope, now):
            return False
        if self.cell.poison and self.is_set_aside(envelope):
            return False
        with self._lock:
            if self.alive:
                # In this order: the watch must not see the new message with the time of the last one.
                self.handling_since = now
                self.handling = envelope
                return True
        if not self.cell.mailbox.give_back(envelope):
            refusal = Unavailable(f"{self.cell.address} is {self.cell.state}")
            envelope.refuse(refusal)
            self.system.dead_letter(self.cell.address, envelope, refusal.detail)
        return False

    def is_handled(self) -> bool:
        """Whether the outcome of the message at hand counts: not if the fence came first."""
        with self._lock:
            if self.alive:
                self.handling = None
            return self.alive

    def begin(self) -> bool:
        """Note that the actor is prepared; whether that still counts."""
        with self._lock:
            self.began = self.alive
        if self.began:
            self.system.began(self)
        return self.began

    def attach(self, wake: Callable[[], None]) -> None:
        """Become the mailbox's reader, unless the end came first."""
        with self._lock:
            if self.alive:
                self.cell.mailbox.attach(self, wake)

    def refused(self, envelope: Envelope, refusal: Refusal) -> None:
        """A handler said no: that is an answer, and a dead letter if nobody asked."""
        if envelope.reply is None:
            self.system.dead_letter(self.cell.address, envelope, f"refused: {refusal.detail}")
        else:
            envelope.refuse(refusal)
        self.survived(envelope)

    def survived(self, envelope: Envelope) -> None:
        """Note that a kind of message did not kill."""
        cell = self.cell
        if cell.kills and cell.note_survival(type(envelope.message)):
            self.system.alarms.clear(poison_alarm(cell.address, type(envelope.message)))

    def defer(self, work: Coroutine[Any, Any, object], envelope: Envelope) -> None:
        """Run `work` beside the mailbox and answer `envelope` with its outcome."""
        if len(self.deferred) >= MAX_DEFERRED:
            work.close()
            envelope.refuse(Unavailable(f"{self.cell.address} owes too many answers"))
            return
        task = _task_of(work)
        self.deferred[task] = (envelope, self.system.clock.monotonic())
        task.add_done_callback(self._deferred_done)

    def _deferred_done(self, task: asyncio.Task[object]) -> None:
        envelope, _ = self.deferred.pop(task)
        if task.cancelled():
            if self.alive:
                self.crash(asyncio.CancelledError("cancelled from outside"), "receive", envelope)
            return
        error = task.exception()
        if not self.alive:
            return
        if error is None:
            envelope.answer(task.result())
            self.survived(envelope)
        elif isinstance(error, Refusal):
            self.refused(envelope, error)
        else:
            self.crash(error, "receive", envelope)
        self._wake_to_finish()

    def _wake_to_finish(self) -> None:
        if self.finishing:
            self._wake()

    def _wake(self) -> None:
        self._awake = True
        sleep = self._sleep
        if sleep is not None and not sleep.done():
            sleep.set_result(None)

    def _wake_from(self, loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
        home = threading.get_ident()

        def wake() -> None:
            if threading.get_ident() == home:
                self._wake()
            else:
                call_on(loop, self._wake)

        return wake

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run a background task that lives and dies with the incarnation; its crash is the actor's."""
        task = _task_of(work)
        task.set_name(f"{self.cell.address}:{name}")
        self.tasks.add(task)
        task.add_done_callback(self._task_done)
        return task

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and self.alive:
            self.crash(error, "task")
        self._wake_to_finish()

    async def run(self) -> None:
        """The life of an actor on a loop."""
        self.main = asyncio.current_task()
        loop = asyncio.get_running_loop()
        try:
            if self.alive and await self._prepare():
                self.attach(self._wake_from(loop))
                await self._serve(loop)
        except Fenced:
            self.end(Killed())
        except BaseException as error:  # noqa: BLE001 - cancelled from outside, or trouble of the kernel's own
            self.crash(error, "task")
        finally:
            self._leaving = True
            await self._let_go()
            self.finish()

    async def _prepare(self) -> bool:
        try:
            extra = await _awaited(self.actor.prepare())
        except Ignore as ignore:
            self.end(Normal())
            self.settle_start(ignore)
            return False
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is this actor's crash
            self.crash(error, "start")
            return False
        if self.begin():
            self.settle_start(Started(extra, self.serial))
        return self.alive

    async def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        mailbox = self.cell.mailbox
        turn = 0
        while self.alive:
            if self.finishing and not self.deferred:
                self.end(Normal())
                return
            envelope = mailbox.take(self)
            if envelope is None:
                turn = 0
                if not self._awake:
                    self._sleep = loop.create_future()
                    await self._sleep
                self._awake = False
                continue
            turn += 1
            if turn >= TURN:
                turn = 0
                await asyncio.sleep(0)
            if self.accepts(envelope):
                await self._handle(envelope)

    async def _handle(self, envelope: Envelope) -> None:
        try:
            result = self.actor.receive(envelope.message)
            if _is_awaitable(result):
                result = await result
        except Refusal as refusal:
            if self.is_handled():
                self.refused(envelope, refusal)
        except Fenced:
            raise
        except BaseException as error:  # noqa: BLE001 - SystemExit and CancelledError must not spread
            self.crash(error, "receive", envelope)
        else:
            if isinstance(result, Deferred):
                if self.is_handled():
                    self.defer(result.work, envelope)
                else:
                    result.work.close()
            elif self.is_handled():
                envelope.answer(result)
                if self.cell.kills:
                    self.survived(envelope)
        finally:
            self.handling = None

    async def _let_go(self) -> None:
        pending = [*self.tasks, *self.deferred]
        for task in pending:
            task.cancel()
        try:
            async with asyncio.timeout(self.actor.release_timeout):
                if pending:
                    await asyncio.wait(pending)
                await _awaited(self.actor.release())
        except BaseException as error:  # noqa: BLE001 - the end is the end, but it is told
            self.system.release_failed(self, error)

    def run_in_thread(self) -> None:
        """The life of an actor in a thread of its own."""
        self.thread = threading.current_thread()
        wakened = threading.Event()
        try:
            if self.alive and self._prepare_in_thread():
                self.attach(wakened.set)
                self._serve_in_thread(wakened)
        except Fenced:
            self.end(Killed())
        except BaseException as error:  # noqa: BLE001 - trouble of the kernel's own
            self.crash(error, "task")
        finally:
            self._release_in_thread()
            self.finish()

    def _prepare_in_thread(self) -> bool:
        try:
            extra = self.actor.prepare()
        except Ignore as ignore:
            self.end(Normal())
            self.settle_start(ignore)
            return False
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is this actor's crash
            self.crash(error, "start")
            return False
        if self.begin():
            self.settle_start(Started(extra, self.serial))
        return self.alive

    def _serve_in_thread(self, wakened: threading.Event) -> None:
        mailbox = self.cell.mailbox
        while self.alive:
            if self.finishing:
                self.end(Normal())
                return
            envelope = mailbox.take(self)
            if envelope is None:
                wakened.wait()
                wakened.clear()
            elif self.accepts(envelope):
                self._handle_in_thread(envelope)

    def _handle_in_thread(self, envelope: Envelope) -> None:
        try:
            result = self.actor.receive(envelope.message)
            if isinstance(result, CoroutineType):
                result.close()
                raise TypeError(f"{type(self.actor).__name__} has a thread, it can't await")
        except Refusal as refusal:
            if self.is_handled():
                self.refused(envelope, refusal)
        except Fenced:
            raise
        except BaseException as error:  # noqa: BLE001 - SystemExit must not spread
            self.crash(error, "receive", envelope)
        else:
            if self.is_handled():
                envelope.answer(result)
                self.survived(envelope)
        finally:
            self.handling = None

    def _release_in_thread(self) -> None:
        try:
            self.actor.release()
        except BaseException as error:  # noqa: BLE001 - the end is the end, but it is told
            self.system.release_failed(self, error)


def poison_alarm(address: str, kind: type[Message[Any]]) -> str:
    """The name of the alarm that stands while a kind of message is set aside."""
    return f"poison/{address}/{kind.__name__}"


def parked_alarm(address: str) -> str:
    """The name of the alarm that stands while a child is parked."""
    return f"parked/{address}"


def one_line(error: BaseException) -> str:
    """Type and text of an exception, whatever its `__str__` does."""
    name = type(error).__name__
    try:
        lines = str(error).splitlines()
    except Exception as worse:  # noqa: BLE001 - the text of a crash must not be the next crash
        return f"{name}: its text can't be had, {type(worse).__name__}"
    return f"{name}: {lines[0] if lines else ''}"[:300]


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
