"""What follows when a life ends: the stream, the counts, the poison, the supervisor, and what is left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pykka
from aviary.actors.core.dispatcher import call_on
from aviary.actors.core.envelope import Envelope
from aviary.actors.core.exits import ChildExited, Crash, Escalated, Hung, Killed, Normal, Shutdown, describe
from aviary.actors.core.life import Stop

if TYPE_CHECKING:
    import asyncio
    import threading
    from collections.abc import Callable

    from aviary.actors.core.address import Address
    from aviary.actors.core.directory import Directory
    from aviary.actors.core.ledger import Ledger
    from aviary.actors.core.life import Life
    from aviary.actors.core.quarantine import Quarantine

    type Tell = Callable[[Address, ChildExited], None]


class Endings:
    """Lives report here how they end; `tell` is how their supervisors hear of it."""

    def __init__(
        self,
        kernel: asyncio.AbstractEventLoop,
        ledger: Ledger,
        directory: Directory,
        quarantine: Quarantine,
        tell: Tell,
    ) -> None:
        self._kernel = kernel
        self._ledger = ledger
        self._directory = directory
        self._quarantine = quarantine
        self._tell = tell
        self._threads: list[threading.Thread] = []

    # Why

    def crashed(self, life: Life, reason: Crash, detail: str, envelope: Envelope | None) -> None:
        """Note a crash: journal, dead letter for the fatal message, poison count."""
        kind = None if envelope is None else type(envelope.message)
        self._ledger.record_crash(
            life.cell,
            reason,
            detail,
            incarnation=life.number,
            message_kind=None if kind is None else kind.__name__,
        )
        if envelope is not None:
            self._blame(life, envelope, f"it killed its handler ({reason.crash_id})")

    def hang(self, life: Life, envelope: Envelope, seconds: float) -> None:
        """Fence off an incarnation whose handler ran over its limit."""
        reason = Hung(self._ledger.new_id("hung"), type(envelope.message).__name__, seconds)
        if not life.end(reason, envelope):
            return
        self._ledger.record_hung(
            life.cell,
            describe(reason),
            incarnation=life.number,
            crash_id=reason.crash_id,
            message_kind=reason.message_kind,
        )
        self._blame(life, envelope, f"its handler hung ({reason.crash_id})")
        if life.thread is not None:
            # It won't let go of anything; there is nothing to wait for.
            self.abandon(life)

    def stall(self, life: Life, dispatcher: str, seconds: float) -> None:
        """Fence off a bystander: its loop is stuck, which is not the doing of its own message."""
        if life.end(Hung(self._ledger.new_id("hung"), f"dispatcher {dispatcher}", seconds)):
            self._ledger.record_hung(life.cell, f"dispatcher {dispatcher} was stuck", incarnation=life.number)

    def _blame(self, life: Life, envelope: Envelope, why: str) -> None:
        self._ledger.dead_letter(life.cell.address, envelope, why)
        self._quarantine.note_kill(life.cell, type(envelope.message))

    # The way from the fence to the end

    def fenced(self, life: Life) -> None:
        """A life has been fenced off and lets go now, within its limit. From whatever thread."""
        pykka.ActorRegistry.unregister(life.actor.actor_ref)
        if life.actor.release_timeout is not None:
            call_on(self._kernel, self._limit_release, life, life.actor.release_timeout)

    def _limit_release(self, life: Life, timeout: float) -> None:
        if not life.done.done():
            life.release_limit = self._kernel.call_later(timeout + 1, self.abandon, life)

    def ended(self, life: Life) -> None:
        """A life has ended and holds nothing any more: its supervisor is told. On the kernel's loop."""
        cell = life.cell
        if cell.life is life:
            cell.life = None
        for stop in cell.mailbox.discard(Stop):
            stop.answer(None)
        for below in reversed(self._directory.below(cell.address)):
            if below.life is not None:
                below.life.end(Killed())
        if life.began and isinstance(life.reason, Normal | Shutdown | Killed | Escalated):
            self._ledger.record_of("stop", cell, incarnation=life.number, reason=describe(life.reason))
        if cell.parent is None and cell.address in self._directory:
            self._directory.rest(cell, "stopped", f"{cell.address} has ended")
        if cell.parent is not None and cell.parent in self._directory:
            self._tell(cell.parent, ChildExited(address=cell.address, serial=life.serial, reason=life.reason))

    # What does not let go

    def abandon(self, life: Life) -> None:
        """Wait no longer for a life to let go; its thread, if it has one, is left behind."""
        if life.done.done():
            return
        if life.thread is not None:
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            self.leave_behind(life.thread)
        life.finish()

    def leave_behind(self, thread: threading.Thread) -> None:
        """Count a thread that can't be ended."""
        self._threads.append(thread)

    def abandoned_threads(self) -> int:
        """How many threads that were left behind still run."""
        return sum(thread.is_alive() for thread in self._threads)
