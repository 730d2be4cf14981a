"""The watch over handlers and loops: what runs over its limit is hung, and hung is dead."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import traceback
from collections import deque
from typing import TYPE_CHECKING

from aviary.actors.core.acting import ACTING
from aviary.actors.core.dispatcher import LoopDispatcher
from aviary.actors.core.events import shortened
from aviary.actors.core.life import Life

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aviary.actors.core.cell import Cell
    from aviary.actors.core.envelope import Envelope
    from aviary.actors.core.system import System

log = logging.getLogger("aviary.kernel")

PERIOD = 0.25
"""Seconds between two looks."""

LATE = 0.1
"""Seconds by which a look must be late to tell that the machine had no processor for this process."""

LATES_KEPT = 2_000
"""Looks that were late, of which it is remembered: more than fit in the longest limit."""

PAUSE = 1.0
"""Seconds of lateness that are worth a line in the log."""

STUCK_AFTER = 10.0
"""Seconds of silence after which a dispatcher's loop counts as stuck."""


async def watch(system: System) -> None:
    """Look at every handler, for ever. Runs on the kernel's loop.

    When the whole process stood still (a stopped process, a frozen machine), or got little of a processor, nobody is
    to blame: that time does not count against a handler or a loop.
    """
    pauses: deque[tuple[float, float]] = deque(maxlen=LATES_KEPT)
    while True:
        before = system.clock.monotonic()
        await asyncio.sleep(PERIOD)
        now = system.clock.monotonic()
        late = now - before - PERIOD
        if late > LATE:
            pauses.append((now, late))
        if late > PAUSE:
            log.warning("the process stood still for %.1f s", late)
        look(system, pauses)


def look(system: System, pauses: Iterable[tuple[float, float]] = ()) -> None:
    """Fence off every incarnation whose handler, or owed answer, is over its limit, and sum up what was dropped.

    `pauses` are the moments until which the process stood still, and for how many seconds. Trouble with one of
    those looked at keeps nobody from the others: nobody watches the watch.
    """
    now = system.clock.monotonic()
    for dispatcher in system.dispatchers.all():
        # The kernel's own loop is the one that looks.
        if (
            isinstance(dispatcher, LoopDispatcher)
            and dispatcher is not system.kernel
            and without(pauses, now, dispatcher.silence()) > STUCK_AFTER
        ):
            try:
                replace(system, dispatcher.name)
            except BaseException:
                log.exception("dispatcher %s could not be replaced", dispatcher.name)
    for cell in system.directory.cells():
        try:
            _look_at(system, cell, now, pauses)
        except BaseException:
            log.exception("the watch over %s failed", cell.address)
    try:
        system.ledger.sum_up()
        system.endings.look_back()
    except BaseException:
        log.exception("summing up failed")


def without(pauses: Iterable[tuple[float, float]], now: float, seconds: float) -> float:
    """The last `seconds` without the pauses that fall in them."""
    return seconds - sum(paused for at, paused in pauses if at > now - seconds)


def _look_at(system: System, cell: Cell, now: float, pauses: Iterable[tuple[float, float]]) -> None:
    life = cell.life
    if not isinstance(life, Life) or not life.alive:
        return
    worst: tuple[float, Envelope, float] | None = None
    for envelope in cell.mailbox.taken():
        own = envelope.message.handler_limit
        limit = cell.settings.handler_limit if own is None else own
        if limit is None or now - envelope.since <= limit:
            continue
        seconds = without(pauses, now, now - envelope.since)
        over = seconds - limit
        if over > 0 and life.drop(envelope, seconds):
            continue
        if over > 0 and (worst is None or over > worst[0]):
            worst = (over, envelope, seconds)
    if worst is not None:
        _, envelope, seconds = worst
        system.endings.hang(life, envelope, seconds)


def replace(system: System, name: str) -> None:
    """Abandon a loop that does not answer: its actors count as hung and start on a new one.

    Only the incarnation whose code blocks the loop is to blame, and the message that it works on.
    """
    stuck = system.dispatchers.take_out(name)
    log.error("dispatcher %s is stuck, replacing it", name)
    silence = stuck.silence()
    task = asyncio.current_task(stuck.loop)
    acting = None if task is None else task.get_context().get(ACTING)
    where = _stack_of(stuck.thread) if isinstance(stuck, LoopDispatcher) else ""
    for cell in system.directory.cells():
        life = cell.life
        if not isinstance(life, Life) or life.loop is not stuck.loop:
            continue
        if task is not None and acting is not None and acting[0] is life:
            system.endings.hang(life, acting[1] or _at_hand(life, task) or task.get_name(), silence, where)
        else:
            system.endings.stall(life, name, silence)
        life.finish()
    if isinstance(stuck, LoopDispatcher):
        system.endings.leave_behind(stuck.thread)
        stuck.abandon()


def _at_hand(life: Life, task: asyncio.Task[object]) -> Envelope | None:
    """The message that a life's own task handles."""
    return life.handling if life.runner is not None and life.runner.is_main(task) else None


def _stack_of(thread: threading.Thread) -> str:
    """Where a thread is at this moment."""
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001 - the documented way
    return "" if frame is None else shortened("".join(traceback.format_stack(frame)))
