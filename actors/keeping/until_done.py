"""What has to be done and can't be done yet: tried again with growing delays until it is, with one alarm meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aviary.actors.core.refusal import ActorCrashed, Refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aviary.actors.core.actor import AsyncActor

FIRST_RETRY, LAST_RETRY = 1.0, 15.0
"""Seconds until the next try, doubling from the first to the last."""

TOLD = 5
"""Things that the alarm names."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Something that could not be done yet."""

    why: str
    next_try_at: float
    """Monotonic."""


class UntilDone:
    """Keeps trying on behalf of one incarnation of an actor, each thing beside the others.

    What is refused, or fails for a reason outside, is tried again; any other exception is the actor's crash. While
    something waits the actor is degraded, and the alarm `bring-up/<address>` says what and why.
    """

    def __init__(self, actor: AsyncActor) -> None:
        self._actor = actor
        self._alarm = f"bring-up/{actor.address}"
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._waiting: dict[str, Waiting] = {}

    def begin(self, what: str, work: Callable[[], Awaitable[None]]) -> None:
        """Do something, beside everything else; if it is under way already, it stays so."""
        if what not in self._tasks:
            self._tasks[what] = self._actor.spawn(self._try(what, work), what)

    def waiting(self, what: str) -> Waiting | None:
        """Why something is not done yet; `None` if it is, or was not tried yet."""
        return self._waiting.get(what)

    async def _try(self, what: str, work: Callable[[], Awaitable[None]]) -> None:
        delay = FIRST_RETRY
        while True:
            try:
                await work()
            except (Refusal, ActorCrashed, OSError) as trouble:
                why = str(trouble) or type(trouble).__name__
                self._waiting[what] = Waiting(why, self._actor.clock.monotonic() + delay)
                self._tell()
                await asyncio.sleep(delay)
                delay = min(LAST_RETRY, delay * 2.0)
            else:
                break
        self._waiting.pop(what, None)
        del self._tasks[what]
        self._tell()

    def _tell(self) -> None:
        alarms = self._actor.system.alarms
        if not self._waiting:
            self._actor.recover()
            alarms.clear(self._alarm)
            return
        told = [f"{what}: {waiting.why}" for what, waiting in list(self._waiting.items())[:TOLD]]
        more = len(self._waiting) - len(told)
        text = f"not there yet, and tried again: {'; '.join(told)}{f'; and {more} more' if more else ''}"
        self._actor.degrade(text)
        alarms.raise_(self._alarm, text)
