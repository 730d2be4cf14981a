"""One incarnation of an actor: what it is doing, what still counts, and its end, which comes exactly once.

What it has taken from the mailbox of its address is the mailbox's to account for (`Mailbox.settle`), so that a
message is answered, refused, or told as a dead letter once, whoever comes first. How an incarnation runs is in
`loop_life` and `thread_life`; what follows from its end is its overseer's business.
"""

from __future__ import annotations

import threading
import traceback
from typing import TYPE_CHECKING, Any, Protocol

from aviary.actors.core.calls import call_on
from aviary.actors.core.events import shortened
from aviary.actors.core.exits import Crash, Exit, Hung, Normal, Phase, Shutdown, describe, one_line
from aviary.actors.core.message import Message
from aviary.actors.core.refusal import ActorCrashed, NoAnswer, Refusal

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine

    import pykka
    from aviary.actors.core.cell import Cell
    from aviary.actors.core.envelope import Envelope
    from aviary.actors.core.ledger import Ledger
    from aviary.actors.core.quarantine import Quarantine
    from aviary.config.clock import Clock

RELEASE_TIMEOUT = 5.0
"""Default for the seconds an ending incarnation has to let go of what it holds before its successor may start."""


class Stop(Message[None]):
    """Control: end after the message at hand."""

    control = True


class StopInTurn(Message[None]):
    """End after everything that was sent before."""


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


class Behaviour(Protocol):
    """What an incarnation runs: an actor, as far as its life has to know it."""

    actor_stopped: threading.Event

    @property
    def release_timeout(self) -> float | None:
        """Seconds that letting go may take."""
        ...

    @property
    def keeps_nothing(self) -> bool:
        """Whether what fails is one request, and not the incarnation."""
        ...

    @property
    def actor_ref(self) -> pykka.ActorRef[Any]:
        """Pykka's reference to it."""
        ...

    def prepare(self) -> Any:
        """Build the state."""

    def receive(self, message: Any) -> Any:
        """Handle one message."""

    def release(self) -> Any:
        """Let go of what is held."""


class Overseer(Protocol):
    """Where a life is led: what it needs, and who is told what becomes of it. From whatever thread."""

    kernel: asyncio.AbstractEventLoop
    clock: Clock
    ledger: Ledger
    quarantine: Quarantine

    def crashed(self, life: Life, reason: Crash, detail: str, fatal: Envelope | None) -> None:
        """A life has crashed, over the message `fatal` if there is one to blame."""

    def fenced(self, life: Life) -> None:
        """A life has been fenced off and lets go now."""

    def left_behind(self, life: Life, tasks: set[asyncio.Task[Any]]) -> None:
        """These tasks of an ended life, if any, take no notice of their cancellation. On their loop."""

    def ended(self, life: Life) -> None:
        """A life has ended and holds nothing any more. On the kernel's loop."""


class Armed(Protocol):
    """Something that is to be sent to a life later."""

    def end(self) -> None:
        """Send nothing any more. On the kernel's loop."""


class Runner(Protocol):
    """How a life runs, as far as others have to do with it. Each is callable from any thread."""

    def interrupt(self) -> None:
        """Cut short what the fenced incarnation is doing, as far as that can be done."""

    def is_main(self, task: asyncio.Task[Any]) -> bool:
        """Whether this task is the one that handles its messages."""
        ...

    def drop(self, envelope: Envelope) -> None:
        """Cancel what would answer a message that has been settled without it."""

    def abandon(self) -> None:
        """It did not end in time: let go of what it holds without it, as far as that can be done."""


class Life:
    """One incarnation. `alive` turns false once and for ever; what it sends afterwards does not count."""

    def __init__(self, overseer: Overseer, cell: Cell, actor: Behaviour) -> None:
        self.overseer = overseer
        self.cell = cell
        self.actor = actor
        self.number = cell.incarnation
        self.serial = overseer.ledger.next_serial()
        self.alive = True
        self.began = False
        self.began_at = 0.0
        self.ended_at = 0.0
        """The monotonic times of the end of its start, and of the fence."""
        self.finishing = False
        """Set by a handler or task that wants this life to end normally once nothing is owed any more."""
        self.reason: Exit = Normal()
        self.handling: Envelope | None = None
        """The message at hand; that, and what it has deferred, is in its hands at the mailbox."""
        self.loop: asyncio.AbstractEventLoop | None = None
        """The loop it runs on, if it does."""
        self.thread: threading.Thread | None = None
        """The thread of its own, if it has one."""
        self.runner: Runner | None = None
        self.timers: set[Armed] = set()
        """What is to be sent to it later; the kernel's loop alone looks here."""
        self.limit: asyncio.TimerHandle | None = None
        """Fires when the ending incarnation takes too long to let go; on the kernel's loop."""
        self._lock = threading.Lock()
        self._finished = False
        self._stops: list[Envelope] = []
        self.started: asyncio.Future[Started | Exit | Ignore] = overseer.kernel.create_future()
        """Settled on the kernel loop once prepared, or with why there is no life."""
        self.done: asyncio.Future[Exit] = overseer.kernel.create_future()
        """Settled on the kernel loop when the incarnation has ended and let go of what it held."""

    # Ending

    def end(self, reason: Exit, fatal: Envelope | None = None, *, handled: bool = False) -> bool:
        """Fence this incarnation off. Whether this call was the one that did it.

        `fatal` is the message that is to blame, and nothing is done if that has been settled meanwhile. Whoever
        waits for an answer is told at once; a message whose handling is cut short without being to blame is a
        dead letter, unless the one at hand counts as `handled`.
        """
        with self._lock:
            owed = self.cell.mailbox.detach(self, fatal)
            if owed is None:
                return False
            self.reason = reason
            self.ended_at = self.overseer.clock.monotonic()
            self.alive = False
        error = self._error_for_askers(reason)
        for envelope in owed:
            if handled and envelope is self.handling:
                envelope.answer(None)
                continue
            envelope.refuse(error)
            if envelope is not fatal:
                why = f"its handling was cut short: {describe(reason)}"
                self.overseer.ledger.dead_letter(self.cell.address, envelope, why)
        self.actor.actor_stopped.set()
        if self.runner is not None:
            self.runner.interrupt()
        self.overseer.fenced(self)
        return True

    def crash(self, error: BaseException, phase: Phase, envelope: Envelope | None = None) -> None:
        """End because `error` left a handler, a start or a task; the asker is told the crash's id."""
        if not self.alive:
            return
        reason = Crash(self.overseer.ledger.new_id("crash"), one_line(error), phase)
        if self.end(reason, envelope):
            self.overseer.crashed(self, reason, _traceback_of(error), envelope)

    def fence(self) -> None:
        """Wait for whoever is fencing this incarnation off at this moment, so that `reason` is right."""
        with self._lock:
            self.alive = False

    def failed(self, error: BaseException, envelope: Envelope) -> None:
        """`error` left the handler of a message: it ends that one request or, but for `keeps_nothing`, this life."""
        if not (self.actor.keeps_nothing and isinstance(error, Exception)) or envelope.reply is None:
            self.crash(error, "receive", envelope)
        elif self._settles(envelope):
            if isinstance(error, ActorCrashed):
                # Somebody else's crash, which is in the journal already.
                envelope.refuse(error)
            else:
                self._fail_request(envelope, one_line(error), _traceback_of(error))

    def drop(self, envelope: Envelope, seconds: float) -> bool:
        """Whether an owed answer that takes too long is given up alone; from whatever thread."""
        if not self.actor.keeps_nothing or envelope.reply is None or envelope is self.handling:
            return False
        if self._settles(envelope):
            self._fail_request(envelope, f"no answer after {seconds:.1f} s", "")
            if self.runner is not None:
                self.runner.drop(envelope)
        return True

    def _fail_request(self, envelope: Envelope, why: str, detail: str) -> None:
        ledger, kind = self.overseer.ledger, type(envelope.message).__name__
        crash_id = ledger.new_id("failure")
        self.record("failed_request", reason=why, crash_id=crash_id, message_kind=kind, detail=detail)
        ledger.dead_letter(self.cell.address, envelope, f"it failed ({crash_id})")
        envelope.refuse(ActorCrashed(self.cell.address, crash_id))

    def finish(self) -> None:
        """The incarnation holds nothing any more; callable from any thread, counts once."""
        call_on(self.overseer.kernel, self._finish)

    def release_failed(self, error: BaseException) -> None:
        """Note that the ending actor could not let go of something."""
        self.record("release_failed", reason=one_line(error))

    def record(self, kind: Any, **more: Any) -> None:
        """Add an entry about this life to the stream, with what waits at its address."""
        cell = self.cell
        self.overseer.ledger.record(kind, cell.address, incarnation=self.number, mailbox=len(cell.mailbox), **more)

    def _finish(self) -> None:
        if self._finished:
            return
        self._finished = True
        if self.limit is not None:
            self.limit.cancel()
        if not self.started.done():
            self.started.set_result(self.reason)
        self.done.set_result(self.reason)
        for stop in self._stops:
            stop.answer(None)
        self.overseer.ended(self)

    def _error_for_askers(self, reason: Exit) -> BaseException:
        if isinstance(reason, Crash | Hung):
            return ActorCrashed(self.cell.address, reason.crash_id)
        # It had begun to work on what was asked.
        return NoAnswer(f"{self.cell.address}: {describe(reason)}")

    # Beginning

    def begin(self, extra: object) -> bool:
        """Note that the actor is prepared, and what `prepare` returned; whether it lives on."""
        with self._lock:
            self.began = self.alive
            self.began_at = self.overseer.clock.monotonic()
        if self.began:
            self.record("start")
            self._settle_start(Started(extra, self.serial))
        return self.alive

    def decline(self, ignore: Ignore) -> None:
        """Note that the actor does not want to run."""
        self.end(Normal())
        self._settle_start(ignore)

    def _settle_start(self, outcome: Started | Ignore) -> None:
        """Tell the supervisor how the start went; callable from any thread."""
        cell = self.cell

        def settle() -> None:
            if not self.started.done():
                self.started.set_result(outcome)
                if isinstance(outcome, Started) and cell.life is self and cell.state == "starting":
                    cell.state = "running"
                    cell.started_at = self.began_at

        call_on(self.overseer.kernel, settle)

    # Messages, for whoever runs it

    def take(self) -> Envelope | None:
        """The next message, in this incarnation's hands from now on; `None` if there is none. Raises `Fenced`."""
        mailbox = self.cell.mailbox
        if mailbox.is_empty() and self.alive:
            return None
        return mailbox.take(self, self.overseer.clock.monotonic(), only_control=self.finishing)

    def accepts(self, envelope: Envelope) -> bool:
        """Whether a message that was taken is to be handled, from now on; one that is not has been settled."""
        if envelope.serial and envelope.serial != self.serial:
            # Of a timer of an earlier life, or to stop that one.
            if self._settles(envelope):
                envelope.answer(None)
            return False
        kind = type(envelope.message)
        if kind is Stop or kind is StopInTurn:
            if self._settles(envelope):
                self._stops.append(envelope)
                self.end(Shutdown())
            return False
        reply = envelope.reply
        if reply is not None and (
            reply.abandoned() or (envelope.deadline is not None and envelope.since >= envelope.deadline)
        ):
            return self._drops(envelope, "the asker has given up waiting")
        if self.cell.poison and (refusal := self.overseer.quarantine.refusal(self.cell, envelope.message)):
            return self._drops(envelope, refusal.detail, refusal)
        if not self.cell.mailbox.begin(self, envelope):
            return False
        self.handling = envelope
        return True

    def answered(self, envelope: Envelope, value: object) -> None:
        """A message was handled: its answer counts, unless the fence came first."""
        if self.cell.mailbox.settle(self, envelope):
            if envelope.reply is not None:
                envelope.reply.set(value)
            if self.cell.kills:
                self._survived(envelope)

    def refused(self, envelope: Envelope, refusal: Refusal) -> None:
        """A handler said no: that is an answer, and a dead letter if nobody asked."""
        if self._settles(envelope):
            self._deny(envelope, refusal)
            self._survived(envelope)

    def denied(self, envelope: Envelope, refusal: Refusal) -> None:
        """The kernel said no to a message that a handler had accepted."""
        if self._settles(envelope):
            self._deny(envelope, refusal)

    def _deny(self, envelope: Envelope, refusal: Refusal) -> None:
        if envelope.reply is None:
            self.overseer.ledger.dead_letter(self.cell.address, envelope, f"refused: {refusal.detail}")
        else:
            envelope.refuse(refusal)

    def _drops(self, envelope: Envelope, why: str, refusal: Refusal | None = None) -> bool:
        if self._settles(envelope):
            if refusal is not None:
                envelope.refuse(refusal)
            self.overseer.ledger.dead_letter(self.cell.address, envelope, why)
        return False

    def _settles(self, envelope: Envelope) -> bool:
        """Whether it was this incarnation's to settle: not if the fence came first."""
        return self.cell.mailbox.settle(self, envelope)

    def _survived(self, envelope: Envelope) -> None:
        """Note that a kind of message did not kill."""
        if self.cell.kills:
            self.overseer.quarantine.note_survival(self.cell, type(envelope.message))


def _traceback_of(error: BaseException) -> str:
    try:
        return shortened("".join(traceback.format_exception(error)))
    except Exception as worse:  # noqa: BLE001 - the text of a crash must not be the next crash
        return f"{one_line(error)}\n(its traceback can't be had: {one_line(worse)})"
