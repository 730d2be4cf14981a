"""Starting and stopping a whole tree."""

import asyncio

from aviary.actors.core.life import Started
from aviary.actors.core.system import System
from aviary.actors.core.watchdog import watch
from aviary.supervisors.spec import SupervisorSpec
from aviary.supervisors.supervisor import SUPERVISOR_SETTINGS, RootSupervisor, StartFailed

ROOT = "aviary"
"""The address of the root supervisor."""


class Tree:
    """A running tree. `start` and `stop` are called on the kernel's loop."""

    def __init__(self, system: System, spec: SupervisorSpec) -> None:
        self.system = system
        self._spec = spec
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the root, and with it every child. Raises `StartFailed`."""
        cell = self.system.directory.add(ROOT, parent=None, settings=SUPERVISOR_SETTINGS, kind="supervisor")
        self._watch = asyncio.ensure_future(watch(self.system))
        outcome = await self.system.lives.start(cell, lambda: RootSupervisor(self._spec), None)
        if not isinstance(outcome, Started):
            self._watch.cancel()
            raise StartFailed(ROOT, cell.last_failure or "unknown")

    async def stop(self) -> None:
        """Stop every child, right to left, then the root."""
        cell = self.system.cell(ROOT)
        if cell is not None:
            await self.system.lives.stop(cell, None)
            self.system.directory.remove(ROOT)
        if self._watch is not None:
            self._watch.cancel()
