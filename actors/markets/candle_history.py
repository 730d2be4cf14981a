"""Candles: the newest from their feed, older ones from the exchange, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aviary.actors.core.refusal import Invalid, Unavailable
from aviary.actors.hosts.calls import call_host
from aviary.actors.markets.candles import candle_of, joined, length_of, pages
from aviary.actors.markets.feed_client import FEED_TIMEOUT, FeedClient
from aviary.actors.messages.feeds import GetFeedHistory
from aviary.actors.messages.market_data import (
    Candle,
    GetCandles,
    GetHistoricalCandles,
    GetPairCandles,
    PairCandles,
)

if TYPE_CHECKING:
    from aviary.actors.core.actor import AsyncActor
    from aviary.actors.core.address import Address

HISTORY_TIMEOUT = 30.0
"""Seconds that a page of candles may take."""


class CandleHistory:
    """What is asked about candles, for one incarnation of the market-data actor."""

    def __init__(self, actor: AsyncActor, host: Address) -> None:
        self._actor = actor
        self._host = host
        self._feeds = FeedClient(actor)
        self._with_candles: tuple[str, ...] = ()

    async def newest(self, query: GetCandles) -> tuple[Candle, ...]:
        """The newest candles of a pair."""
        found = await self._newest_of(query.connector_name, query.trading_pair, query.interval, query.max_records)
        return found.candles

    async def _newest_of(self, connector: str, pair: str, interval: str, count: int) -> PairCandles:
        """From the feed; until it has all, and for more than it keeps, from the exchange."""
        length = length_of(interval)
        await self._must_have_candles(connector)
        address = await self._feeds.open("candles", connector, pair, interval)
        try:
            history = await self._feeds.ask(address, GetFeedHistory(wait=0.0), FEED_TIMEOUT)
        except Unavailable:
            history = {}
        candles = history.get("candles", ())
        if len(candles) >= count:
            return PairCandles(
                connector=connector,
                trading_pair=pair,
                interval=interval,
                candles=tuple(candles[-count:]),
                timestamp=history.get("timestamp") or self._actor.clock.now(),
                age=history["age"],
                stale=history["stale"],
            )
        now = int(self._actor.clock.now())
        past = await self._between(connector, pair, interval, now - count * length, now)
        return self._from_exchange(connector, pair, interval, past[-count:])

    async def past(self, query: GetHistoricalCandles) -> tuple[Candle, ...]:
        """The candles between two times."""
        await self._must_have_candles(query.connector_name)
        start, end = int(query.start_time), int(query.end_time)
        return tuple(await self._between(query.connector_name, query.trading_pair, query.interval, start, end))

    async def of_pair(self, connector: str, query: GetPairCandles) -> PairCandles:
        """The newest candles, or those between two times if it names one."""
        pair, interval = query.trading_pair, query.interval
        if query.start_time is None and query.end_time is None:
            return await self._newest_of(connector, pair, interval, query.limit)
        await self._must_have_candles(connector)
        end = int(self._actor.clock.now() if query.end_time is None else query.end_time)
        span = (query.limit - 1) * length_of(interval)
        start = end - span if query.start_time is None else int(query.start_time)
        past = await self._between(connector, pair, interval, start, end)
        if query.start_time is None:
            past = past[-query.limit :]
        return self._from_exchange(connector, pair, interval, past)

    def _from_exchange(self, connector: str, pair: str, interval: str, candles: list[Candle]) -> PairCandles:
        return PairCandles(
            connector=connector,
            trading_pair=pair,
            interval=interval,
            candles=tuple(candles),
            timestamp=self._actor.clock.now(),
            age=0.0,
            stale=False,
        )

    async def _between(self, connector: str, pair: str, interval: str, start: int, end: int) -> list[Candle]:
        length = length_of(interval)
        found: list[Candle] = []
        for first, last in pages(start, end, length):
            # One candle more at the front: hummingbot cannot ask for a single one.
            rows = await call_host(
                self._actor,
                self._host,
                "historical_candles",
                limit=HISTORY_TIMEOUT,
                connector_name=connector,
                trading_pair=pair,
                interval=interval,
                start=first - length,
                end=last,
            )
            found += [candle_of(row) for row in rows]
        return [candle for candle in joined(found) if start <= candle["timestamp"] <= end]

    async def _must_have_candles(self, connector: str) -> None:
        if connector not in self._with_candles:
            known = self._with_candles = await self.connectors()
            if connector not in known:
                text = f"Unsupported connector '{connector}'. Available connectors: {list(known)}"
                raise Invalid(text, "connector_name")

    async def connectors(self) -> tuple[str, ...]:
        """The connectors that have candles."""
        return tuple(await call_host(self._actor, self._host, "list_candle_connectors"))
