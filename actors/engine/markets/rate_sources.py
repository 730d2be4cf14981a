"""The markets that rates are read from: hummingbot's own rate sources, and the simulated exchange's."""

import asyncio
from decimal import Decimal
from typing import Any

from aviary.actors.core.ports.errors import PortRefusal
from aviary.actors.engine.exchanges.connections import REQUEST_TIMEOUT, exchange_errors
from aviary.actors.engine.exchanges.notation import clean
from hummingbot.client.config.client_config_map import RATE_SOURCE_MODES
from hummingbot.connector.exchange.binance import binance_constants
from hummingbot.core.rate_oracle.rate_oracle import RATE_ORACLE_SOURCES
from hummingbot.core.rate_oracle.sources.binance_rate_source import BinanceRateSource

PRICED_IN_ONE_QUOTE = frozenset({"coin_gecko", "coin_cap"})
"""Sources that give prices in one quote only; the others give all pairs of an exchange."""


class RateSources:
    """One hummingbot rate source a name, made at first use."""

    def __init__(self) -> None:
        self._sources: dict[str, Any] = {}

    async def rate_sources(self) -> list[str]:
        """The names of all sources."""
        return sorted(RATE_ORACLE_SOURCES)

    async def source_prices(self, source: str, quote_token: str) -> dict[str, str]:
        """Mid prices by pair, asked of the source now. `quote_token` counts where a source prices in one quote only."""
        found = self._source(source)
        # Past hummingbot's cache, which would hide how old an answer is, and keep a failure for half a minute.
        read = getattr(type(found).get_prices, "__wrapped__", type(found).get_prices)
        with exchange_errors(source):
            async with asyncio.timeout(REQUEST_TIMEOUT):
                prices = await read(found, quote_token if source in PRICED_IN_ONE_QUOTE else None)
        if not prices:
            # Hummingbot's sources log what went wrong, and give nothing.
            raise PortRefusal("unavailable", f"{source} gave no prices", retry_after=2.0)
        return {pair: told for pair, price in prices.items() if (told := _positive(price)) is not None}

    async def source_volumes(self, source: str) -> dict[str, list[str | None]]:
        """What was traded in 24 hours by pair, in base and in quote units; empty for a source that does not tell."""
        found = self._source(source)
        if not isinstance(found, BinanceRateSource):
            return {}
        found._ensure_exchanges()  # noqa: SLF001 - the source makes its connector at first use
        exchange = found._binance_exchange  # noqa: SLF001
        volumes: dict[str, list[str | None]] = {}
        with exchange_errors(source):
            async with asyncio.timeout(REQUEST_TIMEOUT):
                rows = await exchange._api_get(  # noqa: SLF001
                    path_url=binance_constants.TICKER_PRICE_CHANGE_PATH_URL
                )
                symbols = await exchange.trading_pair_symbol_map()
        for row in rows:
            pair = symbols.get(row["symbol"])
            if pair is not None:
                volumes[pair] = [clean(row["volume"]), clean(row["quoteVolume"])]
        return volumes

    def _source(self, name: str) -> Any:
        if name not in RATE_ORACLE_SOURCES:
            raise PortRefusal("not_found", f"there is no rate source {name}", field="name")
        if name not in self._sources:
            mode = RATE_SOURCE_MODES.get(name)
            self._sources[name] = RATE_ORACLE_SOURCES[name]() if mode is None else mode().build_rate_source()
        return self._sources[name]


def _positive(price: Any) -> str | None:
    told = clean(price)
    return told if told is not None and Decimal(told) > 0 else None
