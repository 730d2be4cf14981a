"""Restarts an actor for an operator, through its supervisor."""

from aviary.actors.core.refusal import Conflict, NotFound
from aviary.actors.core.system import System
from aviary.supervisors.messages import RenewChild

TIMEOUT = 60.0
"""Seconds that a stop and a start may take."""


class TreeRestarter:
    """Knows from the tree who supervises whom."""

    def __init__(self, system: System) -> None:
        self._system = system

    async def restart(self, address: str, asker: str) -> None:
        """Start it, or stop and start it. Raises `NotFound`, `Conflict`, `Unavailable`.

        The supervisor does both by one message: whoever asks may be what is restarted, and does not wait for its own
        end.
        """
        cell = self._system.cell(address)
        if cell is None:
            raise NotFound(f"{address} does not exist")
        if cell.parent is None:
            raise Conflict(f"{address} is the root: restart the server")
        order = RenewChild(name=address.rsplit("/", 1)[-1])
        if asker == address:
            self._system.tell(cell.parent, order)
        else:
            await self._system.ask(cell.parent, order, timeout=TIMEOUT)
