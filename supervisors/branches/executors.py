"""How the registry of executors asks for their actors."""

from collections.abc import Callable

from aviary.actors.core.actor import Actor
from aviary.actors.core.cell import CellSettings
from aviary.actors.core.system import System
from aviary.actors.messages.executors import EXECUTORS
from aviary.supervisors.backoff import Backoff
from aviary.supervisors.branches.asking import have
from aviary.supervisors.spec import ChildSpec

TIMEOUT = 30.0
"""Seconds for the supervisor to start an actor; its host is not waited for."""

SETTINGS = CellSettings(mailbox=5_000, handler_limit=60.0)
"""A grid that is stopped tells hundreds of orders at once."""

EXECUTOR = Backoff(first=0.2, cap=30.0)
"""Its orders wait for it: soon at first, patient later."""


class SupervisedExecutors:
    """Starts the actors `executors/<id>`; `factory` makes one."""

    def __init__(self, system: System, factory: Callable[[str], Actor]) -> None:
        self._system = system
        self._factory = factory

    async def start_executor(self, executor_id: str) -> None:
        """Start the actor; again does no harm."""
        spec = ChildSpec(
            executor_id,
            lambda: self._factory(executor_id),
            restart="transient",
            backoff=EXECUTOR,
            settings=SETTINGS,
        )
        await have(self._system, EXECUTORS, spec, TIMEOUT)
