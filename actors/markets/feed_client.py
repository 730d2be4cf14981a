"""How an actor asks feeds: opened on first use, and their trouble is not the asker's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aviary.actors.core.refusal import ActorCrashed, Unavailable
from aviary.actors.messages.feeds import REGISTRY, FeedKey, FeedKind, OpenFeed

if TYPE_CHECKING:
    from aviary.actors.core.actor import AsyncActor
    from aviary.actors.core.address import Address
    from aviary.actors.core.message import Message

FEED_TIMEOUT = 25.0
"""Seconds until a feed that is opened for a question has to answer it."""


class FeedClient:
    """Feeds and their registry, for one actor."""

    def __init__(self, actor: AsyncActor) -> None:
        self._actor = actor

    async def open(self, kind: FeedKind, connector: str, pair: str, interval: str | None = None) -> Address:
        """Make sure that a feed runs; answers its address. Raises a `Refusal`."""
        key = FeedKey(kind=kind, connector=connector, trading_pair=pair, interval=interval)
        return await self.ask(REGISTRY, OpenFeed(key=key), FEED_TIMEOUT)

    async def ask[R](self, address: Address, message: Message[R], limit: float) -> R:
        """Ask a feed; `Unavailable` if the question ends its life: its next one will answer."""
        try:
            return await self._actor.ask(address, message, timeout=limit)
        except ActorCrashed as crash:
            raise Unavailable(f"{address} is being restarted", retry_after=1.0) from crash
