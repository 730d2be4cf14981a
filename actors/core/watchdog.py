"""The watch over handlers: one that runs over its limit is hung, and hung is dead."""

import asyncio

from aviary.actors.core.dispatcher import LoopDispatcher
from aviary.actors.core.system import System

PERIOD = 0.25
"""Seconds between two looks."""

STUCK_AFTER = 10.0
"""Seconds of silence after which a dispatcher's loop counts as stuck."""


async def watch(system: System) -> None:
    """Look at every handler, for ever. Runs on the kernel's loop."""
    while True:
        await asyncio.sleep(PERIOD)
        look(system)


def look(system: System) -> None:
    """Fence off every incarnation whose handler, or owed answer, is over its limit."""
    now = system.clock.monotonic()
    for name in ("work", "feeds"):
        dispatcher = system._dispatchers.get(name)  # noqa: SLF001 - the watchdog is part of the system
        if isinstance(dispatcher, LoopDispatcher) and dispatcher.silence() > STUCK_AFTER:
            system.replace_dispatcher(name)
    for cell in system.cells():
        life = cell.life
        if life is None or not life.alive:
            continue
        handling = life.handling
        work = [(handling, life.handling_since)] if handling is not None else []
        for envelope, since in (*work, *tuple(life.deferred.values())):
            own = envelope.message.handler_limit
            limit = cell.settings.handler_limit if own is None else own
            if limit is not None and now - since > limit:
                system.hang(life, envelope, now - since)
                break
