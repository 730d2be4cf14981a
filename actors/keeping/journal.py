"""The journal's keeper: writes what happens in the kernel, in batches, each event once."""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import TYPE_CHECKING, Any

from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.refusal import ActorCrashed, Refusal
from aviary.actors.messages.database import Transact
from aviary.actors.messages.journal import FlushJournal, KernelEventRecorded
from aviary.persistence.journal import Entry

if TYPE_CHECKING:
    from aviary.actors.core.events import KernelEvent

ALARM = "journal"
"""The alarm that stands while events had to be left out and the journal does not say so yet."""

FLUSH_PERIOD = 0.2
"""Seconds between two looks whether there is something to write."""

FIRST_RETRY, LAST_RETRY = 2.0, 30.0
"""Seconds until the next try while the database is away, doubling from the first to the last."""

WRITE_TIMEOUT = 10.0
"""Seconds for one transaction."""

LAST_WRITE_TIMEOUT = 3.0
"""Seconds in which an ending journal writes what is left."""

BATCH = 1_000
"""Events that are written in one transaction."""

BUFFERED = 20_000
"""Events that are held while the database is away."""


class Backlog:
    """Events that wait to be written, oldest first, at most `bound`.

    Dead letters make room first, then the oldest; how many had to go is counted.
    """

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._events: dict[str, KernelEvent] = {}
        self._drops: dict[str, None] = {}
        self.left_out = 0
        """Events that had to go and were not told of yet."""

    def __len__(self) -> int:
        return len(self._events)

    def keep(self, event: KernelEvent) -> None:
        """Add an event; one that waits already stays where it is."""
        self._events[event.id] = event
        if event.kind == "dead_letter":
            self._drops[event.id] = None
        while len(self._events) > self._bound:
            self._forget(next(iter(self._drops or self._events)))
            self.left_out += 1

    def first(self, number: int) -> tuple[KernelEvent, ...]:
        """The oldest ones."""
        return tuple(islice(self._events.values(), number))

    def written(self, events: tuple[KernelEvent, ...]) -> None:
        """These are stored."""
        for event in events:
            self._forget(event.id)

    def _forget(self, event_id: str) -> None:
        self._events.pop(event_id, None)
        self._drops.pop(event_id, None)


class JournalKeeper(AsyncActor):
    """Buffers kernel events and writes them to the database; a database that is away costs nothing but delay."""

    def __init__(self, database: str) -> None:
        super().__init__()
        self._database = database
        self._buffer = Backlog(BUFFERED)
        self._tries = 0
        """In vain, since the last success."""
        self._flush_due = 0.0
        """The monotonic time from which the database is tried."""

    async def prepare(self) -> None:
        """Take up what happened before this incarnation; what is stored already stays as it is."""
        self._system = self.system
        for event in self._system.events():
            self._buffer.keep(event)
        self.every(FLUSH_PERIOD, FlushJournal())

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case KernelEventRecorded():
                return self._buffer.keep(message.event)
            case FlushJournal():
                # Beside the mailbox: what happens meanwhile is taken up.
                return self.defer(self._flush())
            case _:
                return super().receive(message)

    async def release(self) -> None:
        """Write what is left: at the end of a server, that almost everything has stopped."""
        async with asyncio.timeout(LAST_WRITE_TIMEOUT):
            while self._buffer:
                await self._write()

    async def _flush(self) -> None:
        if not self._buffer or self.clock.monotonic() < self._flush_due:
            return
        if self._buffer.left_out:
            text = f"{self._buffer.left_out} events were left out: the database takes too few, the buffer is full"
            self._system.alarms.raise_(ALARM, text)
        try:
            await self._write()
        except (Refusal, ActorCrashed) as trouble:
            self.degrade(f"events are not being stored: {trouble}")
            delay = min(LAST_RETRY, FIRST_RETRY * 2.0 ** min(self._tries, 10))
            self._tries += 1
            self._flush_due = self.clock.monotonic() + delay
            return
        self._tries = 0
        self.recover()
        self._own_up()

    def _own_up(self) -> None:
        """Say in the journal itself how many events it lacks."""
        number, self._buffer.left_out = self._buffer.left_out, 0
        if number:
            self._system.record(
                "dead_letter",
                self.address,
                incarnation=self.incarnation,
                reason=f"{number} events are not in the journal: more came than are held until they can be written",
                message_kind=KernelEventRecorded.__name__,
                count=number,
            )
        self._system.alarms.clear(ALARM)

    async def _write(self) -> None:
        batch = self._buffer.first(BATCH)
        # How many drops an entry stands for is said by its reason.
        entries = [Entry(**event.model_dump(exclude={"count"})) for event in batch]
        work = Transact[None](work=lambda r: r.journal.append(entries))
        await self._system.ask(self._database, work, timeout=WRITE_TIMEOUT)
        self._buffer.written(batch)
