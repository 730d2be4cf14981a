"""From the bus to the subscriptions: each feed's events, on the front end's own loop."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from aviary.actors.core.refusal import ActorCrashed, Refusal
from aviary.actors.messages.feeds import FEEDS, REGISTRY, FeedEvent, FeedKey, OpenFeed

if TYPE_CHECKING:
    from collections.abc import Callable

    from aviary.actors.core.system import System
    from aviary.http.streams.subscription import Subscription

    type Take = Callable[[Subscription, FeedEvent], None]

LEASE_PERIOD = 10.0
"""Seconds between two words to the registry that a feed is still needed."""

OPEN_TIMEOUT = 20.0
"""Seconds that opening a feed may take."""

AT_ONCE = 20
"""Feeds that are asked for at the same time: one that hangs must not let the others' leases end."""

ARRIVED = 20_000
"""Events that may wait for the front end's loop; the oldest go first, and are counted."""


class FeedHub:
    """Knows which subscriptions listen to which feed, and keeps those feeds running."""

    def __init__(self, system: System) -> None:
        self.dropped = 0
        """Events that came faster than the front end's loop took them."""
        self._system = system
        self._loop = asyncio.get_running_loop()
        self._listeners: dict[str, dict[Subscription, Take]] = {}
        self._keys: dict[str, FeedKey] = {}
        self._arrived: deque[tuple[str, FeedEvent]] = deque(maxlen=ARRIVED)
        self._woken = False
        self._unsubscribe = system.bus.subscribe(f"{FEEDS}/", self._from_bus)
        self._leases = asyncio.ensure_future(self._renew_leases())

    async def open(self, key: FeedKey) -> str:
        """Make sure that a feed runs; answers its address. Raises a `Refusal`."""
        return await self._system.ask(REGISTRY, OpenFeed(key=key), timeout=OPEN_TIMEOUT)

    def listen(self, key: FeedKey, subscription: Subscription, take: Take) -> None:
        """Hand every event of a feed to a subscription."""
        self._keys[key.address] = key
        self._listeners.setdefault(key.address, {})[subscription] = take

    def leave(self, key: FeedKey, subscription: Subscription) -> None:
        """Stop handing a feed's events to a subscription."""
        listeners = self._listeners.get(key.address, {})
        listeners.pop(subscription, None)
        if not listeners:
            self._listeners.pop(key.address, None)
            self._keys.pop(key.address, None)

    def close(self) -> None:
        """Let go of the bus."""
        self._unsubscribe()
        self._leases.cancel()

    def _from_bus(self, topic: str, event: object) -> None:
        # On the publisher's thread; whether anybody listens is looked up here to spare the hop, and
        # what comes in a burst wakes the loop once.
        if topic not in self._listeners or not isinstance(event, FeedEvent) or self._loop.is_closed():
            return
        self.dropped += len(self._arrived) == ARRIVED
        self._arrived.append((topic, event))
        if not self._woken:
            self._woken = True
            self._loop.call_soon_threadsafe(self._hand_out)

    def _hand_out(self) -> None:
        self._woken = False
        for _ in range(len(self._arrived)):
            topic, event = self._arrived.popleft()
            for subscription, take in tuple(self._listeners.get(topic, {}).items()):
                take(subscription, event)

    async def _renew_leases(self) -> None:
        limit = asyncio.Semaphore(AT_ONCE)

        async def renew(key: FeedKey) -> None:
            async with limit:
                try:
                    await self.open(key)
                except (Refusal, ActorCrashed):
                    # The feed's own alarm tells it; the next round tries again.
                    return

        while True:
            await asyncio.sleep(LEASE_PERIOD)
            await asyncio.gather(*(renew(key) for key in tuple(self._keys.values())))
