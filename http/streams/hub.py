"""From the bus to the subscriptions: each feed's events, on the front end's own loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aviary.actors.core.refusal import ActorCrashed, Refusal
from aviary.actors.messages.feeds import FEEDS, REGISTRY, FeedEvent, FeedKey, OpenFeed

if TYPE_CHECKING:
    from collections.abc import Callable

    from aviary.actors.core.system import System
    from aviary.http.streams.connection import Subscription

LEASE_PERIOD = 10.0
"""Seconds between two words to the registry that a feed is still needed."""

OPEN_TIMEOUT = 20.0
"""Seconds that opening a feed may take."""


class FeedHub:
    """Knows which subscriptions listen to which feed, and keeps those feeds running."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._loop = asyncio.get_running_loop()
        self._listeners: dict[str, dict[Subscription, Callable[[Subscription, FeedEvent], None]]] = {}
        self._keys: dict[str, FeedKey] = {}
        self._unsubscribe = system.bus.subscribe(f"{FEEDS}/", self._from_bus)
        self._leases = asyncio.ensure_future(self._renew_leases())

    async def open(self, key: FeedKey) -> str:
        """Make sure that a feed runs; answers its address. Raises a `Refusal`."""
        return await self._system.ask(REGISTRY, OpenFeed(key=key), timeout=OPEN_TIMEOUT)

    def listen(
        self, key: FeedKey, subscription: Subscription, take: Callable[[Subscription, FeedEvent], None]
    ) -> None:
        """Hand every event of a feed to a subscription."""
        self._keys[key.address] = key
        self._listeners.setdefault(key.address, {})[subscription] = take

    def leave(self, subscription: Subscription) -> None:
        """Stop handing events to a subscription."""
        for address in [a for a, listeners in self._listeners.items() if subscription in listeners]:
            listeners = self._listeners[address]
            del listeners[subscription]
            if not listeners:
                del self._listeners[address], self._keys[address]

    def close(self) -> None:
        """Let go of the bus."""
        self._unsubscribe()
        self._leases.cancel()

    def _from_bus(self, topic: str, event: object) -> None:
        # On the publisher's thread; whether anybody listens is looked up here to spare the hop.
        if topic in self._listeners and isinstance(event, FeedEvent) and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._hand_out, topic, event)

    def _hand_out(self, topic: str, event: FeedEvent) -> None:
        for subscription, take in tuple(self._listeners.get(topic, {}).items()):
            take(subscription, event)

    async def _renew_leases(self) -> None:
        while True:
            await asyncio.sleep(LEASE_PERIOD)
            for key in tuple(self._keys.values()):
                try:
                    await self.open(key)
                except (Refusal, ActorCrashed):
                    # Told by the registry's own alarm; the next round tries again.
                    continue
