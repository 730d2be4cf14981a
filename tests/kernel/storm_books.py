"""The account of every envelope: where it went, and by what it was settled. It must be settled exactly once.

The kernel is looked at from inside, by the place that an envelope says it is in: a test that counts what its actors
handled can't tell a message that was lost from one that was never due.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from aviary.actors.core.envelope import Envelope, LoopReply, ThreadReply
from aviary.actors.core.ledger import Ledger
from aviary.actors.core.reference import _PykkaReply

MAY_GO: dict[str, set[str]] = {
    "new": {"waiting", "settled"},
    "waiting": {"taken", "settled"},
    "taken": {"begun", "waiting", "settled"},
    "begun": {"settled"},
    "settled": set(),
}
"""From where to where. What was begun is never tried again, what is settled is settled for good."""

GIVEN_UP = "the asker has given up waiting"


class Entry:
    """What became of one envelope."""

    __slots__ = ("dead", "envelope", "places", "replies", "sent")

    def __init__(self, envelope: Envelope) -> None:
        self.envelope = envelope
        self.sent = envelope.message
        """What it held when it was made: a newer message may have replaced that."""
        self.places: list[str] = ["new"]
        self.replies: list[object] = []
        self.dead: list[str] = []

    @property
    def number(self) -> int:
        """That of the message, 0 if it is one of the kernel's own or has none."""
        return int(getattr(self.sent, "n", 0))

    @property
    def was_replaced(self) -> bool:
        """Whether a newer message of its key took its place, or rather it was put into an older one's."""
        return (
            self.places == ["new", "settled"]
            and not self.dead
            and not self.replies
            and self.sent.conflation_key() is not None
        )

    def __repr__(self) -> str:
        return f"<{self.sent!r}: {' '.join(self.places)}, {len(self.replies)} replies, dead {self.dead}>"


class Books:
    """Every envelope of a system, while it is watched."""

    def __init__(self) -> None:
        self.entries: dict[Envelope, Entry] = {}
        self.errors: list[str] = []
        self._replies: dict[object, Entry] = {}
        self._open: dict[Envelope, Entry] = {}
        """Those with a number that are under way."""
        self._changed = threading.Condition()

    # What is noted

    def made(self, envelope: Envelope) -> None:
        entry = self.entries[envelope] = Entry(envelope)
        if envelope.reply is not None:
            self._replies[envelope.reply] = entry

    def went(self, envelope: Envelope, before: str, place: str) -> None:
        entry = self.entries.get(envelope)
        if entry is None:
            return
        entry.places.append(place)
        if place not in MAY_GO[before]:
            self.errors.append(f"from {before} to {place}: {entry}")
        if place == "settled":
            self._open.pop(envelope, None)
            if not self._open:
                with self._changed:
                    self._changed.notify_all()
        elif entry.number:
            self._open[envelope] = entry

    def replied(self, reply: object, value: object) -> None:
        if (entry := self._replies.get(reply)) is not None:
            entry.replies.append(value)

    def died(self, envelope: Envelope, why: str) -> None:
        if (entry := self.entries.get(envelope)) is not None:
            entry.dead.append(why)

    # What is asked

    def of(self, *kinds: type[object]) -> list[Entry]:
        return [entry for entry in tuple(self.entries.values()) if isinstance(entry.sent, kinds)]

    def wait_until_settled(self, timeout: float) -> list[Entry]:
        """Wait, in a thread, until nothing that has a number is under way; what still is after `timeout` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: not self._open, timeout)
        return list(self._open.values())

    def dead_letters(self) -> int:
        return sum(len(entry.dead) for entry in self.entries.values())

    def faults(self, handled: Counter[int]) -> list[str]:
        """What is wrong with the accounts once all has come to rest; `handled` says how often each number was."""
        return [*self.errors, *(fault for e in self.entries.values() if (fault := self._fault(e, handled)))]

    def _fault(self, entry: Entry, handled: Counter[int]) -> str | None:
        envelope, replies, dead = entry.envelope, len(entry.replies), len(entry.dead)
        asked = envelope.reply is not None
        times = handled[entry.number] if entry.number else 0
        if entry.places == ["new"]:
            # An ask that was refused where it was made, by an exception.
            return None if asked and not replies and not dead and not times else f"never sent: {entry}"
        if entry.places.count("settled") != 1:
            return f"settled {entry.places.count('settled')} times: {entry}"
        if replies > 1 or dead > 1 or times > 1:
            return f"done with more than once, handled {times} times: {entry}"
        if envelope.reply is not None:
            gone = dead == 1 and entry.dead[0] == GIVEN_UP and envelope.reply.abandoned()
            return None if replies == 1 or gone else f"not answered: {entry}"
        if not entry.number or entry.was_replaced or envelope.key is not None:
            # Of the kernel's own, or replaced, or holding what replaced it: counted by the storm.
            return None
        return None if dead or times else f"lost: {entry}"


@contextmanager
def kept_books(thread: int | None = None) -> Iterator[Books]:
    """Watch every envelope that is made within, by this thread or by all of them.

    A system in one thread may have neighbours in others: what tests of other rooms keep for the whole session.
    """
    books = Books()
    place: Any = Envelope.__dict__["place"]
    make, note_dead = Envelope.__init__, Ledger.dead_letter

    def move(envelope: Envelope, to: str) -> None:
        try:
            before = place.__get__(envelope)
        except AttributeError:
            before = None
        place.__set__(envelope, to)
        if before is not None:
            books.went(envelope, before, to)

    def made(envelope: Envelope, *args: Any, **more: Any) -> None:
        make(envelope, *args, **more)
        if thread is None or threading.get_ident() == thread:
            books.made(envelope)

    def dead_letter(ledger: Ledger, address: str, envelope: Envelope, why: str) -> None:
        books.died(envelope, why)
        note_dead(ledger, address, envelope, why)

    def noting(answer: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
        def answered(reply: object, value: object) -> None:
            books.replied(reply, value)
            answer(reply, value)

        return answered

    patches: list[Any] = [
        patch.object(Envelope, "place", property(place.__get__, move)),
        patch.object(Envelope, "__init__", made),
        patch.object(Ledger, "dead_letter", dead_letter),
    ]
    for kind in (LoopReply, ThreadReply, _PykkaReply):
        patches += [patch.object(kind, name, noting(getattr(kind, name))) for name in ("set", "fail")]
    for patched in patches:
        patched.start()
    try:
        yield books
    finally:
        for patched in reversed(patches):
            patched.stop()
