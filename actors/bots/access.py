"""What everything that handles bots shares: their records, one lock a bot, and whether its actor lives."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aviary.actors.core.refusal import NotFound
from aviary.actors.keeping.records import Records

if TYPE_CHECKING:
    from aviary.actors.core.actor import AsyncActor
    from aviary.persistence.bots import Bot


class KnownBots:
    """The bots in the database, on behalf of one incarnation of the registry."""

    def __init__(self, actor: AsyncActor) -> None:
        self.actor = actor
        self.records = Records(actor)
        self._locks: dict[str, asyncio.Lock] = {}

    def lock(self, name: str) -> asyncio.Lock:
        """Held while something is done to a bot: it is done in order."""
        return self._locks.setdefault(name, asyncio.Lock())

    def lives(self, name: str) -> bool:
        """Whether the bot's actor would answer."""
        cell = self.actor.system.cell(f"bots/{name}")
        return cell is not None and cell.state in {"running", "degraded"}

    async def is_unknown(self, name: str) -> bool:
        """Whether there is no bot of this name."""
        return await self.records.read(lambda r: r.bots.get(name)) is None

    async def must_exist(self, name: str) -> Bot:
        """The bot's record; `NotFound`."""
        bot = await self.records.read(lambda r: r.bots.get(name))
        if bot is None or bot.desired == "archived":
            raise NotFound(f"Bot '{name}' not found")
        return bot

    async def change(self, name: str, **changes: Any) -> Bot | None:
        """Change fields of the bot's record; what it is then, `None` if there is none."""
        at = self.actor.clock.now()
        return await self.records.write(lambda r: r.bots.change(name, at=at, **changes))
