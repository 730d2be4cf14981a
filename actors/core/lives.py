"""Starting, stopping and killing incarnations: what supervisors do, on the kernel's loop."""

from __future__ import annotations

import asyncio
import traceback
from typing import TYPE_CHECKING

import pykka
from aviary.actors.core.actor import Actor
from aviary.actors.core.envelope import Envelope
from aviary.actors.core.exits import Crash, Exit, Killed, one_line
from aviary.actors.core.life import RELEASE_TIMEOUT, Ignore, Life, Started, Stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from aviary.actors.core.cell import Cell
    from aviary.actors.core.system import System


class Lives:
    """Gives addresses their incarnations and takes them away again."""

    def __init__(self, system: System) -> None:
        self._system = system

    async def start(
        self,
        cell: Cell,
        factory: Callable[[], Actor],
        timeout: float | None,  # noqa: ASYNC109
    ) -> Started | Exit | Ignore:
        """Start a new incarnation and wait until it is prepared.

        Answers `Started` when it runs, `Ignore` if it does not want to, else why it failed.
        """
        cell.incarnation += 1
        cell.state = "starting"
        cell.degraded = cell.next_try_at = None
        # A stop that an earlier life did not live to take is not meant for this one.
        for stop in cell.mailbox.discard(Stop):
            stop.answer(None)
        cell.mailbox.open()
        try:
            actor = _made(factory)
        except BaseException as error:  # noqa: BLE001 - whatever a constructor does is a failed start
            return self._unmade(cell, error)
        life = Life(self._system, cell, actor)
        actor.bind(life)
        cell.life = life
        pykka.ActorRegistry.register(actor.actor_ref)
        try:
            actor._start_actor_loop()  # noqa: SLF001 - pykka's own way to start
        except Exception as error:  # noqa: BLE001 - no thread or loop to be had: a failed start too
            life.crash(error, "start")
            life.finish()
        outcome: Started | Exit | Ignore
        try:
            async with asyncio.timeout(timeout):
                outcome = await asyncio.shield(life.started)
        except TimeoutError:
            life.crash(TimeoutError(f"did not start within {timeout:g} s"), "start")
            outcome = life.reason
        if not isinstance(outcome, Started):
            await self._ended_in_time(life)
        return outcome

    def _unmade(self, cell: Cell, error: BaseException) -> Crash:
        ledger = self._system.ledger
        reason = Crash(ledger.new_id("crash"), one_line(error), "start")
        ledger.record_crash(cell, reason, "".join(traceback.format_exception(error)))
        return reason

    async def stop(self, cell: Cell, timeout: float | None) -> Exit | None:  # noqa: ASYNC109
        """Ask an incarnation to end and wait; kill it after `timeout` seconds (0: at once).

        Answers why it ended, `None` if nothing ran.
        """
        life = cell.life
        if life is None:
            return None
        cell.state = "stopping"
        if timeout == 0:
            return await self.kill(cell)
        if life.alive:
            cell.mailbox.put(Envelope(Stop()))
        try:
            async with asyncio.timeout(timeout):
                reason = await asyncio.shield(life.done)
        except TimeoutError:
            return await self.kill(cell)
        return reason

    async def kill(self, cell: Cell) -> Exit | None:
        """Fence an incarnation off and wait a bounded time for what it held."""
        life = cell.life
        if life is None:
            return None
        life.end(Killed())
        for below in reversed(self._system.directory.below(cell.address)):
            if below.life is not None:
                below.life.end(Killed())
        await self._ended_in_time(life)
        return life.reason

    async def _ended_in_time(self, life: Life) -> None:
        below = self._system.directory.below(life.cell.address)
        lives = (life, *(cell.life for cell in below if cell.life is not None))
        limit = max(RELEASE_TIMEOUT if (own := each.actor.release_timeout) is None else own for each in lives)
        # A supervisor's end takes a little longer than the slowest of what is below it.
        _, late = await asyncio.wait([life.done], timeout=limit + min(len(lives), 2))
        if late:
            self._system.endings.abandon(life)


def _made(factory: Callable[[], Actor]) -> Actor:
    actor: object = factory()
    if not isinstance(actor, Actor):
        raise TypeError(f"the factory made no actor but {type(actor).__name__}")
    if actor.has_address:
        raise ValueError(f"the factory made an actor that lives already, at {actor.address}")
    return actor
