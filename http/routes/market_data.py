"""Prices, books, candles, trades, funding: the released paths, then the documented ones."""

from collections.abc import Mapping

from aviary.actors.core.message import Message
from aviary.actors.core.refusal import NotFound, Refusal
from aviary.actors.messages.market_data import (
    AddTradingPair,
    BookAnswer,
    GetBookDiagnostics,
    GetCandles,
    GetFeedSettings,
    GetFundingInfo,
    GetHistoricalCandles,
    GetOrderBook,
    GetPairBook,
    GetPairCandles,
    GetPairTrades,
    GetPriceForQuoteVolume,
    GetPriceForVolume,
    GetPrices,
    GetQuoteVolumeForPrice,
    GetTicker,
    GetVolumeForPrice,
    GetVwapForVolume,
    ListActiveFeeds,
    ListCandleConnectors,
    RemoveTradingPair,
    RestartBooks,
)
from aviary.http.routing import Row

DESK = "market-data"

UNKNOWN: Mapping[type[Refusal], int] = {NotFound: 400}
"""The released server's status for a connector or pair that does not exist, where it is in the body."""

HISTORY = 120.0
"""Seconds for candles: a long history is asked of the exchange in many pages."""

PAIR = {"pair": "trading_pair", "connector": "connector_name"}
"""The documented paths' names."""

QUESTIONS: Mapping[str, type[Message[BookAnswer]]] = {
    "price-for-volume": GetPriceForVolume,
    "price-for-quote-volume": GetPriceForQuoteVolume,
    "volume-for-price": GetVolumeForPrice,
    "quote-volume-for-price": GetQuoteVolumeForPrice,
    "vwap-for-volume": GetVwapForVolume,
}

ROWS = (
    Row("POST", "/market-data/candles", GetCandles, DESK, timeout=HISTORY, refusals=UNKNOWN),
    Row("POST", "/market-data/historical-candles", GetHistoricalCandles, DESK, timeout=HISTORY, refusals=UNKNOWN),
    Row("POST", "/market-data/prices", GetPrices, DESK, refusals=UNKNOWN),
    Row("POST", "/market-data/funding-info", GetFundingInfo, DESK, refusals=UNKNOWN),
    Row("POST", "/market-data/order-book", GetOrderBook, DESK, refusals=UNKNOWN),
    *(
        Row("POST", f"/market-data/order-book/{name}", message, DESK, refusals=UNKNOWN)
        for name, message in QUESTIONS.items()
    ),
    Row("GET", "/market-data/order-book/diagnostics/{connector_name}", GetBookDiagnostics, DESK),
    Row(
        "POST",
        "/market-data/order-book/restart/{connector_name}",
        RestartBooks,
        DESK,
        query=frozenset({"account_name"}),
        timeout=120.0,
    ),
    Row("POST", "/market-data/trading-pair/add", AddTradingPair, DESK, refusals=UNKNOWN, timeout=120.0),
    Row("POST", "/market-data/trading-pair/remove", RemoveTradingPair, DESK),
    Row("GET", "/market-data/active-feeds", ListActiveFeeds, DESK),
    Row("GET", "/market-data/settings", GetFeedSettings, DESK),
    Row("GET", "/market-data/available-candle-connectors", ListCandleConnectors, DESK),
    # The documented forms: the connector is in the query.
    Row("GET", "/market-data/ticker/{pair}", GetTicker, DESK, names=PAIR),
    Row("GET", "/market-data/orderbook/{pair}", GetPairBook, DESK, names=PAIR),
    Row("GET", "/market-data/candles/{pair}", GetPairCandles, DESK, names=PAIR, timeout=HISTORY),
    Row("GET", "/market-data/trades/{pair}", GetPairTrades, DESK, names=PAIR),
)
