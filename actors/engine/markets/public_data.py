"""Questions about markets that need no keys: rules, pairs, prices, funding, past candles."""

import asyncio
from typing import Any

from aviary.actors.core.ports.errors import PortRefusal
from aviary.actors.engine.exchanges.catalogue import load, settings_of
from aviary.actors.engine.exchanges.connections import REQUEST_TIMEOUT, exchange_errors
from aviary.actors.engine.exchanges.notation import clean, rule_of
from aviary.config.clock import Clock
from hummingbot.connector.exchange_py_base import ExchangePyBase
from hummingbot.data_feed.candles_feed.candles_base import CandlesBase
from hummingbot.data_feed.candles_feed.candles_factory import CandlesFactory
from hummingbot.data_feed.candles_feed.data_types import CandlesConfig, HistoricalCandlesConfig

RULES_LIFE = 1800.0
"""Seconds for which trading rules are remembered; hummingbot's own connectors read them as seldom."""

HISTORY_TIMEOUT = 120.0
"""Seconds for a whole range of past candles, which takes many requests."""

MAX_PRICES = 50
"""Pairs whose price may be asked at once: each costs a request."""


class PublicData:
    """One connector without keys per exchange, never started, for questions that are answered by one request."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._connectors: dict[str, Any] = {}
        self._rules_at: dict[str, float] = {}

    def connector(self, name: str, trading_pairs: list[str] | None = None) -> Any:
        """A connector without keys: a new one for these pairs, or else the shared one without pairs."""
        if trading_pairs is None and name in self._connectors:
            return self._connectors[name]
        settings = settings_of(name)
        connector = settings.non_trading_connector_instance_with_default_configuration(trading_pairs or [])
        if not isinstance(connector, ExchangePyBase):
            raise PortRefusal("unsupported", f"{name} is of a kind whose market data cannot be read here")
        if trading_pairs is None:
            self._connectors[name] = connector
        return connector

    async def order_types(self, connector_name: str) -> list[str]:
        """Order types the connector supports."""
        await load(connector_name)
        return [kind.name for kind in self.connector(connector_name).supported_order_types()]

    async def trading_rules(
        self, connector_name: str, trading_pairs: list[str] | None = None
    ) -> dict[str, dict[str, Any]]:
        """Trading rules by pair."""
        await load(connector_name)
        connector = self.connector(connector_name)
        read_at = self._rules_at.get(connector_name)
        if read_at is None or self._clock.monotonic() - read_at > RULES_LIFE:
            with exchange_errors(connector_name):
                async with asyncio.timeout(REQUEST_TIMEOUT):
                    await connector._update_trading_rules()  # noqa: SLF001
            self._rules_at[connector_name] = self._clock.monotonic()
        return {
            pair: rule_of(rule)
            for pair, rule in connector.trading_rules.items()
            if trading_pairs is None or pair in trading_pairs
        }

    async def all_trading_pairs(self, connector_name: str) -> list[str]:
        """Every pair the exchange trades."""
        await load(connector_name)
        with exchange_errors(connector_name):
            async with asyncio.timeout(REQUEST_TIMEOUT):
                pairs = await self.connector(connector_name).all_trading_pairs()
        if not pairs:
            raise PortRefusal("unavailable", f"{connector_name} did not tell its pairs", retry_after=2.0)
        return sorted(pairs)

    async def prices(self, connector_name: str, trading_pairs: list[str]) -> dict[str, str | None]:
        """The last traded prices; unknown pairs are refused as `invalid`."""
        if len(trading_pairs) > MAX_PRICES:
            raise PortRefusal("invalid", f"at most {MAX_PRICES} pairs at once", field="trading_pairs")
        await self.check_pairs(connector_name, trading_pairs)
        with exchange_errors(connector_name):
            async with asyncio.timeout(REQUEST_TIMEOUT):
                prices = await self.connector(connector_name).get_last_traded_prices(trading_pairs)
        return {pair: clean(price) for pair, price in prices.items()}

    async def funding_info(self, connector_name: str, trading_pair: str) -> dict[str, Any]:
        """The funding of a perpetual pair, asked of the exchange."""
        await load(connector_name)
        connector = self.connector(connector_name)
        if not hasattr(connector, "get_funding_info"):
            raise PortRefusal("unsupported", f"{connector_name} has no funding", field="connector_name")
        await self.check_pairs(connector_name, [trading_pair])
        with exchange_errors(connector_name):
            async with asyncio.timeout(REQUEST_TIMEOUT):
                info = await connector._orderbook_ds.get_funding_info(trading_pair)  # noqa: SLF001
        return funding_of(info)

    async def check_pairs(self, connector_name: str, trading_pairs: list[str]) -> None:
        """Refuse pairs that the exchange does not trade as `invalid`, naming the first."""
        known = set(await self.all_trading_pairs(connector_name))
        for pair in trading_pairs:
            if pair not in known:
                detail = f"{pair} is not traded on {connector_name}"
                raise PortRefusal("invalid", detail, field="trading_pair")

    async def historical_candles(
        self, connector_name: str, trading_pair: str, interval: str, start: int, end: int
    ) -> list[list[float]]:
        """Candles between two Unix times in seconds, oldest first, as rows of `CandlesBase.columns`."""
        if end < start:
            raise PortRefusal("invalid", "the end is before the start", field="end_time")
        await self.check_pairs(connector_name, [trading_pair])
        feed = candles_feed(connector_name, trading_pair, interval, 1)
        config = HistoricalCandlesConfig(
            connector_name=connector_name,
            trading_pair=trading_pair,
            interval=interval,
            start_time=int(start),
            end_time=int(end),
        )
        with exchange_errors(connector_name):
            async with asyncio.timeout(HISTORY_TIMEOUT):
                frame = await feed.get_historical_candles(config)
        rows: list[list[float]] = frame[feed.columns].astype(float).values.tolist()
        return rows

    async def candle_intervals(self, connector_name: str) -> list[str]:
        """The intervals that there are candles of; none if the connector has no candles."""
        kind = CandlesFactory._candles_map.get(connector_name)  # noqa: SLF001
        return [] if kind is None else candle_intervals_of(kind)


def candle_intervals_of(kind: Any) -> list[str]:
    """The intervals that a kind of candles feed serves, and hummingbot has a length for."""
    # An unknown interval makes the constructor raise nothing at all in particular.
    return [one for one in object.__new__(kind).intervals if one in CandlesBase.interval_to_seconds]


def candles_feed(connector_name: str, trading_pair: str, interval: str, records: int) -> Any:
    """Hummingbot's candles feed, not started; refused as `invalid` or `unsupported`."""
    settings_of(connector_name)
    kind = CandlesFactory._candles_map.get(connector_name)  # noqa: SLF001
    if kind is None:
        raise PortRefusal("unsupported", f"{connector_name} has no candles", field="connector_name")
    intervals = candle_intervals_of(kind)
    if interval not in intervals:
        detail = f"the interval {interval} is not one of {', '.join(intervals)}"
        raise PortRefusal("invalid", detail, field="interval")
    return CandlesFactory.get_candle(
        CandlesConfig(connector=connector_name, trading_pair=trading_pair, interval=interval, max_records=records)
    )


def funding_of(info: Any) -> dict[str, Any]:
    """Funding info in the port's notation; `next_funding_time` in Unix seconds."""
    return {
        "trading_pair": info.trading_pair,
        "funding_rate": clean(info.rate),
        "next_funding_time": info.next_funding_utc_timestamp,
        "mark_price": clean(info.mark_price),
        "index_price": clean(info.index_price),
    }
