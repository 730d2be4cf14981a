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
from aviary.http.views.markets import ActiveFeeds, BookDiagnostics, PairAnswer, RestartedBooks

MARKET_DATA = "market-data"

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
    Row("POST", "/market-data/candles", GetCandles, MARKET_DATA, timeout=HISTORY, refusals=UNKNOWN),
    Row(
        "POST",
        "/market-data/historical-candles",
        GetHistoricalCandles,
        MARKET_DATA,
        timeout=HISTORY,
        refusals=UNKNOWN,
    ),
    Row("POST", "/market-data/prices", GetPrices, MARKET_DATA, refusals=UNKNOWN),
    Row("POST", "/market-data/funding-info", GetFundingInfo, MARKET_DATA, refusals=UNKNOWN),
    Row("POST", "/market-data/order-book", GetOrderBook, MARKET_DATA, refusals=UNKNOWN),
    *(
        Row("POST", f"/market-data/order-book/{name}", message, MARKET_DATA, refusals=UNKNOWN)
        for name, message in QUESTIONS.items()
    ),
    Row(
        "GET",
        "/market-data/order-book/diagnostics/{connector_name}",
        GetBookDiagnostics,
        MARKET_DATA,
        answers=BookDiagnostics,
    ),
    Row(
        "POST",
        "/market-data/order-book/restart/{connector_name}",
        RestartBooks,
        MARKET_DATA,
        query=frozenset({"account_name"}),
        timeout=120.0,
        answers=RestartedBooks,
    ),
    Row(
        "POST",
        "/market-data/trading-pair/add",
        AddTradingPair,
        MARKET_DATA,
        refusals=UNKNOWN,
        timeout=120.0,
        answers=PairAnswer,
    ),
    Row("POST", "/market-data/trading-pair/remove", RemoveTradingPair, MARKET_DATA, answers=PairAnswer),
    Row("GET", "/market-data/active-feeds", ListActiveFeeds, MARKET_DATA, answers=ActiveFeeds),
    Row("GET", "/market-data/settings", GetFeedSettings, MARKET_DATA),
    Row("GET", "/market-data/available-candle-connectors", ListCandleConnectors, MARKET_DATA),
    # The documented forms: the connector is in the query.
    Row("GET", "/market-data/ticker/{pair}", GetTicker, MARKET_DATA, names=PAIR),
    Row("GET", "/market-data/orderbook/{pair}", GetPairBook, MARKET_DATA, names=PAIR),
    Row("GET", "/market-data/candles/{pair}", GetPairCandles, MARKET_DATA, names=PAIR, timeout=HISTORY),
    Row("GET", "/market-data/trades/{pair}", GetPairTrades, MARKET_DATA, names=PAIR),
)
