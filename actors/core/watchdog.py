"""The watch over handlers and loops: what runs over its limit is hung, and hung is dead."""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable

from aviary.actors.core.dispatcher import LoopDispatcher
from aviary.actors.core.system import System

log = logging.getLogger("aviary.kernel")

PERIOD = 0.25
"""Seconds between two looks."""

PAUSE = 1.0
"""Seconds by which the watch itself must be late to tell that the whole process stood still."""

STUCK_AFTER = 10.0
"""Seconds of silence after which a dispatcher's loop counts as stuck."""


async def watch(system: System) -> None:
    """Look at every handler, for ever. Runs on the kernel's loop.

    When the whole process stood still (a stopped process, a frozen machine), nobody is to blame: that
    time does not count against a handler, and every loop gets a moment to give a sign of life.
    """
    pauses: deque[tuple[float, float]] = deque(maxlen=16)
    while True:
        before = system.clock.monotonic()
        await asyncio.sleep(PERIOD)
        now = system.clock.monotonic()
        late = now - before - PERIOD
        if late > PAUSE:
            log.warning("the process stood still for %.1f s", late)
            pauses.append((now, late))
            continue
        try:
            look(system, pauses)
        except Exception:  # nobody watches the watch: whatever it is, the next look must come
            log.exception("the watch over handlers failed")


def look(system: System, pauses: Iterable[tuple[float, float]] = ()) -> None:
    """Fence off every incarnation whose handler, or owed answer, is over its limit.

    `pauses` are the moments until which the process stood still, and for how many seconds.
    """
    now = system.clock.monotonic()
    for dispatcher in system.dispatchers.all():
        # The kernel's own loop is the one that looks.
        if (
            isinstance(dispatcher, LoopDispatcher)
            and dispatcher is not system.kernel
            and dispatcher.silence() > STUCK_AFTER
        ):
            replace(system, dispatcher.name)
    for cell in system.directory.cells():
        life = cell.life
        if life is None or not life.alive:
            continue
        handling = life.handling
        work = [(handling, life.handling_since)] if handling is not None else []
        for envelope, since in (*work, *tuple(life.deferred.values())):
            own = envelope.message.handler_limit
            limit = cell.settings.handler_limit if own is None else own
            if limit is None or now - since <= limit:
                continue
            seconds = now - since - sum(paused for at, paused in pauses if at > since)
            if seconds > limit and (envelope is handling or not life.drop(envelope, seconds)):
                system.endings.hang(life, envelope, seconds)
                break


def replace(system: System, name: str) -> None:
    """Abandon a loop that does not answer: its actors count as hung and start on a new one.

    Only the message whose handler blocks the loop is to blame.
    """
    stuck = system.dispatchers.take_out(name)
    log.error("dispatcher %s is stuck, replacing it", name)
    silence = stuck.silence()
    blocking = asyncio.current_task(stuck.loop)
    for cell in system.directory.cells():
        life = cell.life
        if life is None or life.loop is not stuck.loop:
            continue
        if life.main is not None and life.main is blocking and life.handling is not None:
            system.endings.hang(life, life.handling, silence)
        else:
            system.endings.stall(life, name, silence)
        life.finish()
    if isinstance(stuck, LoopDispatcher):
        system.endings.leave_behind(stuck.thread)
        stuck.abandon()
