"""The way to the database for an actor: what only reads never waits behind what is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aviary.actors.keeping.database import WRITER, a_reader
from aviary.actors.messages.database import Fetch, Transact

if TYPE_CHECKING:
    from collections.abc import Callable

    from aviary.actors.core.actor import AsyncActor
    from aviary.persistence.repositories import Repositories

TIMEOUT = 10.0
"""Seconds for one piece of work; a few milliseconds is usual."""


class Records:
    """What is kept, on behalf of one actor. Both ways raise `Unavailable` if the database can't be reached.

    What was written and awaited is seen by every later read.
    """

    def __init__(self, actor: AsyncActor) -> None:
        self._actor = actor

    async def read[R](self, work: Callable[[Repositories], R]) -> R:
        """Run `work`, which only reads, on a reader's thread."""
        return await self._actor.ask(a_reader(), Fetch(work=work), timeout=TIMEOUT)

    async def write[R](self, work: Callable[[Repositories], R]) -> R:
        """Run `work` in one transaction, after everything that was asked before it."""
        return await self._actor.ask(WRITER, Transact(work=work), timeout=TIMEOUT)
