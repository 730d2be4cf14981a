"""How the registry of bots asks for their actors."""

from collections.abc import Callable

from aviary.actors.core.actor import Actor
from aviary.actors.core.cell import CellSettings
from aviary.actors.core.system import System
from aviary.supervisors.backoff import BOT, Backoff
from aviary.supervisors.branches.asking import have_no_more
from aviary.supervisors.messages import StartChild
from aviary.supervisors.spec import ChildSpec

SUPERVISOR = "bots"

TIMEOUT = 30.0
"""Seconds for a supervisor to start or stop an actor; processes are not waited for."""

SETTINGS = CellSettings(mailbox=5_000, handler_limit=30.0)
"""A burst of log lines must fit."""


class SupervisedBots:
    """Starts and removes the actors `bots/<name>`; `factory` makes one."""

    def __init__(self, system: System, factory: Callable[[str], Actor], backoff: Backoff = BOT) -> None:
        self._system = system
        self._factory = factory
        self._backoff = backoff

    async def start_bot(self, name: str) -> None:
        """Start the actor; one that is backing off is started now."""
        cell = self._system.cell(f"{SUPERVISOR}/{name}")
        if cell is not None and cell.state in {"running", "degraded"}:
            return
        if cell is not None:
            await self.remove_bot(name)
        spec = ChildSpec(
            name, lambda: self._factory(name), restart="transient", backoff=self._backoff, settings=SETTINGS
        )
        await self._system.ask(SUPERVISOR, StartChild(spec=spec), timeout=TIMEOUT)

    async def remove_bot(self, name: str) -> None:
        """Remove the actor; its process, if any, is left alone."""
        await have_no_more(self._system, SUPERVISOR, name, TIMEOUT)
