"""What may be asked about markets. Times are Unix seconds, amounts base units, prices quote units."""

from typing import Annotated, Any, Literal, TypedDict

from aviary.actors.core.message import Message, Value
from aviary.actors.messages.names import ConnectorName, Moment, OptionalMoment, TradingPair
from pydantic import ConfigDict, Field, StringConstraints, with_config

type Interval = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{1,2}[smhdwM]$"),
    Field(description="The length of a candle, such as `1m`, `1h` or `1d`", examples=["1m"]),
]
type Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
type OtherConnector = Annotated[
    ConnectorName | None, Field(description="The connector; without it the simulated exchange, if it runs")
]


@with_config(ConfigDict(use_attribute_docstrings=True))
class Candle(TypedDict):
    """One candle; `timestamp` is its beginning. A plain mapping: histories have tens of thousands."""

    timestamp: float
    """When it begins, Unix seconds."""
    open: float
    """The first price, in quote units."""
    high: float
    """The highest price, in quote units."""
    low: float
    """The lowest price, in quote units."""
    close: float
    """The last price, in quote units."""
    volume: float
    """What was traded, in base units."""
    quote_asset_volume: float
    """What was traded, in quote units; 0 if the exchange does not say."""
    n_trades: float
    """How many trades there were; 0 if the exchange does not say."""
    taker_buy_base_volume: float
    """What takers bought, in base units; 0 if the exchange does not say."""
    taker_buy_quote_volume: float
    """What takers bought, in quote units; 0 if the exchange does not say."""


class GetCandles(Message[tuple[Candle, ...]]):
    """The newest candles of a pair, from a feed that is kept running for a while."""

    connector_name: ConnectorName
    trading_pair: TradingPair
    interval: Interval = "1m"
    max_records: int = Field(default=100, ge=1, le=5000)
    """How many at most, 1 to 5000; 100 by default."""


class GetHistoricalCandles(Message[tuple[Candle, ...]]):
    """The candles between two times, asked of the exchange."""

    connector_name: ConnectorName
    trading_pair: TradingPair
    interval: Interval = "1m"
    start_time: Moment = Field(examples=[1795010400])
    """When the first candle begins, at the earliest."""
    end_time: Moment = Field(examples=[1795014000])
    """When the last candle begins, at the latest."""


class PairCandles(Value):
    """Candles of a pair, oldest first. `age` tells how long ago, in seconds, the exchange was last heard."""

    connector: str
    """The connector's name."""
    trading_pair: str
    """The pair, such as `BTC-USDT`."""
    interval: str
    """The length of a candle, such as `1m`."""
    candles: tuple[Candle, ...]
    """The candles, oldest first."""
    timestamp: float
    """When this was put together, Unix seconds."""
    age: float
    """Seconds since the exchange was last heard."""
    stale: bool
    """Whether that is too long ago to trade on."""


class GetPairCandles(Message[PairCandles]):
    """Candles of a pair: the newest, or those between two times."""

    connector_name: OtherConnector = None
    trading_pair: TradingPair
    interval: Interval = "1m"
    limit: int = Field(default=100, ge=1, le=5000)
    """How many at most, 1 to 5000; 100 by default."""
    start_time: OptionalMoment = None
    """Only candles from here on; by default as many as `limit` before the end."""
    end_time: OptionalMoment = None
    """Only candles until here; by default until now."""


class Prices(Value):
    """Last traded prices by pair. `age` is in seconds; the exchange was asked for these."""

    connector: str
    """The connector's name."""
    prices: dict[str, float | None]
    """Last traded price by pair, in quote units; null for one that nobody knows."""
    timestamp: float
    """When the exchange was asked, Unix seconds."""
    age: float = 0.0
    """Seconds since then."""
    stale: bool = False
    """Whether that is too long ago to trade on."""


class GetPrices(Message[Prices]):
    """The last traded prices of some pairs."""

    connector_name: ConnectorName
    trading_pairs: tuple[TradingPair, ...] = Field(min_length=1, max_length=200, examples=[["BTC-USDT"]])
    """The pairs, 1 to 200."""


class FundingInfo(Value):
    """The funding of a perpetual pair. The rate is a share of the position's value for each interval."""

    trading_pair: str
    """The pair, such as `BTC-USDT`."""
    funding_rate: float | None
    """What longs pay shorts at the next funding, as a share of the position's value."""
    next_funding_time: float | None
    """When it is paid, Unix seconds."""
    mark_price: float | None
    """The price that profit is reckoned by, in quote units."""
    index_price: float | None
    """The price of the spot markets, in quote units."""
    timestamp: float
    """When the exchange was asked, Unix seconds."""
    age: float = 0.0
    """Seconds since then."""
    stale: bool = False
    """Whether that is too long ago to trade on."""


class GetFundingInfo(Message[FundingInfo]):
    """The funding of a perpetual pair; `Invalid` for a connector without."""

    connector_name: ConnectorName = Field(examples=["sandbox_perpetual"])
    trading_pair: TradingPair


class Level(Value):
    """A price and the amount that is wanted or offered there."""

    price: float
    """Quote units."""
    amount: float
    """Base units."""


class OrderBook(Value):
    """The best levels, best first. `age` is in seconds; `stale` data are too old to trade on."""

    connector: str
    """The connector's name."""
    trading_pair: str
    """The pair, such as `BTC-USDT`."""
    bids: tuple[Level, ...]
    """What is wanted, highest price first."""
    asks: tuple[Level, ...]
    """What is offered, lowest price first."""
    timestamp: float
    """As of when, Unix seconds."""
    age: float
    """Seconds since the exchange was last heard."""
    stale: bool
    """Whether that is too long ago to trade on."""


class GetOrderBook(Message[OrderBook]):
    """The best levels of a pair's book."""

    connector_name: ConnectorName
    trading_pair: TradingPair
    depth: int = Field(default=10, ge=1, le=1000)
    """Levels of each side, 1 to 1000; 10 by default."""


class GetPairBook(Message[OrderBook]):
    """The best levels of a pair's book."""

    connector_name: OtherConnector = None
    trading_pair: TradingPair
    depth: int = Field(default=10, ge=1, le=1000)
    """Levels of each side, 1 to 1000; 10 by default."""


class BookAnswer(Value):
    """What trading against a book would give. What was asked is repeated.

    `result_price` is the worst price, `average_price` the volume-weighted one. Both are null if the book has
    not enough; the volumes then are all that it has. `age` is in seconds; `stale` data are too old to trade on.
    """

    trading_pair: str
    """The pair, such as `BTC-USDT`."""
    is_buy: bool
    """Whether base is bought, as was asked."""
    query_volume: float | None = None
    """The volume that was asked about, in base units."""
    query_price: float | None = None
    """The price that was asked about, in quote units."""
    query_quote_volume: float | None = None
    """The volume that was asked about, in quote units."""
    result_price: float | None = None
    """The worst price that has to be paid or taken, in quote units."""
    result_volume: float | None = None
    """What is traded, in base units."""
    result_quote_volume: float | None = None
    """What is traded, in quote units."""
    average_price: float | None = None
    """The volume-weighted price, in quote units."""
    timestamp: float
    """As of when, Unix seconds."""
    age: float
    """Seconds since the exchange was last heard."""
    stale: bool
    """Whether that is too long ago to trade on."""


class BookQuestion(Message[BookAnswer]):
    """What the questions about a book share."""

    connector_name: ConnectorName
    trading_pair: TradingPair
    is_buy: bool = Field(examples=[True])
    """Whether base is bought; otherwise it is sold."""


class GetPriceForVolume(BookQuestion):
    """The worst price that has to be paid, or taken, for a volume."""

    volume: Positive = Field(examples=[0.5])
    """How much is traded, in base units."""


class GetPriceForQuoteVolume(BookQuestion):
    """The worst price that has to be paid, or taken, for an amount of quote."""

    quote_volume: Positive = Field(examples=[1000])
    """How much is traded, in quote units."""


class GetVolumeForPrice(BookQuestion):
    """The volume to be had up to a price."""

    price: Positive = Field(examples=[50000])
    """The worst price that is taken, in quote units."""


class GetQuoteVolumeForPrice(BookQuestion):
    """The amount of quote to be had up to a price."""

    price: Positive = Field(examples=[50000])
    """The worst price that is taken, in quote units."""


class GetVwapForVolume(BookQuestion):
    """The average price for a volume."""

    volume: Positive = Field(examples=[0.5])
    """How much is traded, in base units."""


class AddTradingPair(Message[dict[str, Any]]):
    """Keep a pair's book running until it is removed. Market data belong to no account."""

    connector_name: ConnectorName
    trading_pair: TradingPair
    account_name: str | None = Field(default=None, max_length=100)
    """Taken from released clients, and without effect."""
    timeout: float = Field(default=30.0, ge=1, le=120)
    """Seconds to wait for the book's first data, 1 to 120; 30 by default."""


class RemoveTradingPair(Message[dict[str, Any]]):
    """Let go of a pair's book; it stops unless somebody else listens to it."""

    connector_name: ConnectorName
    trading_pair: TradingPair
    account_name: str | None = Field(default=None, max_length=100)
    """Taken from released clients, and without effect."""


class ListActiveFeeds(Message[dict[str, dict[str, Any]]]):
    """The feeds that run, with the age of their data."""


class FeedSettings(Value):
    """How long feeds live."""

    cleanup_interval: float
    """Seconds between two looks for feeds that nobody needs."""
    feed_timeout: float
    """Seconds that a feed runs on after it was last needed."""
    description: str
    """The same in words."""


class GetFeedSettings(Message[FeedSettings]):
    """How long feeds live."""


class ListCandleConnectors(Message[tuple[str, ...]]):
    """The connectors that have candles."""


class GetBookDiagnostics(Message[dict[str, Any]]):
    """The books of a connector: which run, and how old their data are."""

    connector_name: ConnectorName
    account_name: str | None = Field(default=None, max_length=100)
    """Taken from released clients, and without effect."""


class RestartBooks(Message[dict[str, Any]]):
    """Start every book of a connector over."""

    connector_name: ConnectorName
    account_name: str | None = Field(default=None, max_length=100)
    """Taken from released clients, and without effect."""


class Ticker(Value):
    """The best prices of a pair."""

    connector: str
    """The connector's name."""
    trading_pair: str
    """The pair, such as `BTC-USDT`."""
    best_bid: float | None
    """The highest price that is wanted at, in quote units; null if nobody does."""
    bid_amount: float | None
    """What is wanted there, in base units."""
    best_ask: float | None
    """The lowest price that is offered at, in quote units; null if nobody does."""
    ask_amount: float | None
    """What is offered there, in base units."""
    mid: float | None
    """Halfway between the two, in quote units."""
    last: float | None
    """The last traded price, in quote units; null if that is not known."""
    timestamp: float
    """As of when, Unix seconds."""
    age: float
    """Seconds since the exchange was last heard."""
    stale: bool
    """Whether that is too long ago to trade on."""


class GetTicker(Message[Ticker]):
    """The best prices of a pair."""

    connector_name: OtherConnector = None
    trading_pair: TradingPair


@with_config(ConfigDict(use_attribute_docstrings=True))
class PublicTrade(TypedDict):
    """A public trade; `side` is the taker's."""

    trade_id: str | None
    """The exchange's id of the trade; null if it gives none."""
    price: float
    """Quote units."""
    amount: float
    """Base units."""
    side: Literal["buy", "sell"]
    """What the taker did."""
    timestamp: float
    """When it was traded, Unix seconds."""


class PairTrades(Value):
    """The newest public trades of a pair that were seen since its feed runs, oldest first."""

    connector: str
    """The connector's name."""
    trading_pair: str
    """The pair, such as `BTC-USDT`."""
    trades: tuple[PublicTrade, ...]
    """The trades, oldest first."""
    timestamp: float | None
    """As of when, Unix seconds; null before the first trade."""
    age: float
    """Seconds since the exchange was last heard."""
    stale: bool
    """Whether that is too long ago to trade on."""


class GetPairTrades(Message[PairTrades]):
    """The newest public trades of a pair that were seen since its feed runs."""

    connector_name: OtherConnector = None
    trading_pair: TradingPair
    limit: int = Field(default=100, ge=1, le=100)
    """How many at most, 1 to 100; 100 by default."""
