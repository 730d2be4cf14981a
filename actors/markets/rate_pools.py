"""The prices of rate sources as they were last read, read anew when somebody asks and they have grown old."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from aviary.actors.core.refusal import NotFound, Refusal, Unavailable
from aviary.actors.hosts.calls import call_host
from aviary.actors.markets.rates import PriceGraph

if TYPE_CHECKING:
    from aviary.actors.core.actor import AsyncActor
    from aviary.actors.core.address import Address

FRESH = 10.0
"""Seconds for which prices are good enough: nobody makes the server read a source more often."""

STALE = 30.0
"""Seconds after which prices are marked: the source could not be read although somebody asked."""

VOLUMES_FRESH = 60.0
"""The same for what was traded in a day, which costs the most of all questions on some exchanges."""

CALL_TIMEOUT = 20.0
"""Seconds for one reading: a host that still starts is waited for."""

FIRST_PAUSE, LONGEST_PAUSE = 2.0, 60.0
"""Seconds for which a source that failed is left alone; doubled with each failure in a row."""


@dataclass(slots=True)
class Pool:
    """What one source said. Times are monotonic, `read_at` is Unix time."""

    prices: dict[str, Decimal] = field(default_factory=dict)
    graph: PriceGraph = field(default_factory=lambda: PriceGraph({}))
    read: float | None = None
    read_at: float = 0.0
    volumes: dict[str, tuple[Decimal | None, Decimal | None]] = field(default_factory=dict)
    volumes_read: float | None = None
    failures: int = 0
    failed: float = 0.0
    trouble: str = ""
    alone: asyncio.Lock = field(default_factory=asyncio.Lock)

    def rests(self, now: float) -> bool:
        """Whether it failed so lately that it is left alone."""
        return self.failures > 0 and now - self.failed < min(FIRST_PAUSE * 2 ** (self.failures - 1), LONGEST_PAUSE)


class RatePools:
    """One pool a source. Whoever asks while a source is being read waits for that reading."""

    def __init__(self, actor: AsyncActor, host: Address) -> None:
        self._actor = actor
        self._host = host
        self._pools: dict[str, Pool] = {}

    def known(self) -> tuple[str, ...]:
        """The sources that were read."""
        return tuple(sorted(name for name, pool in self._pools.items() if pool.read is not None))

    def age(self, pool: Pool) -> float:
        """Seconds since the source was read."""
        return 0.0 if pool.read is None else max(0.0, self._actor.clock.monotonic() - pool.read)

    async def get(self, source: str, quote: str, *, max_age: float = FRESH) -> Pool:
        """A source's prices, no older than that if it can be read, else the last ones.

        `NotFound` for an unknown source, `Unavailable` if it can't be read and never was.
        """
        pool = self._pools.setdefault(source, Pool())
        asked = self._actor.clock.monotonic()
        async with pool.alone:
            now = self._actor.clock.monotonic()
            # What was read while this question waited is new enough for it, whatever it asked for.
            recent = pool.read is not None and (pool.read >= asked or now - pool.read <= max_age)
            if not recent and not pool.rests(now):
                await self._read(pool, source, quote)
        if pool.read is None:
            raise Unavailable(f"{source} can't be read: {pool.trouble}", FIRST_PAUSE)
        return pool

    async def volumes(self, pool: Pool, source: str) -> None:
        """See to it that a pool knows what was traded, as far as its source tells; trouble leaves it as it was."""
        async with pool.alone:
            now = self._actor.clock.monotonic()
            if (pool.volumes_read is not None and now - pool.volumes_read <= VOLUMES_FRESH) or pool.rests(now):
                return
            try:
                told = await call_host(
                    self._actor, self._host, "source_volumes", limit=CALL_TIMEOUT, source=source
                )
            except Refusal as refusal:
                self._note_failure(pool, refusal)
                return
            pool.volumes = {
                pair: (None if base is None else Decimal(base), None if quote is None else Decimal(quote))
                for pair, (base, quote) in told.items()
            }
            pool.volumes_read = self._actor.clock.monotonic()

    async def _read(self, pool: Pool, source: str, quote: str) -> None:
        try:
            told = await call_host(
                self._actor, self._host, "source_prices", limit=CALL_TIMEOUT, source=source, quote_token=quote
            )
        except NotFound:
            self._pools.pop(source, None)
            raise
        except Refusal as refusal:
            self._note_failure(pool, refusal)
            return
        pool.prices = {pair: Decimal(price) for pair, price in told.items()}
        pool.graph = PriceGraph(pool.prices)
        pool.read, pool.read_at = self._actor.clock.monotonic(), self._actor.clock.now()
        pool.failures = 0

    def _note_failure(self, pool: Pool, refusal: Refusal) -> None:
        pool.failures += 1
        pool.failed = self._actor.clock.monotonic()
        pool.trouble = refusal.detail
