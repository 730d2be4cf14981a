"""Restarts an actor for an operator, through its supervisor."""

from aviary.actors.core.refusal import Conflict, NotFound
from aviary.actors.core.system import System
from aviary.supervisors.messages import RestartChild, TerminateChild

TIMEOUT = 30.0
"""Seconds that a stop or a start may take."""


class TreeRestarter:
    """Knows from the tree who supervises whom."""

    def __init__(self, system: System) -> None:
        self._system = system

    async def restart(self, address: str) -> None:
        """Start it, or stop and start it. Raises `NotFound`, `Unavailable`."""
        cell = self._system.cell(address)
        if cell is None or cell.parent is None:
            raise NotFound(f"{address} does not exist")
        name = address.rsplit("/", 1)[-1]
        try:
            await self._system.ask(cell.parent, RestartChild(name=name), timeout=TIMEOUT)
        except Conflict:
            await self._system.ask(cell.parent, TerminateChild(name=name), timeout=TIMEOUT)
            await self._system.ask(cell.parent, RestartChild(name=name), timeout=TIMEOUT)
