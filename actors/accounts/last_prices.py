"""The last prices of what is held, by place, for while its market is out of reach."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from aviary.actors.core.refusal import ActorCrashed, Unavailable
from aviary.actors.keeping.records import Records

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aviary.actors.core.actor import AsyncActor

KEEP_INTERVAL = 30.0
"""Seconds for which prices of a place are not written down again."""

LEAST_AGE = 0.001
"""Seconds that prices which were not told now are old at least."""


class LastPrices:
    """Prices by place and token, which are as many as are held; kept through restarts.

    A place is a connector and the quote that its prices are in.
    """

    def __init__(self, actor: AsyncActor) -> None:
        self._actor = actor
        self._records = Records(actor)
        self._prices: dict[str, dict[str, Decimal]] = {}
        self._told_at: dict[str, float] = {}
        self._kept_at: dict[str, float] = {}

    def hear(self, place: str, prices: Mapping[str, Decimal]) -> None:
        """Take prices of now."""
        now = self._actor.clock.monotonic()
        self._prices.setdefault(place, {}).update(prices)
        self._told_at[place] = now
        if now - self._kept_at.get(place, float("-inf")) >= KEEP_INTERVAL:
            self._kept_at[place] = now
            self._actor.spawn(self._keep(place), f"keep prices of {place}")

    async def of(self, place: str) -> tuple[dict[str, Decimal], float]:
        """The last prices by token, none if none were ever known, and their age in seconds."""
        if place not in self._told_at:
            await self._recall(place)
        told_at = self._told_at.get(place)
        age = 0.0 if told_at is None else self._actor.clock.monotonic() - told_at
        return self._prices.get(place, {}), max(LEAST_AGE, round(age, 3))

    async def _keep(self, place: str) -> None:
        facts = {token: str(price) for token, price in self._prices[place].items()}
        at = self._actor.clock.now()
        try:
            await self._records.write(lambda r: r.last_known.keep(f"prices/{place}", facts, at=at))
        except (Unavailable, ActorCrashed):
            # The next prices are kept instead.
            self._kept_at.pop(place, None)

    async def _recall(self, place: str) -> None:
        try:
            known = await self._records.read(lambda r: r.last_known.of(f"prices/{place}"))
        except (Unavailable, ActorCrashed):
            # Without a database nothing is known of earlier.
            return
        if known is not None and place not in self._told_at:
            self._prices[place] = {token: Decimal(price) for token, price in known.facts.items()}
            age = max(0.0, self._actor.clock.now() - known.known_at)
            self._told_at[place] = self._actor.clock.monotonic() - age
