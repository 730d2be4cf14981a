"""The bounded queue behind an address. It outlives the incarnations that read from it.

It also owns what an incarnation has taken, until that is settled: whoever settles a message, the
incarnation by its answer or whoever ends the incarnation, does so here, and only one of them can.
"""

import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from aviary.actors.core.envelope import Envelope

CONTROL_CAPACITY = 100_000
"""Control messages that may wait: enough for every child of the largest tree to end at once."""


class Fenced(BaseException):
    """The incarnation that asks is no longer the one that counts.

    Not an `Exception`: nothing in a handler may mistake it for trouble it can deal with.
    """


class MailboxFull(Exception):
    """No more messages may wait, though those `cleared` were taken out, since nobody waits for them any more."""

    def __init__(self, cleared: Sequence[Envelope] = ()) -> None:
        super().__init__()
        self.cleared = cleared


class MailboxClosed(Exception):
    """No work is accepted: nobody will come to read it."""


class UnusableKey(Exception):
    """The message has a conflation key that can't be one."""


@dataclass(frozen=True, slots=True)
class MailboxStatistics:
    """Counts since the address exists; `waiting`, `control_waiting` and `taken` are of now."""

    capacity: int
    waiting: int
    control_waiting: int
    taken: int
    peak: int
    received: int
    conflated: int
    refused: int


class Mailbox:
    """Two queues, control before work, read by one incarnation at a time.

    Thread-safe. The `wake` of the attached reader is called, from the sender's thread, whenever there
    may be something to take.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._lock = threading.Lock()
        self._control: deque[Envelope] = deque()
        self._work: deque[Envelope] = deque()
        self._keyed: dict[Hashable, Envelope] = {}
        self._taken: dict[Envelope, None] = {}
        self._reader: object | None = None
        self._wake: Callable[[], None] | None = None
        self._closed = False
        self._abandoned = 0
        """Asks that were withdrawn since the queue was last cleared of them: at least as many as lie in it."""
        self._peak = 0
        self._received = 0
        self._conflated = 0
        self._refused = 0

    # Senders

    def put(self, envelope: Envelope, *, beyond: bool = False) -> Sequence[Envelope]:
        """Queue an envelope, `beyond` the capacity if need be.

        Answers the asks that were taken out to make room, since nobody waits for them any more. Raises
        `MailboxFull`, `MailboxClosed` for work and for asks, and `UnusableKey`.
        """
        message = envelope.message
        # An ask has its own answer, and what is one life's alone must not carry what is meant for any.
        key = None if envelope.reply is not None or envelope.serial else _key_of(envelope)
        cleared: Sequence[Envelope] = ()
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
                waiting = None if key is None else self._keyed.get(key)
                if waiting is not None:
                    waiting.message = message
                    envelope.place = "settled"
                    self._conflated += 1
                    return ()
                if len(self._work) >= self.capacity and not beyond:
                    if self._abandoned:
                        cleared = self._clear_abandoned()
                    if len(self._work) >= self.capacity:
                        self._refused += 1
                        raise MailboxFull(cleared)
                self._work.append(envelope)
                if key is not None:
                    envelope.key = key
                    self._keyed[key] = envelope
                if len(self._work) > self._peak:  # noqa: PLR1730 - a call of `max` would cost more than the rest
                    self._peak = len(self._work)
            envelope.place = "waiting"
            wake = self._wake
        if wake is not None:
            wake()
        return cleared

    def withdraw(self, envelope: Envelope) -> Sequence[Envelope]:
        """Note that nobody waits any more for the answer to an ask; those that are taken out for it."""
        with self._lock:
            if envelope.place != "waiting":
                return ()
            self._abandoned += 1
            # Not one by one: each would have to be searched for.
            if self._abandoned * 2 <= len(self._control) + len(self._work):
                return ()
            return self._clear_abandoned()

    def _clear_abandoned(self) -> list[Envelope]:
        self._abandoned = 0
        cleared: list[Envelope] = []
        for queue in (self._control, self._work):
            kept: list[Envelope] = []
            for envelope in queue:
                gone = envelope.reply is not None and envelope.reply.abandoned()
                (cleared if gone else kept).append(envelope)
            if len(kept) < len(queue):
                queue.clear()
                queue.extend(kept)
        for envelope in cleared:
            envelope.place = "settled"
        return cleared

    # The reader

    def attach(self, reader: object) -> None:
        """Make `reader` the only one that may take and settle."""
        with self._lock:
            self._reader, self._wake = reader, None

    def listen(self, reader: object, wake: Callable[[], None]) -> None:
        """Have `wake` called, at once too, unless `reader` has been fenced off."""
        with self._lock:
            if self._reader is not reader:
                return
            self._wake = wake
        wake()

    def detach(self, reader: object, holding: Envelope | None = None) -> list[Envelope] | None:
        """Fence `reader` off: what it had begun and not settled, in that order, is the caller's to settle.

        What was taken and not begun is back where it was. `None`, and nothing is done, for another reader, or for
        one that has settled `holding` meanwhile.
        """
        with self._lock:
            if self._reader is not reader or (holding is not None and holding not in self._taken):
                return None
            wake, self._reader, self._wake = self._wake, None, None
            owed: list[Envelope] = []
            for envelope in reversed(self._taken):
                if envelope.place == "begun" or self._closed:
                    envelope.place = "settled"
                    owed.append(envelope)
                else:
                    envelope.place = "waiting"
                    (self._control if envelope.message.control else self._work).appendleft(envelope)
            self._taken.clear()
        if wake is not None:
            wake()
        owed.reverse()
        return owed

    def take(self, reader: object, now: float, *, only_control: bool = False) -> Envelope | None:
        """The next envelope, control first; `None` if there is none. Raises `Fenced`."""
        with self._lock:
            if self._reader is not reader:
                raise Fenced
            if self._control:
                envelope = self._control.popleft()
            elif self._work and not only_control:
                envelope = self._work.popleft()
                key = envelope.key
                if key is not None and self._keyed.get(key) is envelope:
                    del self._keyed[key]
            else:
                return None
            envelope.place = "taken"
            envelope.since = now
            self._taken[envelope] = None
            return envelope

    def begin(self, reader: object, envelope: Envelope) -> bool:
        """Note that a taken envelope is handled from now on; whether it is `reader`'s to handle."""
        with self._lock:
            if self._reader is not reader:
                return False
            envelope.place = "begun"
            return True

    def settle(self, reader: object, envelope: Envelope) -> bool:
        """Note that a taken envelope is done with: whether it was `reader`'s to settle, which counts once."""
        with self._lock:
            if self._reader is not reader or envelope not in self._taken:
                return False
            del self._taken[envelope]
            envelope.place = "settled"
            return True

    def taken(self) -> tuple[Envelope, ...]:
        """What is in the reader's hands, in the order in which it was taken."""
        if not self._taken:
            return ()
        with self._lock:
            return tuple(self._taken)

    # The supervisor

    def close(self) -> list[Envelope]:
        """Accept no more work and no asks, and take out everything that waits, control first, in order."""
        with self._lock:
            self._closed = True
            drained = [*self._control, *self._work]
            self._control.clear()
            self._work.clear()
            self._keyed.clear()
            self._abandoned = 0
            for envelope in drained:
                envelope.place = "settled"
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
            for envelope in found:
                envelope.place = "settled"
            return found

    def is_empty(self) -> bool:
        """Whether nothing waits at this moment. Whoever sends afterwards wakes the reader."""
        return not self._control and not self._work

    def __len__(self) -> int:
        return len(self._control) + len(self._work)

    def statistics(self) -> MailboxStatistics:
        """Counts for the tree, the console and metrics."""
        with self._lock:
            return MailboxStatistics(
                self.capacity,
                len(self._work),
                len(self._control),
                len(self._taken),
                self._peak,
                self._received,
                self._conflated,
                self._refused,
            )


def _key_of(envelope: Envelope) -> Hashable | None:
    """What a tell is conflated under: its kind and its own key."""
    try:
        key = envelope.message.conflation_key()
        if key is None:
            return None
        hash(key)
    except Exception as error:
        raise UnusableKey(f"{type(envelope.message).__name__} has no usable conflation key") from error
    return (type(envelope.message), key)
