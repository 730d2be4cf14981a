"""What an incarnation has sent to itself later, once or again and again: armed by the kernel, for that life only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from aviary.actors.core.calls import call_on
from aviary.actors.core.envelope import Envelope

if TYPE_CHECKING:
    import asyncio

    from aviary.actors.core.life import Life
    from aviary.actors.core.message import Message


class Deliver(Protocol):
    """Queues an envelope at an address."""

    def __call__(self, address: str, envelope: Envelope, *, beyond: bool = False) -> None:
        """Queue it, `beyond` the mailbox's capacity if need be."""


class Timer:
    """Sends a message to a life after `delay` seconds, then each `period` seconds if there is one.

    A kind that is set aside as poison is sent once it may pass again: a duty must not end with its quarantine. A
    message that is due while the last one waits or is handled is left out. What this life was sent and did not
    come to handle is not handled by a later one, which has timers of its own.
    """

    __slots__ = ("_deliver", "_handle", "_last", "_life", "_loop", "_message", "_over", "_period")

    def __init__(self, life: Life, message: Message[Any], period: float | None, deliver: Deliver) -> None:
        self._life: Life | None = life
        self._message = message
        self._period = period
        self._deliver = deliver
        self._loop = life.overseer.kernel
        self._handle: asyncio.TimerHandle | None = None
        self._last: Envelope | None = None
        self._over = False

    def start(self, delay: float) -> None:
        """Arm it; callable from any thread."""
        call_on(self._loop, self._start, max(delay, 0.0))

    def cancel(self) -> None:
        """Send nothing any more; callable from any thread, again does no harm."""
        self._over = True
        call_on(self._loop, self.end)

    def end(self) -> None:
        """Let go of the life, on the kernel's loop."""
        self._over = True
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if self._life is not None:
            self._life.timers.discard(self)
            self._life = None

    def _start(self, delay: float) -> None:
        if self._over or self._life is None:
            return
        if not self._life.alive:
            self.end()
            return
        self._life.timers.add(self)
        self._handle = self._loop.call_later(delay, self._fire)

    def _fire(self) -> None:
        life = self._life
        if self._over or life is None or not life.alive:
            self.end()
            return
        overseer, cell = life.overseer, life.cell
        until = overseer.quarantine.until(cell, type(self._message))
        if until is not None:
            self._handle = self._loop.call_later(max(until - overseer.clock.monotonic(), 0.0), self._fire)
            return
        last = self._last
        if last is None or last.place == "settled":
            self._last = Envelope(self._message, serial=life.serial)
            # As many as there are timers: a full mailbox is no reason to miss one's own appointments.
            self._deliver(cell.address, self._last, beyond=True)
        if self._period is None:
            self.end()
        else:
            self._handle = self._loop.call_later(self._period, self._fire)
