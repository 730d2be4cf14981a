"""What may be asked of the rate oracle. Rates are quote units for one unit of the base; ages are in seconds."""

from decimal import Decimal
from typing import Annotated, Literal

from aviary.actors.core.message import Message, Value
from aviary.actors.messages.names import ConnectorName, TradingPair
from aviary.actors.messages.trading import Names
from pydantic import ConfigDict, Field, StringConstraints

SLOW = 60.0
"""Seconds that a question may take: several sources may have to be asked, and a host to start first."""

MAX_PAIRS = 200
"""Pairs, or tokens, that one question may name."""

type Token = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9.:_$]{1,40}$"),
    Field(description="A token's name", examples=["USDT"]),
]

type Pairs = Annotated[
    tuple[TradingPair, ...],
    Field(min_length=1, max_length=MAX_PAIRS, description="Pairs, 200 at most", examples=[["BTC-USDT"]]),
]


class RateSource(Value):
    """The market that rates are read from."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=60)]
    """One of those that `/rate-oracle/sources` lists."""


class GlobalToken(Value):
    """What values are given in, and the sign that is shown before them."""

    global_token_name: Token = "USDT"  # noqa: S105 - a coin
    """The token that values are given in."""
    global_token_symbol: Annotated[str, StringConstraints(min_length=1, max_length=8)] = "$"  # noqa: S105 - a sign
    """The sign that clients show before values."""


class RateConfig(Value):
    """Where rates come from and what values are given in."""

    rate_oracle_source: RateSource
    """Where rates are read."""
    global_token: GlobalToken
    """What values are given in."""


class RateConfigView(RateConfig):
    """The configuration, with the sources there are."""

    available_sources: tuple[str, ...]
    """All sources."""


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
    """True."""
    message: str
    """What was changed, in words."""
    config: RateConfig
    """The configuration that holds from here on."""


class SetRateConfig(Message[RateConfigChanged]):
    """Change where rates come from, or what values are given in. Parts that are not named stay; it outlasts restarts.

    `Invalid` for an unknown source, or if nothing is named.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"rate_oracle_source": {"name": "sandbox"}}]})

    handler_limit = SLOW

    rate_oracle_source: RateSource | None = None
    """Where to read rates; by default it stays."""
    global_token: GlobalToken | None = None
    """What to give values in; by default it stays."""


class RatePath(Value):
    """How a rate was come by: `pairs` of the source in the order of use, and the tokens it was crossed `through`.

    `pegged` means that a dollar stablecoin without a price was taken for another.
    """

    kind: Literal["same", "direct", "inverse", "crossed", "pegged"]
    """Whether the pair itself, its reverse or several pairs were used; `same` for a token in itself."""
    pairs: tuple[str, ...] = ()
    """The pairs of the source, in the order of use."""
    through: tuple[str, ...] = ()
    """The tokens between."""


class RateDetail(Value):
    """What stands behind a rate. `stale` means that the source could not be read for longer than prices hold."""

    age: float
    """Seconds since the source was read."""
    stale: bool
    """Whether the source could not be read for longer than prices hold."""
    path: RatePath
    """How the rate was come by."""


class Rate(Value):
    """The rate of a pair; null if the source has no way from one token to the other."""

    trading_pair: str
    """The pair."""
    rate: Decimal | None
    """Quote units for one of the base; null if the source has no way from one to the other."""
    source: str
    """Where it was read."""
    quote_token: str
    """What values are given in."""
    age: float | None
    """Seconds since the source was read; null without a rate."""
    stale: bool
    """Whether the source could not be read for longer than prices hold."""
    path: RatePath | None
    """How it was come by; null without a rate."""


class GetRate(Message[Rate]):
    """The rate of a pair. `anew` asks the source first; else prices of the last seconds are good enough.

    `Unavailable` if the source can't be read and never was.
    """

    handler_limit = SLOW

    trading_pair: TradingPair
    """The pair."""
    anew: bool = False
    """Whether the source is read for it."""


class Rates(Value):
    """Rates by pair, null where the source has no way; `details` of those that are known."""

    source: str
    """Where they were read."""
    quote_token: str
    """What values are given in."""
    rates: dict[str, Decimal | None]
    """By pair; null where the source has no way."""
    details: dict[str, RateDetail]
    """What stands behind each rate that is known."""


class GetRates(Message[Rates]):
    """The rates of some pairs."""

    handler_limit = SLOW

    trading_pairs: Pairs
    """The pairs, 200 at most."""


class SourcePrices(Value):
    """All prices of the source, by pair."""

    source: str
    """Where they were read."""
    quote_token: str
    """What values are given in."""
    prices_count: int
    """How many there are."""
    prices: dict[str, Decimal]
    """Mid prices by pair."""
    timestamp: float
    """When the source was read, in Unix seconds."""
    age: float
    """Seconds since then."""
    stale: bool
    """Whether the source could not be read for longer than prices hold."""


class GetSourcePrices(Message[SourcePrices]):
    """All prices of the source."""

    handler_limit = SLOW


# Of any source


class PairTicker(Value):
    """A pair on one source: its mid price, and what was traded in 24 hours in base and in quote (`volume`) units."""

    price: Decimal
    """The mid price."""
    base_volume: Decimal | None
    """What was traded in 24 hours, in base units; null if the source does not tell."""
    volume: Decimal | None
    """The same in quote units."""
    timestamp: float
    """When the source was read, in Unix seconds."""
    age: float
    """Seconds since then."""
    stale: bool
    """Whether the source could not be read for longer than prices hold."""


class Tickers(Value):
    """Tickers by source and pair. `updated_at` is the age of the oldest, as Unix time; `errors` by source."""

    tickers: dict[str, dict[str, PairTicker]]
    """By source and pair."""
    counts: dict[str, int]
    """How many pairs each source has."""
    updated_at: float | None
    """When the oldest of them was read, in Unix seconds; null if there are none."""
    errors: dict[str, str]
    """Why a source has none, by source."""


class ListTickers(Message[Tickers]):
    """Tickers of some sources, or of all that were read lately.

    `refresh` asks the sources anew; otherwise what is no older than `max_age` seconds is good enough.
    """

    handler_limit = SLOW

    connectors: Names | None = None
    """Only of these sources, separated by commas; by default of the configured one, and as they are of others that were read."""
    refresh: bool = False
    """Whether to read the sources anew; by default they are not if they were read lately."""
    max_age: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)] | None = None
    """Seconds that tickers may be old; 10 by default."""


class PoolRates(Value):
    """Rates by pair, null where there is no way; `details` of those that are known."""

    quote_token: str
    """What values are given in."""
    connector: str | None
    """The source that was asked for; null for the configured one."""
    source: str
    """Where they were read."""
    rates: dict[str, Decimal | None]
    """By pair; null where the source has no way."""
    details: dict[str, RateDetail]
    """What stands behind each rate that is known."""


class GetPoolRates(Message[PoolRates]):
    """The rates of some pairs, from one source's tickers or from the configured one's."""

    handler_limit = SLOW

    trading_pairs: Pairs
    """The pairs, 200 at most."""
    connector: ConnectorName | None = None
    """The source; by default the configured one."""


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
