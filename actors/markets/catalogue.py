"""Which connectors there are, what each wants to know, and what it trades: asked of the host for public data."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.refusal import NotFound
from aviary.actors.hosts.calls import call_host
from aviary.actors.messages.connectors import (
    ConnectorDetails,
    GetCandleIntervals,
    GetConfigMap,
    GetConnectorDetails,
    GetOrderTypes,
    GetPrices,
    GetTradingRules,
    ListConnectors,
    ListMarkets,
    Markets,
    OrderTypes,
    TradingRule,
)

if TYPE_CHECKING:
    from aviary.actors.core.address import Address

CALL_TIMEOUT = 25.0
"""Seconds for one question: a host that still starts is waited for."""

PAIRS_LIFE = 600.0
"""Seconds for which the pairs of an exchange are remembered."""

PRICE_LIFE = 5.0
"""Seconds for which a price is good enough for valuing what is held."""

PRICES_AT_ONCE = 50
"""Pairs that the host takes in one question."""


class Catalogue(AsyncActor):
    """Answers from memory what does not change, and asks the host for the rest."""

    keeps_nothing = True

    def __init__(self, host: Address = "market/host") -> None:
        super().__init__()
        self._host = host
        self._connectors: tuple[str, ...] = ()
        self._maps: dict[str, dict[str, Any]] = {}
        self._types: dict[str, tuple[str, ...]] = {}
        self._intervals: dict[str, tuple[str, ...]] = {}
        self._pairs: dict[str, tuple[float, frozenset[str]]] = {}
        self._prices: dict[tuple[str, str], tuple[float, Decimal]] = {}

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case ListConnectors():
                return self.defer(self._list())
            case GetConfigMap(connector_name=name):
                return self.defer(self._config_map(name))
            case GetOrderTypes(connector_name=name):
                return self.defer(self._order_types(name))
            case GetCandleIntervals(connector_name=name):
                return self.defer(self._candle_intervals(name))
            case GetConnectorDetails(connector_name=name):
                return self.defer(self._details(name))
            case GetTradingRules(connector_name=name, trading_pairs=pairs):
                return self.defer(self._trading_rules(name, pairs))
            case ListMarkets(connector_name=name):
                return self.defer(self._markets(name))
            case GetPrices(connector_name=name, trading_pairs=pairs):
                return self.defer(self._last_prices(name, pairs))
            case _:
                return super().receive(message)

    async def _list(self) -> tuple[str, ...]:
        if not self._connectors:
            self._connectors = tuple(await self._call("list_connectors"))
        return self._connectors

    async def _known(self, name: str) -> str:
        if name not in await self._list():
            raise NotFound(f"Connector '{name}' not found")
        return name

    async def _config_map(self, name: str) -> dict[str, Any]:
        if name not in self._maps:
            self._maps[name] = await self._call("config_map", connector=await self._known(name))
        return self._maps[name]

    async def _order_types(self, name: str) -> OrderTypes:
        if name not in self._types:
            self._types[name] = tuple(await self._call("order_types", connector_name=await self._known(name)))
        return OrderTypes(connector=name, supported_order_types=self._types[name])

    async def _candle_intervals(self, name: str) -> tuple[str, ...]:
        if name not in self._intervals:
            self._intervals[name] = tuple(
                await self._call("candle_intervals", connector_name=await self._known(name))
            )
        return self._intervals[name]

    async def _details(self, name: str) -> ConnectorDetails:
        fields, types = await asyncio.gather(self._config_map(name), self._order_types(name))
        return ConnectorDetails(name=name, config_map=fields, supported_order_types=types.supported_order_types)

    async def _trading_rules(self, name: str, pairs: tuple[str, ...] | None) -> dict[str, TradingRule]:
        await self._known(name)
        wanted = None if not pairs else list(pairs)
        rows = await self._call("public_trading_rules", connector_name=name, trading_pairs=wanted)
        for pair in wanted or ():
            if pair not in rows:
                raise NotFound(f"Trading pair {pair} not found on {name}")
        return {pair: TradingRule.from_host(row) for pair, row in rows.items()}

    async def _markets(self, name: str) -> Markets:
        return Markets(connector=name, trading_pairs=tuple(sorted(await self._all_pairs(name))))

    async def _all_pairs(self, name: str) -> frozenset[str]:
        known = self._pairs.get(name)
        now = self.clock.monotonic()
        if known is None or known[0] < now:
            pairs = frozenset(await self._call("all_trading_pairs", connector_name=await self._known(name)))
            self._pairs[name] = known = (now + PAIRS_LIFE, pairs)
        return known[1]

    async def _last_prices(self, name: str, pairs: tuple[str, ...]) -> dict[str, Decimal]:
        traded = await self._all_pairs(name)
        now = self.clock.monotonic()
        wanted = [pair for pair in dict.fromkeys(pairs) if pair in traded]
        stale = [pair for pair in wanted if self._prices.get((name, pair), (0.0, None))[0] <= now]
        for begin in range(0, len(stale), PRICES_AT_ONCE):
            some = stale[begin : begin + PRICES_AT_ONCE]
            for pair, price in (await self._call("prices", connector_name=name, trading_pairs=some)).items():
                if price is not None:
                    self._prices[name, pair] = (now + PRICE_LIFE, Decimal(price))
        return {pair: self._prices[name, pair][1] for pair in wanted if (name, pair) in self._prices}

    async def _call(self, method: str, **arguments: Any) -> Any:
        return await call_host(self, self._host, method, limit=CALL_TIMEOUT, **arguments)
