"""What may be asked of the rate oracle. Rates are quote units for one unit of the base; ages are in seconds."""

from decimal import Decimal
from typing import Annotated, Literal

from aviary.actors.core.message import Message, Value
from aviary.actors.messages.names import ConnectorName, TradingPair
from aviary.actors.messages.trading import Names
from pydantic import Field, StringConstraints

SLOW = 60.0
"""Seconds that a question may take: several sources may have to be asked, and a host to start first."""

MAX_PAIRS = 200
"""Pairs, or tokens, that one question may name."""

type Token = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:_$]{1,40}$")]

type Pairs = Annotated[
    tuple[TradingPair, ...],
    Field(min_length=1, max_length=MAX_PAIRS),
]


class RateSource(Value):
    """The market that rates are read from."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=60)]


class GlobalToken(Value):
    """What values are given in, and the sign that is shown before them."""

    global_token_name: Token = "USDT"  # noqa: S105 - a coin
    global_token_symbol: Annotated[str, StringConstraints(min_length=1, max_length=8)] = "$"  # noqa: S105 - a sign


class RateConfig(Value):
    """Where rates come from and what values are given in."""

    rate_oracle_source: RateSource
    global_token: GlobalToken


class RateConfigView(RateConfig):
    """The configuration, with the sources there are."""

    available_sources: tuple[str, ...]


class ListRateSources(Message[tuple[str, ...]]):
    """The markets that rates can be read from."""

    handler_limit = SLOW


class GetRateConfig(Message[RateConfigView]):
    """Where rates come from, and what values are given in."""

    handler_limit = SLOW


class GetQuote(Message[str]):
    """The token that values are given in."""


class RateConfigChanged(Value):
    """That the configuration was changed, and what it is."""

    success: bool = True
    message: str
    config: RateConfig


class SetRateConfig(Message[RateConfigChanged]):
    """Change where rates come from, or what values are given in. Parts that are not named stay; it outlasts restarts.

    `Invalid` for an unknown source, or if nothing is named.
    """

    handler_limit = SLOW

    rate_oracle_source: RateSource | None = None
    global_token: GlobalToken | None = None


class RatePath(Value):
    """How a rate was come by: `pairs` of the source in the order of use, and the tokens it was crossed `through`.

    `pegged` means that a dollar stablecoin without a price was taken for another.
    """

    kind: Literal["same", "direct", "inverse", "crossed", "pegged"]
    pairs: tuple[str, ...] = ()
    through: tuple[str, ...] = ()


class RateDetail(Value):
    """What stands behind a rate. `stale` means that the source could not be read for longer than prices hold."""

    age: float
    stale: bool
    path: RatePath


class Rate(Value):
    """The rate of a pair; null if the source has no way from one token to the other."""

    trading_pair: str
    rate: Decimal | None
    source: str
    quote_token: str
    age: float | None
    stale: bool
    path: RatePath | None


class GetRate(Message[Rate]):
    """The rate of a pair. `anew` asks the source first; else prices of the last seconds are good enough.

    `Unavailable` if the source can't be read and never was.
    """

    handler_limit = SLOW

    trading_pair: TradingPair
    anew: bool = False


class Rates(Value):
    """Rates by pair, null where the source has no way; `details` of those that are known."""

    source: str
    quote_token: str
    rates: dict[str, Decimal | None]
    details: dict[str, RateDetail]


class GetRates(Message[Rates]):
    """The rates of some pairs."""

    handler_limit = SLOW

    trading_pairs: Pairs


class SourcePrices(Value):
    """All prices of the source, by pair."""

    source: str
    quote_token: str
    prices_count: int
    prices: dict[str, Decimal]
    timestamp: float
    age: float
    stale: bool


class GetSourcePrices(Message[SourcePrices]):
    """All prices of the source."""

    handler_limit = SLOW


# Of any source


class PairTicker(Value):
    """A pair on one source: its mid price, and what was traded in 24 hours in base and in quote (`volume`) units."""

    price: Decimal
    base_volume: Decimal | None
    volume: Decimal | None
    timestamp: float
    age: float
    stale: bool


class Tickers(Value):
    """Tickers by source and pair. `updated_at` is the age of the oldest, as Unix time; `errors` by source."""

    tickers: dict[str, dict[str, PairTicker]]
    counts: dict[str, int]
    updated_at: float | None
    errors: dict[str, str]


class ListTickers(Message[Tickers]):
    """Tickers of some sources, or of all that were read lately.

    `refresh` asks the sources anew; otherwise what is no older than `max_age` seconds is good enough.
    """

    handler_limit = SLOW

    connectors: Names | None = None
    refresh: bool = False
    max_age: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)] | None = None


class PoolRates(Value):
    """Rates by pair, null where there is no way; `details` of those that are known."""

    quote_token: str
    connector: str | None
    source: str
    rates: dict[str, Decimal | None]
    details: dict[str, RateDetail]


class GetPoolRates(Message[PoolRates]):
    """The rates of some pairs, from one source's tickers or from the configured one's."""

    handler_limit = SLOW

    trading_pairs: Pairs
    connector: ConnectorName | None = None


class TokenPrice(Value):
    """What one unit of a token is worth."""

    price: Decimal
    source: str
    age: float
    stale: bool
    path: RatePath


class Valuation(Value):
    """Prices by token, in `quote`; tokens that nobody quotes are not in it.

    `complete` tells whether every market that might have had a price could be asked.
    """

    quote: str
    prices: dict[str, TokenPrice]
    complete: bool


class ValueTokens(Message[Valuation]):
    """What tokens that are held on a connector are worth: on its own market first, then at the configured source.

    Simulated money is valued at simulated prices only, and real money never.
    """

    handler_limit = SLOW

    connector: str
    tokens: tuple[str, ...]
