"""One incarnation of an actor: what it is doing, what still counts, and its end, which comes exactly once.

How it runs is in `loop_life` and `thread_life`.
"""

from __future__ import annotations

import threading
import traceback
from typing import TYPE_CHECKING, Any

from aviary.actors.core.dispatcher import call_on
from aviary.actors.core.exits import Crash, Exit, Hung, Normal, Phase, Shutdown, describe, one_line
from aviary.actors.core.message import Message
from aviary.actors.core.refusal import ActorCrashed, Refusal, Unavailable

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine

    from aviary.actors.core.actor import Actor
    from aviary.actors.core.cell import Cell
    from aviary.actors.core.envelope import Envelope
    from aviary.actors.core.system import System

RELEASE_TIMEOUT = 5.0
"""Default for the seconds an ending incarnation has to let go of what it holds before its successor may start."""


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
        self.serial = system.ledger.next_serial()
        self.alive = True
        self.began = False
        self.finishing = False
        """Set by a handler or task that wants this life to end normally once nothing is owed any more."""
        self.reason: Exit = Normal()
        self.handling: Envelope | None = None
        self.handling_since = 0.0
        self.deferred: dict[asyncio.Task[object], tuple[Envelope, float]] = {}
        """The answers it owes, each with the monotonic time since when."""
        self.dropped: set[asyncio.Task[object]] = set()
        """Those of them that took too long, and whose asker has been told."""
        self.loop: asyncio.AbstractEventLoop | None = None
        """The loop it runs on, if it does."""
        self.main: asyncio.Task[None] | None = None
        """The task it runs in, on its loop."""
        self.thread: threading.Thread | None = None
        """The thread of its own, if it has one."""
        self.interrupt: Callable[[], None] | None = None
        """Cuts short what the fenced incarnation is doing, if that can be done; callable from any thread."""
        self.release_limit: asyncio.TimerHandle | None = None
        """Fires when the ending incarnation takes too long to let go; on the kernel's loop."""
        self._lock = threading.Lock()
        self._finished = False
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
                self.system.ledger.dead_letter(
                    self.cell.address, envelope, f"its handling was cut short: {describe(reason)}"
                )
        self.actor.actor_stopped.set()
        if self.interrupt is not None:
            self.interrupt()
        self.system.endings.fenced(self)
        return True

    def crash(self, error: BaseException, phase: Phase, envelope: Envelope | None = None) -> None:
        """End because `error` left a handler, a start or a task; the asker is told the crash's id."""
        if not self.alive:
            return
        reason = Crash(self.system.ledger.new_id("crash"), one_line(error), phase)
        if self.end(reason, envelope):
            detail = "".join(traceback.format_exception(error))
            self.system.endings.crashed(self, reason, detail, envelope)

    def spares(self, error: BaseException, envelope: Envelope) -> bool:
        """Whether `error` is the trouble of one request alone: its asker is told, and this life goes on."""
        if not (self.alive and self.actor.keeps_nothing and isinstance(error, Exception)) or envelope.reply is None:
            return False
        if isinstance(error, ActorCrashed):
            # Somebody else's crash, which is in the journal already.
            envelope.refuse(error)
        else:
            self._fail_request(envelope, one_line(error), "".join(traceback.format_exception(error)))
        return True

    def drop(self, envelope: Envelope, seconds: float) -> bool:
        """Whether an owed answer that takes too long is given up alone; called on the kernel's loop."""
        owed = next((task for task, (other, _) in tuple(self.deferred.items()) if other is envelope), None)
        if owed is None or self.loop is None or envelope.reply is None or not self.actor.keeps_nothing:
            return False
        if owed not in self.dropped:
            self.dropped.add(owed)
            self._fail_request(envelope, f"no answer after {seconds:.1f} s", "")
            call_on(self.loop, owed.cancel)
        return True

    def _fail_request(self, envelope: Envelope, why: str, detail: str) -> None:
        ledger, kind = self.system.ledger, type(envelope.message).__name__
        crash_id = ledger.new_id("failure")
        ledger.record_of(
            "failed_request",
            self.cell,
            incarnation=self.number,
            reason=why,
            crash_id=crash_id,
            message_kind=kind,
            detail=detail,
        )
        ledger.dead_letter(self.cell.address, envelope, f"it failed ({crash_id})")
        envelope.refuse(ActorCrashed(self.cell.address, crash_id))

    def finish(self) -> None:
        """The incarnation holds nothing any more; callable from any thread, counts once."""
        call_on(self.system.kernel.loop, self._finish)

    def release_failed(self, error: BaseException) -> None:
        """Note that the ending actor could not let go of something."""
        self.system.ledger.record_of("release_failed", self.cell, incarnation=self.number, reason=one_line(error))

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
        self.system.endings.ended(self)

    def _error_for_askers(self, reason: Exit) -> BaseException:
        if isinstance(reason, Crash | Hung):
            return ActorCrashed(self.cell.address, reason.crash_id)
        return Unavailable(f"{self.cell.address}: {describe(reason)}")

    # Beginning

    def begin(self, extra: object) -> bool:
        """Note that the actor is prepared, and what `prepare` returned; whether it lives on."""
        with self._lock:
            self.began = self.alive
        if self.began:
            self.system.ledger.record_of("start", self.cell, incarnation=self.number)
            self._settle_start(Started(extra, self.serial))
        return self.alive

    def decline(self, ignore: Ignore) -> None:
        """Note that the actor does not want to run."""
        self.end(Normal())
        self._settle_start(ignore)

    def attach(self, wake: Callable[[], None]) -> None:
        """Become the mailbox's reader, unless the end came first."""
        with self._lock:
            if self.alive:
                self.cell.mailbox.attach(self, wake)

    def _settle_start(self, outcome: Started | Ignore) -> None:
        """Tell the supervisor how the start went; callable from any thread."""
        cell = self.cell

        def settle() -> None:
            if not self.started.done():
                self.started.set_result(outcome)
                if isinstance(outcome, Started) and cell.life is self and cell.state == "starting":
                    cell.state = "running"
                    cell.started_at = self.system.clock.monotonic()

        call_on(self.system.kernel.loop, settle)

    # Messages, for whoever runs it

    def accepts(self, envelope: Envelope) -> bool:
        """Whether a message that was taken is to be handled; from then on it is the one at hand."""
        if envelope.message.control and isinstance(envelope.message, Stop):
            self._stops.append(envelope)
            self.end(Shutdown())
            return False
        now = self.system.clock.monotonic()
        if envelope.reply is not None and self._is_over(envelope, now):
            return False
        if self.cell.poison and self._is_set_aside(envelope):
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
            self.system.ledger.dead_letter(self.cell.address, envelope, refusal.detail)
        return False

    def is_handled(self) -> bool:
        """Whether the outcome of the message at hand counts: not if the fence came first."""
        with self._lock:
            if self.alive:
                self.handling = None
            return self.alive

    def refused(self, envelope: Envelope, refusal: Refusal) -> None:
        """A handler said no: that is an answer, and a dead letter if nobody asked."""
        if envelope.reply is None:
            self.system.ledger.dead_letter(self.cell.address, envelope, f"refused: {refusal.detail}")
        else:
            envelope.refuse(refusal)
        self.survived(envelope)

    def survived(self, envelope: Envelope) -> None:
        """Note that a kind of message did not kill."""
        if self.cell.kills:
            self.system.quarantine.note_survival(self.cell, type(envelope.message))

    def _is_over(self, envelope: Envelope, now: float) -> bool:
        """Whether nobody waits for this answer any more; if so it is a dead letter."""
        reply = envelope.reply
        if reply is None:
            return False
        if (envelope.deadline is not None and now >= envelope.deadline) or reply.abandoned():
            self.system.ledger.dead_letter(self.cell.address, envelope, "the asker has given up waiting")
            return True
        return False

    def _is_set_aside(self, envelope: Envelope) -> bool:
        """Whether the message is of a poisonous kind; if so it is refused and a dead letter."""
        refusal = self.system.quarantine.refusal(self.cell, envelope.message)
        if refusal is None:
            return False
        envelope.refuse(refusal)
        self.system.ledger.dead_letter(self.cell.address, envelope, refusal.detail)
        return True
