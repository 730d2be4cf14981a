"""The journal's keeper: writes what happens in the kernel, in batches, each event once."""

from __future__ import annotations

from typing import Any

from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.events import KernelEvent
from aviary.actors.core.refusal import Refusal
from aviary.actors.messages.database import Transact
from aviary.actors.messages.journal import FlushJournal, KernelEventRecorded
from aviary.persistence.journal import Entry

FLUSH_PERIOD = 0.2
"""Seconds that an event waits for company before it is written."""

RETRY_PERIOD = 2.0
"""Seconds between two tries while the database is away."""

BUFFERED = 20_000
"""Events that are held while the database is away; the oldest go first."""


class JournalKeeper(AsyncActor):
    """Buffers kernel events and writes them to the database."""

    def __init__(self, database: str) -> None:
        super().__init__()
        self._database = database
        self._buffer: dict[str, KernelEvent] = {}
        self._flush_due = False

    async def prepare(self) -> None:
        """Take up what happened before this incarnation; what is stored already stays as it is."""
        for event in self.system.events():
            self._keep(event)
        self._arm(FLUSH_PERIOD)

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case KernelEventRecorded():
                self._keep(message.event)
                self._arm(FLUSH_PERIOD)
                return None
            case FlushJournal():
                return self._flush()
            case _:
                return super().receive(message)

    def _keep(self, event: KernelEvent) -> None:
        self._buffer[event.id] = event
        while len(self._buffer) > BUFFERED:
            del self._buffer[next(iter(self._buffer))]

    def _arm(self, delay: float) -> None:
        if not self._flush_due:
            self._flush_due = True
            self.schedule(delay, FlushJournal())

    async def _flush(self) -> None:
        self._flush_due = False
        batch = tuple(self._buffer.values())
        entries = [Entry(**event.model_dump()) for event in batch]
        try:
            await self.ask(self._database, Transact[None](work=lambda r: r.journal.append(entries)), timeout=10)
        except Refusal as refusal:
            self.degrade(f"events are not being stored: {refusal.detail}")
            self._arm(RETRY_PERIOD)
            return
        self.recover()
        for event in batch:
            self._buffer.pop(event.id, None)
