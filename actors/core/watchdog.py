"""The watch over handlers: one that runs over its limit is hung, and hung is dead."""

import asyncio
import logging

from aviary.actors.core.dispatcher import LoopDispatcher
from aviary.actors.core.system import System

log = logging.getLogger("aviary.kernel")

PERIOD = 0.25
"""Seconds between two looks."""

STUCK_AFTER = 10.0
"""Seconds of silence after which a dispatcher's loop counts as stuck."""


async def watch(system: System) -> None:
    """Look at every handler, for ever. Runs on the kernel's loop."""
    while True:
        await asyncio.sleep(PERIOD)
        try:
            look(system)
        except Exception:  # nobody watches the watch: whatever it is, the next look must come
            log.exception("the watch over handlers failed")


def look(system: System) -> None:
    """Fence off every incarnation whose handler, or owed answer, is over its limit."""
    now = system.clock.monotonic()
    for dispatcher in system.dispatchers():
        # The kernel's own loop is the one that looks.
        if (
            isinstance(dispatcher, LoopDispatcher)
            and dispatcher is not system.kernel
            and dispatcher.silence() > STUCK_AFTER
        ):
            system.replace_dispatcher(dispatcher.name)
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
