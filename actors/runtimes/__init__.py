"""Where bots run: what a runtime offers, whatever it is made of."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from aviary.actors.core.message import Value
from aviary.actors.messages.broker import BrokerInfo


class ProcessMark(Value):
    """What tells a running bot from every other process, over restarts of the server."""

    pid: int
    birth: str
    """Boot of the machine and moment of the process's start."""
    started_at: float
    """Unix seconds."""


class Running(Protocol):
    """A bot that runs."""

    pid: int

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""

    async def exited(self) -> int | None:
        """Wait for the end: the exit code, minus the signal's number, `None` if it can't be known."""

    def terminate(self) -> bool:
        """Ask it to wind down."""

    def kill(self) -> bool:
        """End it at once."""


type OnSpawn = Callable[[ProcessMark], Awaitable[None]]
"""Called before the bot does anything: who notes the mark down has never started a bot he does not know of."""


class Runtime(Protocol):
    """Starts bots and finds them again."""

    async def start(
        self, bot: str, folder: Path, script_config: str, broker: BrokerInfo, on_spawn: OnSpawn
    ) -> Running:
        """Start the bot in its folder; it goes on when the server ends."""

    def adopt(self, mark: ProcessMark) -> Running | None:
        """The bot that was started earlier, `None` if it has ended."""

    async def settle(self, bot: str, folder: Path, script_config: str, broker: BrokerInfo) -> Running:
        """Start a process that only cancels what a dead bot left on its exchanges, and ends."""
