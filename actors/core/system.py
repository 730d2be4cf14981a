"""The system: the ways to send to an address, and the parts that keep and carry what lives there."""

from __future__ import annotations

import asyncio
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, Any

from aviary.actors.core.alarms import Alarms
from aviary.actors.core.bus import Bus
from aviary.actors.core.directory import Directory
from aviary.actors.core.dispatcher import Dispatcher, LoopDispatcher
from aviary.actors.core.dispatchers import Dispatchers
from aviary.actors.core.endings import Endings
from aviary.actors.core.envelope import Envelope, LoopReply, ThreadReply
from aviary.actors.core.ledger import Ledger, Statistics
from aviary.actors.core.lives import Lives
from aviary.actors.core.mailbox import MailboxClosed, MailboxFull, UnusableKey
from aviary.actors.core.quarantine import Quarantine
from aviary.actors.core.refusal import DeadlineExceeded, Invalid, NotFound, Refusal, Unavailable
from aviary.actors.core.timers import Timer
from aviary.actors.core.workshop import Workshop
from aviary.config.chance import chance as source_of_chance
from aviary.config.clock import Clock, SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from aviary.actors.core.address import Address
    from aviary.actors.core.cell import Cell, CellView
    from aviary.actors.core.events import EventKind, KernelEvent
    from aviary.actors.core.ledger import DeadLetter
    from aviary.actors.core.life import Life
    from aviary.actors.core.message import Message

    type Cancel = Callable[[], None]


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
        self.ledger = Ledger(clock, chance, self.bus)
        self.alarms = Alarms(clock, self.ledger.record_alarm)
        self.quarantine = Quarantine(clock, self.ledger, self.alarms)
        self.directory = Directory(self.ledger, self.alarms, self.quarantine)
        self.dispatchers = Dispatchers(kernel, clock, single_threaded=single_threaded)
        self.endings = Endings(kernel.loop, clock, self.ledger, self.directory, self.quarantine, self.tell)
        self.workshop = Workshop(self.endings.leave_behind, inline=single_threaded)
        self.lives = Lives(self, self.directory, self.endings, self.workshop)

    @classmethod
    def live(cls) -> System:
        """A system on the machine's clock, its kernel on a loop in a thread of its own."""
        clock = SystemClock()
        return cls(LoopDispatcher("kernel", clock), clock=clock, chance=source_of_chance())

    def shutdown(self) -> None:
        """End the loops that are ours. Actors are stopped by their supervisors before."""
        self.dispatchers.shutdown()

    # Sending

    def tell(self, address: Address, message: Message[Any]) -> None:
        """Send without waiting; what can't be delivered becomes a dead letter. Never raises."""
        self.deliver(address, Envelope(message))

    def deliver(self, address: Address, envelope: Envelope, *, beyond: bool = False) -> None:
        """Queue an envelope; what can't be delivered is refused, or a dead letter if nobody asked."""
        try:
            self.send(address, envelope, beyond=beyond)
        except Refusal as refusal:
            envelope.place = "settled"
            if envelope.reply is None:
                self.ledger.dead_letter(address, envelope, refusal.detail)
            else:
                envelope.refuse(refusal)

    async def ask[R](self, address: Address, message: Message[R], *, timeout: float) -> R:  # noqa: ASYNC109
        """Send and await the answer.

        Waits, up to `timeout` seconds, for an actor that is between two incarnations. Raises the
        handler's `Refusal`, `ActorCrashed` if the message killed its handler, `NotFound` for an
        unknown address, `Unavailable` for one that is stopped, parked or full, and
        `DeadlineExceeded` if no answer came in time.
        """
        reply = LoopReply(asyncio.get_running_loop())
        deadline = self.clock.monotonic() + timeout
        envelope = Envelope(message, reply, deadline)
        self.send(address, envelope)
        future, deadlines = reply.future, reply.deadlines
        deadlines.add(future, deadline, _late, address, message, timeout)
        try:
            return await future  # type: ignore[no-any-return]
        finally:
            deadlines.discard(future)
            if envelope.place == "waiting":
                self._withdraw(address, envelope)

    def ask_blocking[R](self, address: Address, message: Message[R], *, timeout: float) -> R:
        """Like `ask`, for a thread that may block. Not on an event loop."""
        if self.single_threaded:
            raise RuntimeError("a single-threaded system can't block its only thread")
        if _is_on_a_loop():
            raise RuntimeError("an event loop's thread must not block: use `ask`")
        reply = ThreadReply()
        envelope = Envelope(message, reply, self.clock.monotonic() + timeout)
        self.send(address, envelope)
        try:
            return reply.future.result(timeout)  # type: ignore[no-any-return]
        except FutureTimeoutError:
            if reply.future.done():
                # Either the answer of this very moment, or a handler's own time-out.
                return reply.future.result()  # type: ignore[no-any-return]
            reply.future.cancel()
            self._withdraw(address, envelope)
            raise _late(address, message, timeout) from None

    def _withdraw(self, address: Address, envelope: Envelope) -> None:
        cell = self.directory.cell(address)
        if cell is not None:
            self._give_up(cell, cell.mailbox.withdraw(envelope))

    def _give_up(self, cell: Cell, asks: Sequence[Envelope]) -> None:
        for envelope in asks:
            self.ledger.dead_letter(cell.address, envelope, "the asker has given up waiting")

    def send(self, address: Address, envelope: Envelope, *, beyond: bool = False) -> None:
        """Queue an envelope at an address, `beyond` its capacity if need be.

        Raises `NotFound`, `Unavailable`, or `Invalid` for a message with an unusable conflation key.
        """
        cell = self.directory.cell(address)
        if cell is None:
            raise NotFound(f"{address} does not exist")
        message = envelope.message
        if not message.control:
            if cell.poison and (refusal := self.quarantine.refusal(cell, message)) is not None:
                raise refusal
            if cell.state in _AT_REST:
                raise _at_rest(cell)
        try:
            cleared = cell.mailbox.put(envelope, beyond=beyond)
        except UnusableKey as error:
            raise Invalid(str(error)) from error
        except MailboxFull as full:
            self._give_up(cell, full.cleared)
            raise Unavailable(f"{address} has too many messages waiting", retry_after=1.0) from None
        except MailboxClosed:
            raise _at_rest(cell) from None
        if cleared:
            self._give_up(cell, cleared)

    def schedule(self, life: Life, delay: float, message: Message[Any], period: float | None = None) -> Cancel:
        """Send `message` to `life`'s address in `delay` seconds, and then each `period`, while it lives."""
        timer = Timer(life, message, period, self.deliver)
        timer.start(delay)
        return timer.cancel

    # What others look at

    def cell(self, address: Address) -> Cell | None:
        """The record of an address."""
        return self.directory.cell(address)

    def cells(self) -> tuple[Cell, ...]:
        """Every record, in order of creation."""
        return self.directory.cells()

    def tree(self) -> tuple[CellView, ...]:
        """A picture of every address, in order of creation."""
        return self.directory.views(self.clock.now(), self.clock.monotonic())

    def dispatcher(self, name: str) -> Dispatcher:
        """The dispatcher called `name`, made at first use."""
        return self.dispatchers.get(name)

    def record(
        self, kind: EventKind, address: Address, *, incarnation: int = 0, reason: str = "", **more: Any
    ) -> None:
        """Add an entry to the stream that the journal keeps."""
        self.ledger.record(kind, address, incarnation=incarnation, reason=reason, **more)

    def events(self) -> tuple[KernelEvent, ...]:
        """The last entries, oldest first."""
        return self.ledger.events()

    def dead_letters(self) -> tuple[DeadLetter, ...]:
        """The last dead letters, oldest first."""
        return self.ledger.dead_letters()

    def statistics(self) -> Statistics:
        """Counts of the whole system."""
        return Statistics(
            addresses=len(self.directory),
            dead_letters=self.ledger.dead,
            crashes=self.ledger.crashes,
            hung=self.ledger.hung,
            abandoned_threads=self.endings.abandoned_threads(),
            abandoned_tasks=self.endings.abandoned_tasks(),
        )

    def release_poison(self, address: Address, kind: str) -> bool:
        """Let a set-aside kind of message through again; whether there was one."""
        cell = self.directory.cell(address)
        return cell is not None and self.quarantine.release(cell, kind)


_AT_REST = frozenset({"stopped", "parked"})


def _at_rest(cell: Cell) -> Unavailable:
    why = f": {cell.last_failure}" if cell.state == "parked" and cell.last_failure else ""
    return Unavailable(f"{cell.address} is {cell.state}{why}")


def _late(address: Address, message: Message[Any], timeout: float) -> DeadlineExceeded:
    return DeadlineExceeded(f"{address} did not answer {type(message).__name__} within {timeout:g} s")


def _is_on_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
