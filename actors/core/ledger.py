"""The record of what happens: kernel events, dead letters, counts, and the ids and numbers that tell things apart."""

from __future__ import annotations

import itertools
import logging
from collections import deque
from typing import TYPE_CHECKING, Any

from aviary.actors.core.address import Address
from aviary.actors.core.events import TOPIC, EventKind, KernelEvent
from aviary.actors.core.exits import Crash, describe
from aviary.actors.core.message import Value

if TYPE_CHECKING:
    from random import Random

    from aviary.actors.core.alarms import Alarm
    from aviary.actors.core.bus import Bus
    from aviary.actors.core.cell import Cell
    from aviary.actors.core.envelope import Envelope
    from aviary.config.clock import Clock

log = logging.getLogger("aviary.kernel")

REMEMBERED = 5_000
"""Kernel events and dead letters that are kept in memory."""


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


class Ledger:
    """The last events and dead letters of a system, and how many there were. Written from any thread."""

    def __init__(self, clock: Clock, chance: Random, bus: Bus) -> None:
        self._clock = clock
        self._chance = chance
        self._bus = bus
        self._events: deque[KernelEvent] = deque(maxlen=REMEMBERED)
        self._dead_letters: deque[DeadLetter] = deque(maxlen=REMEMBERED)
        self._serials = itertools.count(1)
        self.dead = 0
        """Dead letters so far."""
        self.crashes = 0
        """Crashes so far."""
        self.hung = 0
        """Incarnations so far that were ended because they hung."""

    def record(
        self, kind: EventKind, address: Address, *, incarnation: int = 0, reason: str = "", **more: Any
    ) -> None:
        """Add an entry to the stream that the journal keeps."""
        event = KernelEvent(
            id=self.new_id("event"),
            at=self._clock.now(),
            kind=kind,
            address=address,
            incarnation=incarnation,
            reason=reason,
            **more,
        )
        self._events.append(event)
        level = logging.ERROR if kind in {"crash", "hung", "failed_request", "parked", "escalation", "poison"} else logging.DEBUG
        log.log(level, "%s %s#%d %s", kind, address, incarnation, reason)
        self._bus.publish(TOPIC, event)

    def record_of(self, kind: EventKind, cell: Cell, *, incarnation: int | None = None, **more: Any) -> None:
        """Add an entry about an address, with what waits there; `incarnation` is its present one if left out."""
        number = cell.incarnation if incarnation is None else incarnation
        self.record(kind, cell.address, incarnation=number, mailbox=len(cell.mailbox), **more)

    def record_crash(self, cell: Cell, reason: Crash, detail: str, **more: Any) -> None:
        """Count a crash and add its entry; `detail` is the traceback."""
        self.crashes += 1
        cell.last_failure = describe(reason)
        self.record_of("crash", cell, reason=reason.error, crash_id=reason.crash_id, detail=detail, **more)

    def record_hung(self, cell: Cell, reason: str, **more: Any) -> None:
        """Count an incarnation that hung and add its entry."""
        self.hung += 1
        cell.last_failure = reason
        self.record_of("hung", cell, reason=reason, **more)

    def record_alarm(self, alarm: Alarm) -> None:
        """Add an entry about an alarm that was raised or cleared."""
        state = "cleared" if alarm.cleared_at is not None else "raised"
        self.record("alarm", alarm.name, reason=f"{state}: {alarm.message}")

    def dead_letter(self, address: Address, envelope: Envelope, why: str) -> None:
        """Count and remember a message that was not delivered or was dropped."""
        self.dead += 1
        kind = type(envelope.message).__name__
        self._dead_letters.append(DeadLetter(at=self._clock.now(), address=address, message_kind=kind, reason=why))
        if not envelope.message.unjournalled:
            self.record("dead_letter", address, reason=why, message_kind=kind)

    def events(self) -> tuple[KernelEvent, ...]:
        """The last entries, oldest first."""
        return tuple(self._events)

    def dead_letters(self) -> tuple[DeadLetter, ...]:
        """The last dead letters, oldest first."""
        return tuple(self._dead_letters)

    def new_id(self, prefix: str) -> str:
        """A short id out of the system's source of chance."""
        return f"{prefix}-{self._chance.getrandbits(64):016x}"

    def next_serial(self) -> int:
        """A number that this system gives once."""
        return next(self._serials)
