"""What one token is worth in another: read from one market, chosen by the operator."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.refusal import Invalid, NotFound, Refusal
from aviary.actors.hosts.calls import call_host
from aviary.actors.keeping.records import Records
from aviary.actors.markets.rate_pools import FRESH, STALE, RatePools
from aviary.actors.markets.valuation import Valuer, is_simulated
from aviary.actors.messages.rates import (
    GetPoolRates,
    GetQuote,
    GetRate,
    GetRateConfig,
    GetRates,
    GetSourcePrices,
    GlobalToken,
    ListRateSources,
    ListTickers,
    PairTicker,
    PoolRates,
    Rate,
    RateConfig,
    RateConfigChanged,
    RateConfigView,
    RateDetail,
    RatePath,
    Rates,
    RateSource,
    SetRateConfig,
    SourcePrices,
    Tickers,
    Valuation,
    ValueTokens,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aviary.actors.core.address import Address
    from aviary.actors.markets.rate_pools import Pool

KEPT_AS = "rate_oracle"
"""The name that the configuration is kept under."""

SIMULATED_SOURCE, REAL_SOURCE = "sandbox", "binance"
"""Where rates are read from until an operator says otherwise: the first one if the simulated exchange runs."""

ONE = Decimal(1)


class RateOracle(AsyncActor):
    """Answers from the last prices of a source, and reads the source when they have grown old; it never polls.

    `simulated` tells whether the simulated exchange runs.
    """

    dispatcher: ClassVar[str | None] = "questions"
    keeps_nothing = True

    def __init__(self, host: Address, *, simulated: bool, catalogue: Address = "market/catalogue") -> None:
        super().__init__()
        self._host = host
        self._catalogue = catalogue
        self._simulated = simulated

    async def prepare(self) -> None:
        """Know nothing yet: the configuration is read when it is needed, the database may be away now."""
        self._pools = RatePools(self, self._host)
        self._valuer = Valuer(self, self._pools, self._catalogue)
        self._config: RateConfig | None = None
        self._sources: tuple[str, ...] = ()
        self._changing = asyncio.Lock()

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case ListRateSources():
                return self.defer(self._list_sources())
            case GetRateConfig():
                return self.defer(self._view())
            case GetQuote():
                return self.defer(self._quote())
            case SetRateConfig():
                return self.defer(self._change(message))
            case GetRate():
                return self.defer(self._rate(message))
            case GetRates():
                return self.defer(self._rates(message))
            case GetSourcePrices():
                return self.defer(self._prices())
            case ListTickers():
                return self.defer(self._tickers(message))
            case GetPoolRates():
                return self.defer(self._pool_rates(message))
            case ValueTokens():
                return self.defer(self._value(message))
            case _:
                return super().receive(message)

    # Configuration

    async def _list_sources(self) -> tuple[str, ...]:
        if not self._sources:
            known = await call_host(self, self._host, "rate_sources")
            self._sources = tuple(name for name in known if self._simulated or not is_simulated(name))
        return self._sources

    async def _known(self, source: str) -> str:
        known = await self._list_sources()
        if source not in known:
            raise NotFound(f"{source} is no rate source; there are {', '.join(known)}")
        return source

    async def _configured(self) -> RateConfig:
        if self._config is None:
            kept = await Records(self).read(lambda r: r.settings.get(KEPT_AS))
            # A change that was made meanwhile is newer.
            if self._config is None:
                self._config = self._default() if kept is None else RateConfig.model_validate(kept)
        return self._config

    def _default(self) -> RateConfig:
        source = SIMULATED_SOURCE if self._simulated else REAL_SOURCE
        return RateConfig(rate_oracle_source=RateSource(name=source), global_token=GlobalToken())

    async def _view(self) -> RateConfigView:
        config = await self._configured()
        return RateConfigView(**dict(config), available_sources=await self._list_sources())

    async def _quote(self) -> str:
        return (await self._configured()).global_token.global_token_name

    async def _change(self, wanted: SetRateConfig) -> RateConfigChanged:
        source, token = wanted.rate_oracle_source, wanted.global_token
        if source is None and token is None:
            raise Invalid("Name a rate_oracle_source or a global_token", "rate_oracle_source")
        if source is not None and source.name not in (known := await self._list_sources()):
            raise Invalid(
                f"Invalid rate oracle source: {source.name}. Available sources: {list(known)}",
                "rate_oracle_source",
            )
        async with self._changing:
            old = await self._configured()
            config = RateConfig(
                rate_oracle_source=source or old.rate_oracle_source, global_token=token or old.global_token
            )
            kept, now = config.model_dump(), self.clock.now()
            await Records(self).write(lambda r: r.settings.put(KEPT_AS, kept, at=now))
            self._config = config
        told = []
        if source is not None:
            told.append(f"rate_oracle_source updated to {source.name}")
        if token is not None:
            told.append(f"global_token_name updated to {token.global_token_name}")
            told.append(f"global_token_symbol updated to {token.global_token_symbol}")
        return RateConfigChanged(message="; ".join(told), config=config)

    # Rates

    async def _rate(self, wanted: GetRate) -> Rate:
        config = await self._configured()
        source, quote = config.rate_oracle_source.name, config.global_token.global_token_name
        pool = await self._pools.get(source, quote, max_age=0.0 if wanted.anew else FRESH)
        rates, details = self._find(pool, (wanted.trading_pair,))
        detail = details.get(wanted.trading_pair)
        return Rate(
            trading_pair=wanted.trading_pair,
            rate=rates[wanted.trading_pair],
            source=source,
            quote_token=quote,
            age=None if detail is None else detail.age,
            stale=self._is_stale(pool),
            path=None if detail is None else detail.path,
        )

    async def _rates(self, wanted: GetRates) -> Rates:
        config = await self._configured()
        source, quote = config.rate_oracle_source.name, config.global_token.global_token_name
        rates, details = self._find(await self._pools.get(source, quote), wanted.trading_pairs)
        return Rates(source=source, quote_token=quote, rates=rates, details=details)

    async def _pool_rates(self, wanted: GetPoolRates) -> PoolRates:
        config = await self._configured()
        quote = config.global_token.global_token_name
        source = config.rate_oracle_source.name if wanted.connector is None else await self._known(wanted.connector)
        rates, details = self._find(await self._pools.get(source, quote), wanted.trading_pairs)
        return PoolRates(
            quote_token=quote, connector=wanted.connector, source=source, rates=rates, details=details
        )

    def _find(
        self, pool: Pool, pairs: Iterable[str]
    ) -> tuple[dict[str, Decimal | None], dict[str, RateDetail]]:
        rates: dict[str, Decimal | None] = {}
        details: dict[str, RateDetail] = {}
        for pair in pairs:
            base, _, quote = pair.partition("-")
            path = pool.graph.find(base, quote, ONE)
            rates[pair] = None if path is None else path.rate
            if path is not None:
                details[pair] = RateDetail(
                    age=self._pools.age(pool),
                    stale=self._is_stale(pool),
                    path=RatePath(kind=path.kind, pairs=path.pairs, through=path.through),
                )
        return rates, details

    def _is_stale(self, pool: Pool) -> bool:
        return self._pools.age(pool) > STALE

    # Prices and tickers

    async def _prices(self) -> SourcePrices:
        config = await self._configured()
        source, quote = config.rate_oracle_source.name, config.global_token.global_token_name
        pool = await self._pools.get(source, quote)
        return SourcePrices(
            source=source,
            quote_token=quote,
            prices_count=len(pool.prices),
            prices=pool.prices,
            timestamp=pool.read_at,
            age=self._pools.age(pool),
            stale=self._is_stale(pool),
        )

    async def _tickers(self, wanted: ListTickers) -> Tickers:
        config = await self._configured()
        quote = config.global_token.global_token_name
        named = tuple(dict.fromkeys(wanted.connectors or ()))
        read = named or (config.rate_oracle_source.name,)
        max_age = 0.0 if wanted.refresh else FRESH if wanted.max_age is None else wanted.max_age
        found = await asyncio.gather(*(self._read(source, quote, max_age) for source in read))
        errors = {source: told for source, told in zip(read, found, strict=True) if isinstance(told, str)}
        pools = {source: told for source, told in zip(read, found, strict=True) if not isinstance(told, str)}
        if not named:
            # The others are shown as they are: nobody asked for them.
            for source in self._pools.known():
                if source not in pools and source not in errors:
                    pools[source] = await self._pools.get(source, quote, max_age=float("inf"))
        return Tickers(
            tickers={source: self._of_pool(pool) for source, pool in sorted(pools.items())},
            counts={source: len(pool.prices) for source, pool in sorted(pools.items())},
            updated_at=min((pool.read_at for pool in pools.values()), default=None),
            errors=errors,
        )

    async def _read(self, source: str, quote: str, max_age: float) -> Pool | str:
        try:
            pool = await self._pools.get(await self._known(source), quote, max_age=max_age)
            await self._pools.volumes(pool, source)
        except Refusal as refusal:
            return refusal.detail
        return pool

    def _of_pool(self, pool: Pool) -> dict[str, PairTicker]:
        age, stale = self._pools.age(pool), self._is_stale(pool)
        tickers = {}
        for pair, price in pool.prices.items():
            base, quote = pool.volumes.get(pair, (None, None))
            tickers[pair] = PairTicker(
                price=price, base_volume=base, volume=quote, timestamp=pool.read_at, age=age, stale=stale
            )
        return tickers

    # Values

    async def _value(self, wanted: ValueTokens) -> Valuation:
        config = await self._configured()
        try:
            sources = await self._list_sources()
        except Refusal:
            # While the host is away, what was read before is still something.
            sources = ()
        return await self._valuer.value(wanted, config, sources)
