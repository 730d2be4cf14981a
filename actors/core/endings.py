"""What follows when a life ends: the stream, the counts, the poison, the supervisor, and what is left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aviary.actors.core.calls import call_on
from aviary.actors.core.envelope import Envelope
from aviary.actors.core.exits import ChildExited, Crash, Escalated, Hung, Killed, Normal, Shutdown, describe
from aviary.actors.core.life import Stop
from aviary.actors.core.refusal import is_anothers_crash
from aviary.actors.core.registry import take_out
from aviary.actors.core.tracebacks import traceback_of

if TYPE_CHECKING:
    import asyncio
    import threading
    from collections.abc import Callable

    from aviary.actors.core.address import Address
    from aviary.actors.core.directory import Directory
    from aviary.actors.core.ledger import Ledger
    from aviary.actors.core.life import Life
    from aviary.actors.core.quarantine import Quarantine
    from aviary.config.clock import Clock

    type Tell = Callable[[Address, ChildExited], None]

PROMPT = 1.0
"""Seconds, beyond what it may take to let go, in which an incarnation has to notice that it was fenced off."""


class Endings:
    """The overseer of every life; `tell` is how supervisors hear of the end of one."""

    def __init__(
        self,
        kernel: asyncio.AbstractEventLoop,
        clock: Clock,
        ledger: Ledger,
        directory: Directory,
        quarantine: Quarantine,
        tell: Tell,
    ) -> None:
        self.kernel = kernel
        self.clock = clock
        self.ledger = ledger
        self.quarantine = quarantine
        self._directory = directory
        self._tell = tell
        self._threads: list[threading.Thread] = []
        self._tasks: set[asyncio.Task[Any]] = set()

    # Why

    def crashed(self, life: Life, reason: Crash, error: BaseException, fatal: Envelope | None) -> None:
        """Note a crash: journal, dead letter for the fatal message, poison count."""
        cell = life.cell
        cell.last_failure = describe(reason)
        self.ledger.record_crash(
            cell.address,
            reason,
            detail=traceback_of(error),
            incarnation=life.number,
            mailbox=len(cell.mailbox),
            message_kind=None if fatal is None else type(fatal.message).__name__,
        )
        if fatal is None:
            return
        if is_anothers_crash(error):
            # The message that killed that other is to blame, there.
            self.ledger.dead_letter(cell.address, fatal, f"whom its handler asked crashed ({reason.crash_id})")
        else:
            self._blame(life, fatal, f"it killed its handler ({reason.crash_id})")

    def hang(self, life: Life, what: Envelope | str, seconds: float, detail: str = "") -> None:
        """Fence off an incarnation that ran over its limit: over a message, or in a task of that name.

        Nothing is done if the message has been settled meanwhile.
        """
        fatal = what if isinstance(what, Envelope) else None
        kind = type(fatal.message).__name__ if fatal is not None else str(what)
        reason = Hung(self.ledger.new_id("hung"), kind, seconds)
        if not life.end(reason, fatal):
            return
        self._note_hung(life, reason, message_kind=kind, detail=detail)
        if fatal is not None:
            self._blame(life, fatal, f"its handler hung ({reason.crash_id})")
        if life.thread is not None:
            # It won't let go of anything; there is nothing to wait for.
            call_on(self.kernel, self._abandon, life)

    def stall(self, life: Life, dispatcher: str, seconds: float) -> None:
        """Fence off a bystander: its loop is stuck, which is not the doing of its own message."""
        reason = Hung(self.ledger.new_id("hung"), f"dispatcher {dispatcher}", seconds)
        if life.end(reason):
            self._note_hung(life, reason, message_kind=None)

    def _note_hung(self, life: Life, reason: Hung, **more: Any) -> None:
        cell = life.cell
        cell.last_failure = describe(reason)
        self.ledger.record_hung(
            cell.address,
            describe(reason),
            incarnation=life.number,
            mailbox=len(cell.mailbox),
            crash_id=reason.crash_id,
            **more,
        )

    def _blame(self, life: Life, envelope: Envelope, why: str) -> None:
        self.ledger.dead_letter(life.cell.address, envelope, why)
        self.quarantine.note_kill(life.cell, type(envelope.message))

    # The way from the fence to the end

    def fenced(self, life: Life) -> None:
        """A life has been fenced off and lets go now, within its limit. From whatever thread."""
        take_out(life.actor.actor_ref)
        call_on(self.kernel, self._limit, life)

    def _limit(self, life: Life) -> None:
        for timer in tuple(life.timers):
            timer.end()
        if life.actor.release_timeout is not None and not life.done.done():
            life.limit = self.kernel.call_later(life.actor.release_timeout + PROMPT, self._abandon, life)

    def _abandon(self, life: Life) -> None:
        """Wait no longer for a life to end by itself: it is let go of without it."""
        if life.limit is not None:
            life.limit.cancel()
        if life.done.done():
            return
        if life.thread is not None:
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            self.leave_behind(life.thread)
        if life.runner is not None:
            life.runner.abandon()
        timeout = life.actor.release_timeout or 0.0
        life.limit = self.kernel.call_later(2 * timeout + PROMPT, life.finish)

    def ended(self, life: Life) -> None:
        """A life has ended and holds nothing any more: its supervisor is told. On the kernel's loop."""
        cell = life.cell
        if cell.life is life:
            cell.life = None
            if cell.state == "running":
                # Its supervisor decides, and may be busy with others for a while.
                cell.state = "backing_off"
        for stop in cell.mailbox.discard(Stop):
            stop.answer(None)
        for below in reversed(self._directory.below(cell.address)):
            if below.life is not None:
                below.life.end(Killed())
        if life.began and isinstance(life.reason, Normal | Shutdown | Killed | Escalated):
            life.record("stop", reason=describe(life.reason))
        if cell.parent is None and cell.address in self._directory:
            self._directory.rest(cell, "stopped", f"{cell.address} has ended")
        if cell.parent is not None and cell.parent in self._directory:
            lived = life.ended_at - life.began_at if life.began else 0.0
            exited = ChildExited(address=cell.address, serial=life.serial, reason=life.reason, lived=lived)
            self._tell(cell.parent, exited)

    # What does not let go

    def left_behind(self, life: Life, tasks: set[asyncio.Task[Any]]) -> None:
        """Count, and tell of, tasks that take no notice of their cancellation. On their loop."""
        if tasks:
            names = ", ".join(sorted(task.get_name() for task in tasks))
            life.record("release_failed", reason=f"{len(tasks)} tasks can't be ended: {names}"[:300])
            call_on(self.kernel, self._tasks.update, tasks)

    def leave_behind(self, thread: threading.Thread) -> None:
        """Count a thread that can't be ended."""
        self._threads.append(thread)

    def abandoned_threads(self) -> int:
        """How many threads that were left behind still run."""
        return sum(thread.is_alive() for thread in self._threads)

    def abandoned_tasks(self) -> int:
        """How many tasks that were left behind still run."""
        return sum(not task.done() for task in tuple(self._tasks))

    def look_back(self) -> None:
        """Forget the tasks that have ended after all. On the kernel's loop."""
        if self._tasks:
            self._tasks = {task for task in self._tasks if not task.done()}
