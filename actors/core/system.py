"""The system: every address and its mailbox, the ways to send, and what is done when a life ends."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import logging
import threading
import traceback
from collections import deque
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, Any, Literal

import pykka
from aviary.actors.core.actor import Actor
from aviary.actors.core.address import Address, checked
from aviary.actors.core.alarms import Alarm, Alarms
from aviary.actors.core.bus import Bus
from aviary.actors.core.cell import Cell, CellSettings, CellView
from aviary.actors.core.dispatcher import BorrowedLoop, Dispatcher, LoopDispatcher, call_on
from aviary.actors.core.envelope import Envelope, LoopReply, ThreadReply
from aviary.actors.core.events import TOPIC, EventKind, KernelEvent
from aviary.actors.core.exits import Crash, Escalated, Exit, Hung, Killed, Normal, Shutdown, describe
from aviary.actors.core.life import (
    RELEASE_TIMEOUT,
    Ignore,
    Life,
    Started,
    Stop,
    one_line,
    parked_alarm,
    poison_alarm,
)
from aviary.actors.core.mailbox import MailboxClosed, MailboxFull
from aviary.actors.core.message import Message, Value
from aviary.actors.core.refusal import DeadlineExceeded, NotFound, Refusal, Unavailable
from aviary.config.chance import chance as source_of_chance
from aviary.config.clock import Clock, SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    type Cancel = Callable[[], None]

log = logging.getLogger("aviary.kernel")

REMEMBERED = 5_000
"""Kernel events and dead letters that are kept in memory."""


class ChildExited(Message[None]):
    """Control, to a supervisor: an incarnation of a child has ended and holds nothing any more."""

    control = True

    address: Address
    serial: int
    """Tells this life from every other one of the system."""
    reason: Exit


class DeadLetter(Value):
    """A message that was not delivered or was dropped. Its content is not shown: it may hold secrets."""

    at: float
    address: Address
    message_kind: str
    reason: str


class Statistics(Value):
    """Counts of the whole system."""

    addresses: int
    dead_letters: int
    crashes: int
    hung: int
    abandoned_threads: int


class System:
    """Where actors live. Sending is safe from any thread; starting and ending belong to the kernel's loop."""

    def __init__(
        self,
        kernel: Dispatcher,
        *,
        clock: Clock,
        chance: Random,
        single_threaded: bool = False,
    ) -> None:
        self.kernel = kernel
        self.clock = clock
        self.chance = chance
        self.single_threaded = single_threaded
        self.bus = Bus()
        self.alarms = Alarms(clock, self._alarm_changed)
        self._cells: dict[Address, Cell] = {}
        self._below: dict[Address, dict[Address, Cell]] = {}
        self._dispatchers: dict[str, Dispatcher] = {"kernel": kernel}
        self._dispatchers_lock = threading.Lock()
        self._events: deque[KernelEvent] = deque(maxlen=REMEMBERED)
        self._dead_letters: deque[DeadLetter] = deque(maxlen=REMEMBERED)
        self._dead_count = 0
        self._crash_count = 0
        self._hung_count = 0
        self._abandoned: list[threading.Thread] = []
        self._serials = itertools.count(1)

    @classmethod
    def live(cls) -> System:
        """A system on the machine's clock, its kernel on a loop in a thread of its own."""
        clock = SystemClock()
        return cls(LoopDispatcher("kernel", clock), clock=clock, chance=source_of_chance())

    # Sending

    def tell(self, address: Address, message: Message[Any]) -> None:
        """Send without waiting; what can't be delivered becomes a dead letter. Never raises."""
        self.deliver(address, Envelope(message))

    def deliver(self, address: Address, envelope: Envelope) -> None:
        """Queue an envelope; what can't be delivered is refused, or a dead letter if nobody asked."""
        try:
            self.send(address, envelope)
        except Refusal as refusal:
            if envelope.reply is None:
                self.dead_letter(address, envelope, refusal.detail)
            else:
                envelope.refuse(refusal)

    async def ask[R](self, address: Address, message: Message[R], *, timeout: float) -> R:  # noqa: ASYNC109
        """Send and await the answer.

        Waits, up to `timeout` seconds, for an actor that is between two incarnations. Raises the
        handler's `Refusal`, `ActorCrashed` if the message killed its handler, `NotFound` for an
        unknown address, `Unavailable` for one that is stopped, parked or full, and
        `DeadlineExceeded` if no answer came in time.
        """
        loop = asyncio.get_running_loop()
        reply = LoopReply(loop)
        self.send(address, Envelope(message, reply, self.clock.monotonic() + timeout))
        future = reply.future
        if future.done():
            return future.result()  # type: ignore[no-any-return]
        timer = loop.call_later(timeout, self._expire, future, address, message, timeout)
        try:
            return await future  # type: ignore[no-any-return]
        finally:
            timer.cancel()

    def ask_blocking[R](self, address: Address, message: Message[R], *, timeout: float) -> R:
        """Like `ask`, for a thread that may block. Not on an event loop."""
        if self.single_threaded:
            raise RuntimeError("a single-threaded system can't block its only thread")
        if _is_on_a_loop():
            raise RuntimeError("an event loop's thread must not block: use `ask`")
        reply = ThreadReply()
        self.send(address, Envelope(message, reply, self.clock.monotonic() + timeout))
        try:
            return reply.future.result(timeout)  # type: ignore[no-any-return]
        except FutureTimeoutError:
            reply.future.cancel()
            raise self._late(address, message, timeout) from None

    def send(self, address: Address, envelope: Envelope) -> None:
        """Queue an envelope at an address. Raises `NotFound` or `Unavailable`."""
        cell = self._cells.get(address)
        if cell is None:
            raise NotFound(f"{address} does not exist")
        message = envelope.message
        if not message.control:
            if cell.poison and (refusal := self.poisoned(cell, message)) is not None:
                raise refusal
            if cell.state in {"stopped", "parked"}:
                raise self._at_rest(cell)
        try:
            cell.mailbox.put(envelope)
        except MailboxFull:
            raise Unavailable(f"{address} has too many messages waiting", retry_after=1.0) from None
        except MailboxClosed:
            raise self._at_rest(cell) from None

    def poisoned(self, cell: Cell, message: Message[Any]) -> Unavailable | None:
        """The refusal for a message whose kind is set aside at this moment, `None` for any other."""
        kind = type(message)
        now = self.clock.monotonic()
        if not cell.is_poison(kind, now):
            return None
        return Unavailable(
            f"{cell.address}: {kind.__name__} is set aside, it killed {cell.kills.get(kind, 0)} incarnations",
            retry_after=max(cell.poison.get(kind, now) - now, 0.0),
        )

    @staticmethod
    def _at_rest(cell: Cell) -> Unavailable:
        why = f": {cell.last_failure}" if cell.state == "parked" and cell.last_failure else ""
        return Unavailable(f"{cell.address} is {cell.state}{why}")

    @staticmethod
    def _late(address: Address, message: Message[Any], timeout: float) -> DeadlineExceeded:
        return DeadlineExceeded(f"{address} did not answer {type(message).__name__} within {timeout:g} s")

    def _expire(
        self, future: asyncio.Future[Any], address: Address, message: Message[Any], timeout: float
    ) -> None:
        if not future.done():
            future.set_exception(self._late(address, message, timeout))

    def schedule(self, life: Life, delay: float, message: Message[Any]) -> Cancel:
        """Send `message` to `life`'s address in `delay` seconds, if it still lives then."""
        timer: list[asyncio.TimerHandle] = []
        cancelled = threading.Event()

        def fire() -> None:
            if life.alive and not cancelled.is_set():
                self.tell(life.cell.address, message)

        def arm() -> None:
            if not cancelled.is_set():
                timer.append(self.kernel.loop.call_later(max(delay, 0.0), fire))

        def cancel() -> None:
            cancelled.set()
            call_on(self.kernel.loop, disarm)

        def disarm() -> None:
            for handle in timer:
                handle.cancel()

        call_on(self.kernel.loop, arm)
        return cancel

    # Addresses, for supervisors; on the kernel's loop

    def add(
        self,
        address: Address,
        *,
        parent: Address | None,
        settings: CellSettings | None = None,
        kind: Literal["supervisor", "worker"] = "worker",
    ) -> Cell:
        """Make an address with an empty mailbox. `ValueError` if it exists or is malformed."""
        if checked(address) in self._cells:
            raise ValueError(f"{address} exists")
        cell = Cell(address, parent, kind, settings or CellSettings())
        self._cells[address] = cell
        if parent is not None:
            self._below.setdefault(parent, {})[address] = cell
        return cell

    def remove(self, address: Address) -> None:
        """Forget an address and all below it; what waits there is refused and becomes dead letters."""
        own = self._cells.get(address)
        for cell in [*reversed(self.below(address)), *([] if own is None else [own])]:
            del self._cells[cell.address]
            self._below.pop(cell.address, None)
            if cell.parent is not None:
                self._below.get(cell.parent, {}).pop(cell.address, None)
            if cell.life is not None:
                cell.life.end(Killed())
            cell.state = "stopped"
            self._empty(cell, f"{cell.address} does not exist any more")
            self.alarms.clear(parked_alarm(cell.address))
            for kind in cell.poison:
                self.alarms.clear(poison_alarm(cell.address, kind))

    def rest(self, cell: Cell, state: Literal["stopped", "parked"], why: str) -> None:
        """Let an address come to rest, and all below it: what waits there is refused, nothing is accepted."""
        cell.state = state
        for resting in (*reversed(self.below(cell.address)), cell):
            if resting.state != "parked":
                resting.state = "stopped"
            resting.next_try_at = None
            self._empty(resting, why)

    def _empty(self, cell: Cell, why: str) -> None:
        for envelope in cell.mailbox.close():
            if isinstance(envelope.message, ChildExited | Stop):
                envelope.answer(None)
                continue
            envelope.refuse(Unavailable(why))
            self.dead_letter(cell.address, envelope, why)

    def cell(self, address: Address) -> Cell | None:
        """The record of an address."""
        return self._cells.get(address)

    def below(self, address: Address) -> list[Cell]:
        """The records of everything that is supervised from an address, parents before children."""
        found: list[Cell] = []
        for cell in self._below.get(address, {}).values():
            found.append(cell)
            found.extend(self.below(cell.address))
        return found

    def tree(self) -> tuple[CellView, ...]:
        """A picture of every address, in order of creation."""
        now, monotonic = self.clock.now(), self.clock.monotonic()
        return tuple(cell.view(now, monotonic) for cell in tuple(self._cells.values()))

    # Lives, for supervisors; on the kernel's loop

    async def start(
        self,
        cell: Cell,
        factory: Callable[[], Actor],
        timeout: float | None,  # noqa: ASYNC109
    ) -> Started | Exit | Ignore:
        """Start a new incarnation and wait until it is prepared.

        Answers `Started` when it runs, `Ignore` if it does not want to, else why it failed.
        """
        cell.incarnation += 1
        cell.state = "starting"
        cell.degraded = cell.next_try_at = None
        # A stop that an earlier life did not live to take is not meant for this one.
        for stop in cell.mailbox.discard(Stop):
            stop.answer(None)
        cell.mailbox.open()
        try:
            actor = _made(factory)
        except BaseException as error:  # noqa: BLE001 - whatever a constructor does is a failed start
            return self._unmade(cell, error)
        life = Life(self, cell, actor)
        actor.bind(life)
        cell.life = life
        pykka.ActorRegistry.register(actor.actor_ref)
        try:
            actor._start_actor_loop()  # noqa: SLF001 - pykka's own way to start
        except Exception as error:  # noqa: BLE001 - no thread or loop to be had: a failed start too
            life.crash(error, "start")
            life.finish()
        outcome: Started | Exit | Ignore
        try:
            async with asyncio.timeout(timeout):
                outcome = await asyncio.shield(life.started)
        except TimeoutError:
            life.crash(TimeoutError(f"did not start within {timeout:g} s"), "start")
            outcome = life.reason
        if not isinstance(outcome, Started):
            await self._ended_in_time(life)
        return outcome

    def _unmade(self, cell: Cell, error: BaseException) -> Crash:
        reason = Crash(self.new_id("crash"), one_line(error), "start")
        self._crash_count += 1
        cell.last_failure = describe(reason)
        self._record(
            "crash",
            cell,
            reason=reason.error,
            crash_id=reason.crash_id,
            detail="".join(traceback.format_exception(error)),
        )
        return reason

    def began(self, life: Life) -> None:
        """An incarnation is prepared. In its own thread."""
        self._record("start", life.cell, incarnation=life.number)

    def prepared(self, life: Life) -> None:
        """The supervisor of an incarnation is about to learn that it is prepared. On the kernel's loop."""
        cell = life.cell
        if cell.life is life and cell.state == "starting":
            cell.state = "running"
            cell.started_at = self.clock.monotonic()

    async def stop(self, cell: Cell, timeout: float | None) -> Exit | None:  # noqa: ASYNC109
        """Ask an incarnation to end and wait; kill it after `timeout` seconds (0: at once).

        Answers why it ended, `None` if nothing ran.
        """
        life = cell.life
        if life is None:
            return None
        cell.state = "stopping"
        if timeout == 0:
            return await self.kill(cell)
        if life.alive:
            cell.mailbox.put(Envelope(Stop()))
        try:
            async with asyncio.timeout(timeout):
                reason = await asyncio.shield(life.done)
        except TimeoutError:
            return await self.kill(cell)
        return reason

    async def kill(self, cell: Cell) -> Exit | None:
        """Fence an incarnation off and wait a bounded time for what it held."""
        life = cell.life
        if life is None:
            return None
        life.end(Killed())
        for below in reversed(self.below(cell.address)):
            if below.life is not None:
                below.life.end(Killed())
        await self._ended_in_time(life)
        return life.reason

    async def _ended_in_time(self, life: Life) -> None:
        lives = (life, *(cell.life for cell in self.below(life.cell.address) if cell.life is not None))
        limit = max(RELEASE_TIMEOUT if (own := each.actor.release_timeout) is None else own for each in lives)
        # A supervisor's end takes a little longer than the slowest of what is below it.
        _, late = await asyncio.wait([life.done], timeout=limit + min(len(lives), 2))
        if late:
            self._abandon(life)

    def _abandon(self, life: Life) -> None:
        if life.done.done():
            return
        if life.thread is not None:
            self._abandoned = [thread for thread in self._abandoned if thread.is_alive()]
            self._abandoned.append(life.thread)
        life.finish()

    # What lives report

    def run_on(self, loop: asyncio.AbstractEventLoop, life: Life) -> None:
        """Start the life of an asynchronous actor on its loop."""

        def begin() -> None:
            life.main = loop.create_task(life.run(), context=contextvars.Context())

        call_on(loop, begin)

    def ending(self, life: Life) -> None:
        """A life has been fenced off. From whatever thread."""
        pykka.ActorRegistry.unregister(life.actor.actor_ref)
        if life.actor.release_timeout is not None:
            call_on(self.kernel.loop, self._limit_release, life, life.actor.release_timeout)

    def _limit_release(self, life: Life, timeout: float) -> None:
        if not life.done.done():
            life.release_limit = self.kernel.loop.call_later(timeout + 1, self._abandon, life)

    def crashed(self, life: Life, reason: Crash, detail: str, envelope: Envelope | None) -> None:
        """Note a crash: journal, poison count, dead letter for the fatal message."""
        cell = life.cell
        self._crash_count += 1
        cell.last_failure = describe(reason)
        kind = None if envelope is None else type(envelope.message)
        self._record(
            "crash",
            cell,
            incarnation=life.number,
            reason=reason.error,
            crash_id=reason.crash_id,
            message_kind=None if kind is None else kind.__name__,
            detail=detail,
        )
        if envelope is not None and kind is not None:
            self.dead_letter(cell.address, envelope, f"it killed its handler ({reason.crash_id})")
            self._note_kill(cell, kind)

    def hang(self, life: Life, envelope: Envelope, seconds: float) -> None:
        """Fence off an incarnation whose handler ran over its limit."""
        reason = Hung(self.new_id("hung"), type(envelope.message).__name__, seconds)
        if not life.end(reason, envelope):
            return
        cell = life.cell
        self._hung_count += 1
        cell.last_failure = describe(reason)
        self._record(
            "hung",
            cell,
            incarnation=life.number,
            reason=describe(reason),
            crash_id=reason.crash_id,
            message_kind=reason.message_kind,
        )
        self.dead_letter(cell.address, envelope, f"its handler hung ({reason.crash_id})")
        self._note_kill(cell, type(envelope.message))
        if life.thread is not None:
            # It won't let go of anything; there is nothing to wait for.
            self._abandon(life)

    def _note_kill(self, cell: Cell, kind: type[Message[Any]]) -> None:
        if cell.note_kill(kind, self.clock.monotonic()):
            text = f"{kind.__name__} killed {cell.kills[kind]} incarnations of {cell.address}"
            self._record("poison", cell, reason=text, message_kind=kind.__name__)
            self.alarms.raise_(poison_alarm(cell.address, kind), text)

    def release_poison(self, address: Address, kind: str) -> bool:
        """Let a set-aside kind of message through again; whether there was one."""
        cell = self._cells.get(address)
        for known in () if cell is None else tuple(cell.poison):
            if cell is not None and known.__name__ == kind:
                cell.note_survival(known)
                self.alarms.clear(poison_alarm(address, known))
                return True
        return False

    def release_failed(self, life: Life, error: BaseException) -> None:
        """Note that an ending incarnation could not let go of something."""
        self._record(
            "release_failed",
            life.cell,
            incarnation=life.number,
            reason=one_line(error),
        )

    def ended(self, life: Life) -> None:
        """A life has ended and holds nothing any more: its supervisor is told. On the kernel's loop."""
        cell = life.cell
        if cell.life is life:
            cell.life = None
        for stop in cell.mailbox.discard(Stop):
            stop.answer(None)
        for below in reversed(self.below(cell.address)):
            if below.life is not None:
                below.life.end(Killed())
        if life.began and isinstance(life.reason, Normal | Shutdown | Killed | Escalated):
            self._record("stop", cell, incarnation=life.number, reason=describe(life.reason))
        if cell.parent is None and cell.address in self._cells:
            self.rest(cell, "stopped", f"{cell.address} has ended")
        if cell.parent is not None and cell.parent in self._cells:
            self.tell(cell.parent, ChildExited(address=cell.address, serial=life.serial, reason=life.reason))

    def dead_letter(self, address: Address, envelope: Envelope, why: str) -> None:
        """Count and remember a message that was not delivered or was dropped."""
        self._dead_count += 1
        kind = type(envelope.message).__name__
        self._dead_letters.append(DeadLetter(at=self.clock.now(), address=address, message_kind=kind, reason=why))
        if not envelope.message.unjournalled:
            self.record("dead_letter", address, reason=why, message_kind=kind)

    # The record

    def record(
        self, kind: EventKind, address: Address, *, incarnation: int = 0, reason: str = "", **more: Any
    ) -> None:
        """Add an entry to the stream that the journal keeps."""
        event = KernelEvent(
            id=self.new_id("event"),
            at=self.clock.now(),
            kind=kind,
            address=address,
            incarnation=incarnation,
            reason=reason,
            **more,
        )
        self._events.append(event)
        level = logging.ERROR if kind in {"crash", "hung", "parked", "escalation", "poison"} else logging.DEBUG
        log.log(level, "%s %s#%d %s", kind, address, incarnation, reason)
        self.bus.publish(TOPIC, event)

    def _record(self, kind: EventKind, cell: Cell, *, incarnation: int | None = None, **more: Any) -> None:
        number = cell.incarnation if incarnation is None else incarnation
        self.record(kind, cell.address, incarnation=number, mailbox=len(cell.mailbox), **more)

    def _alarm_changed(self, alarm: Alarm) -> None:
        state = "cleared" if alarm.cleared_at is not None else "raised"
        self.record("alarm", alarm.name, reason=f"{state}: {alarm.message}")

    def events(self) -> tuple[KernelEvent, ...]:
        """The last entries, oldest first."""
        return tuple(self._events)

    def dead_letters(self) -> tuple[DeadLetter, ...]:
        """The last dead letters, oldest first."""
        return tuple(self._dead_letters)

    def statistics(self) -> Statistics:
        """Counts of the whole system."""
        return Statistics(
            addresses=len(self._cells),
            dead_letters=self._dead_count,
            crashes=self._crash_count,
            hung=self._hung_count,
            abandoned_threads=sum(thread.is_alive() for thread in self._abandoned),
        )

    def new_id(self, prefix: str) -> str:
        """A short id out of the system's source of chance."""
        return f"{prefix}-{self.chance.getrandbits(64):016x}"

    def next_serial(self) -> int:
        """A number that no other life of this system has."""
        return next(self._serials)

    # Dispatchers and the watch over handlers

    def dispatcher(self, name: str) -> Dispatcher:
        """The dispatcher called `name`, made at first use."""
        with self._dispatchers_lock:
            found = self._dispatchers.get(name)
            if found is None:
                found = (
                    BorrowedLoop(name, self.kernel.loop)
                    if self.single_threaded
                    else LoopDispatcher(name, self.clock)
                )
                self._dispatchers[name] = found
            return found

    def adopt_dispatcher(self, dispatcher: Dispatcher) -> None:
        """Let actors run on a loop that somebody else runs."""
        with self._dispatchers_lock:
            self._dispatchers[dispatcher.name] = dispatcher

    def dispatchers(self) -> tuple[Dispatcher, ...]:
        """Every dispatcher that was used so far."""
        with self._dispatchers_lock:
            return tuple(self._dispatchers.values())

    def cells(self) -> tuple[Cell, ...]:
        """Every record, in order of creation."""
        return tuple(self._cells.values())

    def replace_dispatcher(self, name: str) -> None:
        """Abandon a loop that does not answer: its actors count as hung and start on a new one.

        Only the message whose handler blocks the loop is to blame.
        """
        with self._dispatchers_lock:
            stuck = self._dispatchers.pop(name)
        log.error("dispatcher %s is stuck, replacing it", name)
        silence = stuck.silence()
        blocking = asyncio.current_task(stuck.loop)
        for cell in self.cells():
            life = cell.life
            if life is None or life.loop is not stuck.loop:
                continue
            if life.main is not None and life.main is blocking and life.handling is not None:
                self.hang(life, life.handling, silence)
            elif life.end(Hung(self.new_id("hung"), f"dispatcher {name}", silence)):
                cell.last_failure = f"dispatcher {name} was stuck"
                self._hung_count += 1
                self._record("hung", cell, incarnation=life.number, reason=cell.last_failure)
            life.finish()
        if isinstance(stuck, LoopDispatcher):
            self._abandoned.append(stuck.thread)
            stuck.abandon()

    def shutdown(self) -> None:
        """End the loops that are ours. Actors are stopped by their supervisors before."""
        # The kernel last: the others report their last ends to it.
        for dispatcher in reversed(self.dispatchers()):
            if isinstance(dispatcher, LoopDispatcher):
                dispatcher.stop()


def _made(factory: Callable[[], Actor]) -> Actor:
    actor: object = factory()
    if not isinstance(actor, Actor):
        raise TypeError(f"the factory made no actor but {type(actor).__name__}")
    if actor.has_address:
        raise ValueError(f"the factory made an actor that lives already, at {actor.address}")
    return actor


def _is_on_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
