"""What may be asked about markets. Times are Unix seconds, amounts base units, prices quote units."""

from typing import Annotated, Any, Literal, TypedDict

from aviary.actors.core.message import Message, Value
from aviary.actors.messages.names import ConnectorName, TradingPair
from pydantic import Field, StringConstraints

type Interval = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,2}[smhdwM]$")]
type Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
type Moment = Annotated[float, Field(ge=0, le=1e11, allow_inf_nan=False)]

type OtherConnector = Annotated[
    ConnectorName | None, Field(description="The exchange; without it the simulated one, if it runs")
]


class Candle(TypedDict):
    """One candle; `timestamp` is its beginning. A plain mapping: histories have tens of thousands."""

    timestamp: float
    open: float
    high: float
    low: float
    close: float
    volume: float
    quote_asset_volume: float
    n_trades: float
    taker_buy_base_volume: float
    taker_buy_quote_volume: float


class GetCandles(Message[tuple[Candle, ...]]):
    """The newest candles of a pair, from a feed that is kept running for a while."""

    connector_name: ConnectorName
    trading_pair: TradingPair
    interval: Interval = "1m"
    max_records: int = Field(default=500, ge=1, le=5000)


class GetHistoricalCandles(Message[tuple[Candle, ...]]):
    """The candles between two times, asked of the exchange."""

    connector_name: ConnectorName
    trading_pair: TradingPair
    interval: Interval = "1m"
    start_time: Moment
    end_time: Moment


class PairCandles(Value):
    """Candles of a pair, oldest first. `age` tells how long ago, in seconds, the exchange was last heard."""

    connector: str
    trading_pair: str
    interval: str
    candles: tuple[Candle, ...]
    timestamp: float
    age: float
    stale: bool


class GetPairCandles(Message[PairCandles]):
    """Candles of a pair: the newest, or those between two times."""

    connector_name: OtherConnector = None
    trading_pair: TradingPair
    interval: Interval = "1m"
    limit: int = Field(default=100, ge=1, le=5000)
    start_time: Moment | None = None
    end_time: Moment | None = None


class Prices(Value):
    """Last traded prices by pair. `age` is in seconds; the exchange was asked for these."""

    connector: str
    prices: dict[str, float | None]
    timestamp: float
    age: float = 0.0
    stale: bool = False


class GetPrices(Message[Prices]):
    """The last traded prices of some pairs."""

    connector_name: ConnectorName
    trading_pairs: tuple[TradingPair, ...] = Field(min_length=1, max_length=200)


class FundingInfo(Value):
    """The funding of a perpetual pair. The rate is a share of the position's value for each interval."""

    trading_pair: str
    funding_rate: float | None
    next_funding_time: float | None
    mark_price: float | None
    index_price: float | None
    timestamp: float
    age: float = 0.0
    stale: bool = False


class GetFundingInfo(Message[FundingInfo]):
    """The funding of a perpetual pair; `Invalid` for a connector without."""

    connector_name: ConnectorName
    trading_pair: TradingPair


class Level(Value):
    """A price and the amount that is wanted or offered there."""

    price: float
    amount: float


class OrderBook(Value):
    """The best levels, best first. `age` is in seconds; `stale` data are too old to trade on."""

    connector: str
    trading_pair: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    timestamp: float
    age: float
    stale: bool


class GetOrderBook(Message[OrderBook]):
    """The best levels of a pair's book."""

    connector_name: ConnectorName
    trading_pair: TradingPair
    depth: int = Field(default=10, ge=1, le=1000)


class GetPairBook(Message[OrderBook]):
    """The best levels of a pair's book."""

    connector_name: OtherConnector = None
    trading_pair: TradingPair
    depth: int = Field(default=10, ge=1, le=1000)


class BookAnswer(Value):
    """What trading against a book would give. What was asked is repeated.

    `result_price` is the worst price, `average_price` the volume-weighted one. Both are null if the book has
    not enough; the volumes then are all that it has. `age` is in seconds; `stale` data are too old to trade on.
    """

    trading_pair: str
    is_buy: bool
    query_volume: float | None = None
    query_price: float | None = None
    query_quote_volume: float | None = None
    result_price: float | None = None
    result_volume: float | None = None
    result_quote_volume: float | None = None
    average_price: float | None = None
    timestamp: float
    age: float
    stale: bool


class BookQuestion(Message[BookAnswer]):
    """What the questions about a book share."""

    connector_name: ConnectorName
    trading_pair: TradingPair
    is_buy: bool


class GetPriceForVolume(BookQuestion):
    """The worst price that has to be paid, or taken, for a volume."""

    volume: Positive


class GetPriceForQuoteVolume(BookQuestion):
    """The worst price that has to be paid, or taken, for an amount of quote."""

    quote_volume: Positive


class GetVolumeForPrice(BookQuestion):
    """The volume to be had up to a price."""

    price: Positive


class GetQuoteVolumeForPrice(BookQuestion):
    """The amount of quote to be had up to a price."""

    price: Positive


class GetVwapForVolume(BookQuestion):
    """The average price for a volume."""

    volume: Positive


class AddTradingPair(Message[dict[str, Any]]):
    """Keep a pair's book running until it is removed. Market data belong to no account."""

    connector_name: ConnectorName
    trading_pair: TradingPair
    account_name: str | None = Field(default=None, max_length=100)
    timeout: float = Field(default=30.0, ge=1, le=120)


class RemoveTradingPair(Message[dict[str, Any]]):
    """Let go of a pair's book; it stops unless somebody else listens to it."""

    connector_name: ConnectorName
    trading_pair: TradingPair
    account_name: str | None = Field(default=None, max_length=100)


class ListActiveFeeds(Message[dict[str, dict[str, Any]]]):
    """The feeds that run, with the age of their data."""


class FeedSettings(Value):
    """How long feeds live."""

    cleanup_interval: float
    feed_timeout: float
    description: str


class GetFeedSettings(Message[FeedSettings]):
    """How long feeds live."""


class ListCandleConnectors(Message[tuple[str, ...]]):
    """The connectors that have candles."""


class GetBookDiagnostics(Message[dict[str, Any]]):
    """The books of a connector: which run, and how old their data are."""

    connector_name: ConnectorName
    account_name: str | None = Field(default=None, max_length=100)


class RestartBooks(Message[dict[str, Any]]):
    """Start every book of a connector over."""

    connector_name: ConnectorName
    account_name: str | None = Field(default=None, max_length=100)


class Ticker(Value):
    """The best prices of a pair."""

    connector: str
    trading_pair: str
    best_bid: float | None
    bid_amount: float | None
    best_ask: float | None
    ask_amount: float | None
    mid: float | None
    last: float | None
    timestamp: float
    age: float
    stale: bool


class GetTicker(Message[Ticker]):
    """The best prices of a pair."""

    connector_name: OtherConnector = None
    trading_pair: TradingPair


class PublicTrade(TypedDict):
    """A public trade; `side` is the taker's."""

    trade_id: str | None
    price: float
    amount: float
    side: Literal["buy", "sell"]
    timestamp: float


class PairTrades(Value):
    """The newest public trades of a pair that were seen since its feed runs, oldest first."""

    connector: str
    trading_pair: str
    trades: tuple[PublicTrade, ...]
    timestamp: float | None
    age: float
    stale: bool


class GetPairTrades(Message[PairTrades]):
    """The newest public trades of a pair that were seen since its feed runs."""

    connector_name: OtherConnector = None
    trading_pair: TradingPair
    limit: int = Field(default=100, ge=1, le=100)
