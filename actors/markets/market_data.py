"""Answers questions about markets, from feeds where they run and from the exchange where not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.refusal import Invalid
from aviary.actors.hosts.calls import call_host
from aviary.actors.markets.book_queries import answer_to
from aviary.actors.markets.candle_history import CandleHistory
from aviary.actors.markets.feed_admin import SETTINGS, FeedAdmin
from aviary.actors.markets.feed_client import FEED_TIMEOUT, FeedClient
from aviary.actors.messages.feeds import GetFeed, GetFeedHistory
from aviary.actors.messages.market_data import (
    AddTradingPair,
    BookAnswer,
    BookQuestion,
    FundingInfo,
    GetBookDiagnostics,
    GetCandles,
    GetFeedSettings,
    GetFundingInfo,
    GetHistoricalCandles,
    GetOrderBook,
    GetPairBook,
    GetPairCandles,
    GetPairTrades,
    GetPrices,
    GetTicker,
    Level,
    ListActiveFeeds,
    ListCandleConnectors,
    OrderBook,
    PairTrades,
    Prices,
    RemoveTradingPair,
    RestartBooks,
    Ticker,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from aviary.actors.core.address import Address

FIRST_DATA = 10.0
"""Seconds that a feed's first data may take."""

FEED_DEPTH = 50
"""Levels of each side that a feed's events carry; more are asked of the host."""

WHOLE_DEPTH = 5_000
"""Levels of each side of a whole book."""

PRICES_AT_ONCE = 50
"""Pairs whose prices the host takes in one call."""


class MarketData(AsyncActor):
    """The market-data router's actor; every question is answered beside the others.

    `default_connector` is for questions that name none.
    """

    dispatcher: ClassVar[str | None] = "questions"
    keeps_nothing = True

    def __init__(self, host: Address, default_connector: str | None = "sandbox") -> None:
        super().__init__()
        self._host = host
        self._default = default_connector

    async def prepare(self) -> None:
        """Know nothing yet."""
        self._feeds = FeedClient(self)
        self._candles = CandleHistory(self, self._host)
        self._keeping = FeedAdmin(self)

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        if isinstance(message, GetFeedSettings):
            return SETTINGS
        work = self._work(message)
        return super().receive(message) if work is None else self.defer(work)

    def _work(self, message: Any) -> Coroutine[Any, Any, object] | None:
        match message:
            case GetCandles():
                return self._candles.newest(message)
            case GetHistoricalCandles():
                return self._candles.past(message)
            case GetPairCandles():
                return self._candles.of_pair(self._connector(message.connector_name), message)
            case GetPrices():
                return self._prices(message)
            case GetFundingInfo():
                return self._funding(message)
            case GetTicker():
                return self._ticker(message)
            case GetOrderBook() | GetPairBook():
                return self._book(self._connector(message.connector_name), message.trading_pair, message.depth)
            case BookQuestion():
                return self._ask_book(message)
            case GetPairTrades():
                return self._trades(message)
            case _:
                return self._upkeep(message)

    def _upkeep(self, message: Any) -> Coroutine[Any, Any, object] | None:
        match message:
            case AddTradingPair():
                return self._keeping.add(message)
            case RemoveTradingPair():
                return self._keeping.remove(message)
            case ListActiveFeeds():
                return self._keeping.active()
            case ListCandleConnectors():
                return self._candles.connectors()
            case GetBookDiagnostics():
                return self._keeping.diagnostics(message.connector_name)
            case RestartBooks():
                return self._keeping.restart(message.connector_name)
            case _:
                return None

    def _connector(self, named: str | None) -> str:
        connector = named or self._default
        if connector is None:
            raise Invalid("Name the exchange: the simulated one is turned off", "connector")
        return connector

    # Prices

    async def _prices(self, query: GetPrices) -> Prices:
        wanted = tuple(dict.fromkeys(query.trading_pairs))
        numbers: dict[str, float | None] = {}
        for begin in range(0, len(wanted), PRICES_AT_ONCE):
            prices = await call_host(
                self,
                self._host,
                "prices",
                connector_name=query.connector_name,
                trading_pairs=list(wanted[begin : begin + PRICES_AT_ONCE]),
            )
            numbers |= {pair: None if price is None else float(price) for pair, price in prices.items()}
        return Prices(connector=query.connector_name, prices=numbers, timestamp=self.clock.now())

    async def _funding(self, query: GetFundingInfo) -> FundingInfo:
        info = await call_host(
            self,
            self._host,
            "funding_info",
            connector_name=query.connector_name,
            trading_pair=query.trading_pair,
        )
        numbers = {
            name: None if info.get(name) is None else float(info[name])
            for name in ("funding_rate", "next_funding_time", "mark_price", "index_price")
        }
        return FundingInfo(trading_pair=query.trading_pair, timestamp=self.clock.now(), **numbers)

    async def _ticker(self, query: GetTicker) -> Ticker:
        connector = self._connector(query.connector_name)
        address = await self._feeds.open("ticker", connector, query.trading_pair)
        state = await self._feeds.ask(address, GetFeed(wait=FIRST_DATA), FEED_TIMEOUT)
        names = ("best_bid", "bid_amount", "best_ask", "ask_amount", "mid", "last")
        return Ticker(
            connector=connector,
            trading_pair=query.trading_pair,
            timestamp=state.data.get("timestamp") or self.clock.now(),
            age=state.age,
            stale=state.stale,
            **{name: state.data.get(name) for name in names},
        )

    # Books and trades

    async def _levels(self, connector: str, pair: str, depth: int) -> dict[str, Any]:
        address = await self._feeds.open("order_book", connector, pair)
        if depth > FEED_DEPTH:
            query = GetFeedHistory(depth=depth, wait=FIRST_DATA)
            return await self._feeds.ask(address, query, FEED_TIMEOUT)
        state = await self._feeds.ask(address, GetFeed(wait=FIRST_DATA), FEED_TIMEOUT)
        return {**state.data, "age": state.age, "stale": state.stale}

    async def _book(self, connector: str, pair: str, depth: int) -> OrderBook:
        data = await self._levels(connector, pair, depth)
        bids, asks = (
            tuple(Level(price=price, amount=amount) for price, amount in data[side][:depth])
            for side in ("bids", "asks")
        )
        return OrderBook(
            connector=connector,
            trading_pair=pair,
            bids=bids,
            asks=asks,
            timestamp=data.get("timestamp") or self.clock.now(),
            age=data["age"],
            stale=data["stale"],
        )

    async def _ask_book(self, query: BookQuestion) -> BookAnswer:
        data = await self._levels(query.connector_name, query.trading_pair, FEED_DEPTH)
        answer = answer_to(query, data, whole=False)
        if answer is None:
            data = await self._levels(query.connector_name, query.trading_pair, WHOLE_DEPTH)
            answer = answer_to(query, data, whole=True)
        return BookAnswer(
            trading_pair=query.trading_pair,
            is_buy=query.is_buy,
            timestamp=data.get("timestamp") or self.clock.now(),
            age=data["age"],
            stale=data["stale"],
            **(answer or {}),
        )

    async def _trades(self, query: GetPairTrades) -> PairTrades:
        connector = self._connector(query.connector_name)
        address = await self._feeds.open("trades", connector, query.trading_pair)
        seen = await self._feeds.ask(address, GetFeedHistory(), FEED_TIMEOUT)
        trades = [{**trade, "side": str(trade["side"]).lower()} for trade in seen["trades"][-query.limit :]]
        return PairTrades.model_validate(
            {
                "connector": connector,
                "trading_pair": query.trading_pair,
                "trades": trades,
                **{name: seen[name] for name in ("timestamp", "age", "stale")},
            }
        )
