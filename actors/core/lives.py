"""Starting, stopping and killing incarnations: what supervisors do, on the kernel's loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aviary.actors.core.actor import Actor
from aviary.actors.core.envelope import Envelope
from aviary.actors.core.exits import Crash, Exit, Killed, describe, one_line
from aviary.actors.core.life import Ignore, Life, Started, Stop
from aviary.actors.core.registry import enter
from aviary.actors.core.tracebacks import traceback_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from aviary.actors.core.cell import Cell
    from aviary.actors.core.context import ActorContext
    from aviary.actors.core.directory import Directory
    from aviary.actors.core.endings import Endings
    from aviary.actors.core.workshop import Workshop


class Lives:
    """Gives addresses their incarnations and takes them away again."""

    def __init__(self, context: ActorContext, directory: Directory, endings: Endings, workshop: Workshop) -> None:
        self._context = context
        """What the actors are told of their system."""
        self._directory = directory
        self._endings = endings
        self._workshop = workshop

    async def start(
        self,
        cell: Cell,
        factory: Callable[[], Actor],
        timeout: float | None,  # noqa: ASYNC109
    ) -> Started | Exit | Ignore:
        """Start a new incarnation and wait until it is prepared.

        Answers `Started` when it runs, `Ignore` if it does not want to, else why it failed. The `timeout` is for
        all of it: the factory, which runs in a thread beside the kernel, and `prepare`.
        """
        cell.incarnation += 1
        cell.state = "starting"
        cell.degraded = cell.next_try_at = None
        # A stop that an earlier life did not live to take is not meant for this one.
        for stop in cell.mailbox.discard(Stop):
            stop.answer(None)
        cell.mailbox.open()
        limit = asyncio.timeout(timeout)
        life: Life | None = None
        try:
            async with limit:
                actor = await self._workshop.make(factory)
                life = self._begin(cell, actor)
                outcome: Started | Exit | Ignore = await asyncio.shield(life.started)
        except Exception as error:  # noqa: BLE001 - whatever a factory does is a failed start
            if not limit.expired():
                return self._unmade(cell, error)
            error = TimeoutError(f"did not start within {timeout:g} s")
            if life is None:
                return self._unmade(cell, error)
            life.crash(error, "start")
            outcome = life.reason
        if not isinstance(outcome, Started):
            await asyncio.shield(life.done)
        return outcome

    def _begin(self, cell: Cell, actor: object) -> Life:
        if not isinstance(actor, Actor):
            raise TypeError(f"the factory made no actor but {type(actor).__name__}")
        if actor.has_address:
            raise ValueError(f"the factory made an actor that lives already, at {actor.address}")
        life = Life(self._endings, cell, actor)
        actor.bind(life, self._context)
        cell.life = life
        cell.mailbox.attach(life)
        enter(actor.actor_ref)
        try:
            actor._start_actor_loop()  # noqa: SLF001 - pykka's own way to start
        except Exception as error:  # noqa: BLE001 - no thread or loop to be had: a failed start too
            life.crash(error, "start")
            life.finish()
        return life

    def _unmade(self, cell: Cell, error: BaseException) -> Crash:
        ledger = self._endings.ledger
        reason = Crash(ledger.new_id("crash"), one_line(error), "start")
        cell.last_failure = describe(reason)
        ledger.record_crash(
            cell.address,
            reason,
            detail=traceback_of(error),
            incarnation=cell.incarnation,
            mailbox=len(cell.mailbox),
        )
        return reason

    async def stop(self, cell: Cell, timeout: float | None) -> Exit | None:  # noqa: ASYNC109
        """Ask an incarnation to end and wait; kill it after `timeout` seconds (0: at once).

        Answers why it ended, `None` if nothing ran.
        """
        life = cell.life
        if not isinstance(life, Life):
            return None
        cell.state = "stopping"
        if timeout == 0:
            return await self.kill(cell)
        if life.alive:
            cell.mailbox.put(Envelope(Stop()))
        try:
            async with asyncio.timeout(timeout):
                return await asyncio.shield(life.done)
        except TimeoutError:
            return await self.kill(cell)

    async def kill(self, cell: Cell) -> Exit | None:
        """Fence an incarnation off, and all below it, and wait a bounded time for what they held."""
        life = cell.life
        if not isinstance(life, Life):
            return None
        life.end(Killed())
        for below in reversed(self._directory.below(cell.address)):
            if below.life is not None:
                below.life.end(Killed())
        # Whoever does not let go is abandoned in time, which is its end: see `Endings`.
        return await asyncio.shield(life.done)
