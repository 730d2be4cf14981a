"""The record of what happens: kernel events, dead letters, counts, and the ids and numbers that tell things apart."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from aviary.actors.core.address import Address
from aviary.actors.core.events import TOPIC, EventKind, KernelEvent, topic_of
from aviary.actors.core.message import Value

if TYPE_CHECKING:
    from random import Random

    from aviary.actors.core.alarms import Alarm
    from aviary.actors.core.bus import Bus
    from aviary.actors.core.envelope import Envelope
    from aviary.actors.core.exits import Crash
    from aviary.config.clock import Clock

log = logging.getLogger("aviary.kernel")

REMEMBERED = 5_000
"""Kernel events, and dead letters, that are kept in memory. Entries of drops don't push the others out."""

SUM_UP_PERIOD = 10.0
"""Seconds in which drops of one kind at one address beyond `SINGLES` become one entry."""

SINGLES = 10
"""Drops of one kind at one address, in such a period, that are entries of their own, told at once."""

SUMS = 1_000
"""Pairs of address and kind whose drops are told apart at one time; those of all others are summed up together."""

_LOUD = frozenset({"crash", "hung", "failed_request", "parked", "escalation", "poison", "release_failed"})


class DeadLetter(Value):
    """A message that was not delivered or was dropped. Its content is not shown: it may hold secrets."""

    at: float
    """When it was dropped, Unix seconds."""
    address: Address
    """Where it was sent."""
    message_kind: str
    """What kind of message it was."""
    reason: str
    """Why it was not delivered."""


class Statistics(Value):
    """Counts of the whole system."""

    addresses: int
    """Addresses that there are."""
    dead_letters: int
    """Dead letters since the start."""
    crashes: int
    """Crashes since the start."""
    hung: int
    """Incarnations that were ended because they hung, since the start."""
    abandoned_threads: int
    """Threads of ended incarnations that still run."""
    abandoned_tasks: int = 0
    """Tasks of ended incarnations that took no notice of their cancellation and still run."""


class _Drops:
    """What was dropped of a kind of message at an address in a period that began at `since`."""

    __slots__ = ("since", "singles", "summed", "why")

    def __init__(self, since: float) -> None:
        self.since = since
        self.singles = 0
        self.summed = 0
        self.why = ""


class Ledger:
    """The last events and dead letters of a system, and how many there were. Written from any thread."""

    def __init__(self, clock: Clock, chance: Random, bus: Bus) -> None:
        self._clock = clock
        self._chance = chance
        self._bus = bus
        self._events: deque[tuple[int, KernelEvent]] = deque(maxlen=REMEMBERED)
        self._drop_events: deque[tuple[int, KernelEvent]] = deque(maxlen=REMEMBERED)
        self._dead_letters: deque[DeadLetter] = deque(maxlen=REMEMBERED)
        self._serials = itertools.count(1)
        self._order = itertools.count(1)
        self._lock = threading.Lock()
        self._drops: dict[tuple[Address, str], _Drops] = {}
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
        kept = self._drop_events if kind == "dead_letter" else self._events
        kept.append((next(self._order), event))
        level = logging.ERROR if kind in _LOUD else logging.DEBUG
        log.log(level, "%s %s#%d %s", kind, address, incarnation, reason)
        self._bus.publish(TOPIC, event)
        self._bus.publish(topic_of(address), event)

    def record_crash(self, address: Address, reason: Crash, *, detail: str, **more: Any) -> None:
        """Count a crash and add its entry; `detail` is the traceback."""
        self.crashes += 1
        self.record("crash", address, reason=reason.error, crash_id=reason.crash_id, detail=detail, **more)

    def record_hung(self, address: Address, reason: str, **more: Any) -> None:
        """Count an incarnation that hung and add its entry."""
        self.hung += 1
        self.record("hung", address, reason=reason, **more)

    def record_alarm(self, alarm: Alarm) -> None:
        """Add an entry about an alarm that was raised or cleared."""
        state = "cleared" if alarm.cleared_at is not None else "raised"
        self.record("alarm", alarm.name, reason=f"{state}: {alarm.message}")

    # What was dropped

    def dead_letter(self, address: Address, envelope: Envelope, why: str) -> None:
        """Count and remember a message that was not delivered or was dropped.

        The first ones of a kind are entries of the stream at once; when there are many, the others are summed up.
        """
        kind = type(envelope.message).__name__
        now = self._clock.now()
        self._dead_letters.append(DeadLetter(at=now, address=address, message_kind=kind, reason=why))
        with self._lock:
            self.dead += 1
            if envelope.message.unjournalled:
                return
            key = (address, kind)
            if key not in self._drops and len(self._drops) >= SUMS:
                key = ("*", "*")
            drops = self._drops.setdefault(key, _Drops(self._clock.monotonic()))
            if drops.singles >= SINGLES:
                drops.summed += 1
                drops.why = why
                return
            drops.singles += 1
        self.record("dead_letter", address, reason=why, message_kind=kind)

    def sum_up(self) -> None:
        """Add the entries about drops that are due. Called again and again by the watch."""
        now = self._clock.monotonic()
        due: list[tuple[tuple[Address, str], _Drops, float]] = []
        with self._lock:
            for key, drops in tuple(self._drops.items()):
                if now - drops.since < SUM_UP_PERIOD:
                    continue
                del self._drops[key]
                if drops.summed:
                    due.append((key, drops, now - drops.since))
        for (address, kind), drops, seconds in due:
            reason = f"{drops.summed} more in {seconds:.0f} s, the last one: {drops.why}"
            self.record("dead_letter", address, reason=reason, message_kind=kind, count=drops.summed)

    # What others look at

    def events(self) -> tuple[KernelEvent, ...]:
        """The last entries, oldest first."""
        merged = heapq.merge(tuple(self._events), tuple(self._drop_events), key=lambda entry: entry[0])
        return tuple(event for _, event in merged)

    def dead_letters(self) -> tuple[DeadLetter, ...]:
        """The last dead letters, oldest first."""
        return tuple(self._dead_letters)

    def new_id(self, prefix: str) -> str:
        """A short id out of the system's source of chance."""
        return f"{prefix}-{self._chance.getrandbits(64):016x}"

    def next_serial(self) -> int:
        """A number that this system gives once."""
        return next(self._serials)
