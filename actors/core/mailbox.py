"""The bounded queue behind an address. It outlives the incarnations that read from it."""

import threading
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from aviary.actors.core.envelope import Envelope

CONTROL_CAPACITY = 100_000
"""Control messages that may wait: enough for every child of the largest tree to end at once."""


class Fenced(BaseException):
    """The incarnation that asks is no longer the one that counts.

    Not an `Exception`: nothing in a handler may mistake it for trouble it can deal with.
    """


class MailboxFull(Exception):
    """No more messages may wait."""


class MailboxClosed(Exception):
    """No work is accepted: nobody will come to read it."""


@dataclass(frozen=True, slots=True)
class MailboxStatistics:
    """Counts since the address exists; `waiting` and `control_waiting` are of now."""

    capacity: int
    waiting: int
    control_waiting: int
    peak: int
    received: int
    conflated: int
    refused: int


class Mailbox:
    """Two queues, control before work, read by one incarnation at a time.

    Thread-safe. `wake` of the attached reader is called, from the sender's thread, whenever there
    may be something to take.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._lock = threading.Lock()
        self._control: deque[Envelope] = deque()
        self._work: deque[Envelope] = deque()
        self._keyed: dict[Hashable, Envelope] = {}
        self._reader: object | None = None
        self._wake: Callable[[], None] | None = None
        self._closed = False
        self._peak = 0
        self._received = 0
        self._conflated = 0
        self._refused = 0

    def put(self, envelope: Envelope) -> None:
        """Queue an envelope. Raises `MailboxFull`, or `MailboxClosed` for work and for asks."""
        message = envelope.message
        with self._lock:
            self._received += 1
            if self._closed and (envelope.reply is not None or not message.control):
                # Of control, only what nobody waits for may lie here until there is a reader again.
                self._refused += 1
                raise MailboxClosed
            if message.control:
                if len(self._control) >= CONTROL_CAPACITY:
                    self._refused += 1
                    raise MailboxFull
                self._control.append(envelope)
            else:
                key = message.conflation_key() if envelope.reply is None else None
                waiting = None if key is None else self._keyed.get(key)
                if waiting is not None:
                    waiting.message = message
                    self._conflated += 1
                    return
                if len(self._work) >= self.capacity:
                    self._refused += 1
                    raise MailboxFull
                self._work.append(envelope)
                if key is not None:
                    self._keyed[key] = envelope
                if len(self._work) > self._peak:  # noqa: PLR1730 - a call of `max` would cost more than the rest
                    self._peak = len(self._work)
            wake = self._wake
        if wake is not None:
            wake()

    def attach(self, reader: object, wake: Callable[[], None]) -> None:
        """Make `reader` the only one that may take."""
        with self._lock:
            self._reader, self._wake = reader, wake
        wake()

    def detach(self, reader: object) -> None:
        """Fence `reader` off: its next `take` raises `Fenced`. Does nothing for another reader."""
        with self._lock:
            if self._reader is not reader:
                return
            wake, self._reader, self._wake = self._wake, None, None
        if wake is not None:
            wake()

    def take(self, reader: object) -> Envelope | None:
        """The next envelope, control first; `None` if there is none. Raises `Fenced`."""
        with self._lock:
            if self._reader is not reader:
                raise Fenced
            if self._control:
                return self._control.popleft()
            if not self._work:
                return None
            envelope = self._work.popleft()
            if self._keyed:
                key = envelope.message.conflation_key()
                if key is not None and self._keyed.get(key) is envelope:
                    del self._keyed[key]
            return envelope

    def give_back(self, envelope: Envelope) -> bool:
        """Put an envelope that was taken and not handled back to the front; `False` if closed meanwhile."""
        with self._lock:
            if self._closed:
                return False
            (self._control if envelope.message.control else self._work).appendleft(envelope)
            wake = self._wake
        if wake is not None:
            wake()
        return True

    def close(self) -> list[Envelope]:
        """Accept no more work and no asks, and take out everything that waits, control first, in order."""
        with self._lock:
            self._closed = True
            drained = [*self._control, *self._work]
            self._control.clear()
            self._work.clear()
            self._keyed.clear()
            return drained

    def open(self) -> None:
        """Accept everything again."""
        with self._lock:
            self._closed = False

    def discard(self, kind: type[object]) -> list[Envelope]:
        """Take out the control messages of one kind."""
        with self._lock:
            found = [envelope for envelope in self._control if isinstance(envelope.message, kind)]
            if found:
                kept = [envelope for envelope in self._control if not isinstance(envelope.message, kind)]
                self._control.clear()
                self._control.extend(kept)
            return found

    def __len__(self) -> int:
        return len(self._control) + len(self._work)

    def statistics(self) -> MailboxStatistics:
        """Counts for the tree, the console and metrics."""
        with self._lock:
            return MailboxStatistics(
                self.capacity,
                len(self._work),
                len(self._control),
                self._peak,
                self._received,
                self._conflated,
                self._refused,
            )
