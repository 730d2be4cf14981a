"""The last prices of what is held on each connector, for while its market is out of reach."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from aviary.actors.core.refusal import ActorCrashed, Unavailable
from aviary.actors.keeping.records import Records

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aviary.actors.core.actor import AsyncActor

KEEP_INTERVAL = 30.0
"""Seconds for which prices of a connector are not written down again."""

LEAST_AGE = 0.001
"""Seconds that prices which were not told now are old at least."""


class LastPrices:
    """Prices in the quote by connector and token, which are as many as are held; kept through restarts."""

    def __init__(self, actor: AsyncActor) -> None:
        self._actor = actor
        self._records = Records(actor)
        self._prices: dict[str, dict[str, Decimal]] = {}
        self._told_at: dict[str, float] = {}
        self._kept_at: dict[str, float] = {}

    def hear(self, connector: str, prices: Mapping[str, Decimal]) -> None:
        """Take prices of now."""
        now = self._actor.clock.monotonic()
        self._prices.setdefault(connector, {}).update(prices)
        self._told_at[connector] = now
        if now - self._kept_at.get(connector, float("-inf")) >= KEEP_INTERVAL:
            self._kept_at[connector] = now
            self._actor.spawn(self._keep(connector), f"keep prices of {connector}")

    async def of(self, connector: str) -> tuple[dict[str, Decimal], float]:
        """The last prices by token, none if none were ever known, and their age in seconds."""
        if connector not in self._told_at:
            await self._recall(connector)
        told_at = self._told_at.get(connector)
        age = 0.0 if told_at is None else self._actor.clock.monotonic() - told_at
        return self._prices.get(connector, {}), max(LEAST_AGE, round(age, 3))

    async def _keep(self, connector: str) -> None:
        facts = {token: str(price) for token, price in self._prices[connector].items()}
        at = self._actor.clock.now()
        try:
            await self._records.write(lambda r: r.last_known.keep(f"prices/{connector}", facts, at=at))
        except (Unavailable, ActorCrashed):
            # The next prices are kept instead.
            self._kept_at.pop(connector, None)

    async def _recall(self, connector: str) -> None:
        try:
            known = await self._records.read(lambda r: r.last_known.of(f"prices/{connector}"))
        except (Unavailable, ActorCrashed):
            # Without a database nothing is known of earlier.
            return
        if known is not None and connector not in self._told_at:
            self._prices[connector] = {token: Decimal(price) for token, price in known.facts.items()}
            age = max(0.0, self._actor.clock.now() - known.known_at)
            self._told_at[connector] = self._actor.clock.monotonic() - age
