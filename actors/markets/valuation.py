"""What tokens are worth that are held somewhere."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from aviary.actors.core.refusal import ActorCrashed, Refusal
from aviary.actors.markets.rate_pools import STALE
from aviary.actors.messages.connectors import MAX_PAIRS, GetPrices
from aviary.actors.messages.rates import RatePath, TokenPrice, Valuation

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from aviary.actors.core.actor import AsyncActor
    from aviary.actors.core.address import Address
    from aviary.actors.markets.rate_pools import RatePools
    from aviary.actors.messages.rates import RateConfig, ValueTokens

PEGGED = frozenset({"USDT", "USDC", "USD", "FDUSD", "TUSD", "DAI", "BUSD"})
"""Dollars: one counts as the other where no market has a price for the two."""

ASK_TIMEOUT = 15.0
"""Seconds that the exchange of a connector has to tell its prices."""

ONE = Decimal(1)


def is_simulated(name: str) -> bool:
    """Whether a connector or a source belongs to the simulated exchange."""
    return name == "sandbox" or name.startswith("sandbox_")


class Valuer:
    """Looks for a price where a token is held, then at the configured source, and keeps to one world."""

    def __init__(self, actor: AsyncActor, pools: RatePools, catalogue: Address) -> None:
        self._actor = actor
        self._pools = pools
        self._catalogue = catalogue
        self._last: dict[tuple[str, str], tuple[float, Decimal]] = {}
        """Prices of exchanges that are no rate sources, by connector and pair, which are as many as are held."""

    async def value(self, wanted: ValueTokens, config: RateConfig, sources: Collection[str]) -> Valuation:
        """Prices of what is held on a connector; see `ValueTokens`."""
        quote = config.global_token.global_token_name
        prices = {
            token: TokenPrice(price=ONE, source="", age=0.0, stale=False, path=RatePath(kind="same"))
            for token in wanted.tokens
            if token == quote
        }
        complete = True
        if wanted.connector not in sources and not is_simulated(wanted.connector):
            left = [token for token in wanted.tokens if token not in prices and not _is_dollar(token, quote)]
            complete = await self._from_exchange(wanted.connector, left, quote, prices)
        for source in _sources(wanted.connector, config.rate_oracle_source.name, sources):
            missing = [token for token in wanted.tokens if token not in prices]
            if not missing:
                break
            complete = await self._from_source(source, missing, quote, prices) and complete
        for token in wanted.tokens:
            if token not in prices and _is_dollar(token, quote):
                prices[token] = TokenPrice(
                    price=ONE, source="", age=0.0, stale=False, path=RatePath(kind="pegged")
                )
        return Valuation(quote=quote, prices=prices, complete=complete)

    async def _from_source(
        self, source: str, tokens: list[str], quote: str, prices: dict[str, TokenPrice]
    ) -> bool:
        try:
            pool = await self._pools.get(source, quote)
        except Refusal:
            return False
        age = self._pools.age(pool)
        for token in tokens:
            path = pool.graph.find(token, quote, ONE)
            if path is not None:
                prices[token] = TokenPrice(
                    price=path.rate,
                    source=source,
                    age=age,
                    stale=age > STALE,
                    path=RatePath(kind=path.kind, pairs=path.pairs, through=path.through),
                )
        return True

    async def _from_exchange(
        self, connector: str, tokens: list[str], quote: str, prices: dict[str, TokenPrice]
    ) -> bool:
        """Prices of the connector's own exchange, which is asked pair by pair; the last ones if it does not answer."""
        now = self._actor.clock.monotonic()
        answered = True
        for begin in range(0, len(tokens), MAX_PAIRS):
            pairs = tuple(f"{token}-{quote}" for token in tokens[begin : begin + MAX_PAIRS])
            try:
                found = await self._actor.ask(
                    self._catalogue, GetPrices(connector_name=connector, trading_pairs=pairs), timeout=ASK_TIMEOUT
                )
            except (Refusal, ActorCrashed):
                answered = False
                break
            self._last |= {(connector, pair): (now, price) for pair, price in found.items()}
        for token in tokens:
            pair = f"{token}-{quote}"
            last = self._last.get((connector, pair))
            if last is not None and last[1] > 0:
                age = max(0.0, now - last[0])
                prices[token] = TokenPrice(
                    price=last[1],
                    source=connector,
                    age=age,
                    stale=age > STALE,
                    path=RatePath(kind="direct", pairs=(pair,)),
                )
        return answered


def _sources(connector: str, configured: str, sources: Collection[str]) -> Iterable[str]:
    """Where to look, in order."""
    own = (connector,) if connector in sources else ()
    if is_simulated(configured) == is_simulated(connector):
        return dict.fromkeys((*own, configured))
    return dict.fromkeys((*own, "sandbox")) if is_simulated(connector) else own


def _is_dollar(token: str, quote: str) -> bool:
    return token in PEGGED and quote in PEGGED
