"""Answers questions about markets, from feeds where they run and from the exchange where not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.refusal import Invalid
from aviary.actors.feed import IDLE_AFTER, LOOK_PERIOD
from aviary.actors.host_calls import call_host
from aviary.actors.messages.feeds import (
    REGISTRY,
    CloseFeed,
    FeedKey,
    FeedKind,
    FeedState,
    GetFeed,
    GetFeedHistory,
    ListFeeds,
    OpenFeed,
)
from aviary.actors.messages.market_data import (
    AddTradingPair,
    BookAnswer,
    Candle,
    FeedSettings,
    FundingInfo,
    GetBookDiagnostics,
    GetCandles,
    GetFeedSettings,
    GetFundingInfo,
    GetHistoricalCandles,
    GetOrderBook,
    GetPriceForQuoteVolume,
    GetPriceForVolume,
    GetPrices,
    GetQuoteVolumeForPrice,
    GetRecentTrades,
    GetTicker,
    GetVolumeForPrice,
    GetVwapForVolume,
    Level,
    ListActiveFeeds,
    ListCandleConnectors,
    OrderBook,
    Prices,
    RecentTrade,
    RemoveTradingPair,
    RestartBooks,
    Ticker,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from aviary.actors.core.address import Address

FEED_TIMEOUT = 25.0
"""Seconds until a feed that is opened for a question has to answer it."""

HISTORY_TIMEOUT = 60.0
"""Seconds that a long history may take."""

MAX_CANDLES = 100_000
"""Candles of one history."""

SECONDS: dict[str, int] = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "M": 2_592_000}


class MarketData(AsyncActor):
    """The market-data router's actor; every question is answered beside the others."""

    dispatcher: ClassVar[str | None] = "feeds"

    def __init__(self, host: Address) -> None:
        super().__init__()
        self._host = host

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        work: Coroutine[Any, Any, object]
        match message:
            case GetFeedSettings():
                return self._settings()
            case GetCandles():
                work = self._candles(message)
            case GetHistoricalCandles():
                work = self._history(message)
            case GetPrices():
                work = self._prices(message)
            case GetFundingInfo():
                work = self._funding(message)
            case GetOrderBook():
                work = self._book(message)
            case GetPriceForVolume():
                work = self._ask_book(message, "price_for_volume", "volume")
            case GetPriceForQuoteVolume():
                work = self._ask_book(message, "price_for_quote_volume", "quote_volume")
            case GetVolumeForPrice():
                work = self._ask_book(message, "volume_for_price", "price")
            case GetQuoteVolumeForPrice():
                work = self._ask_book(message, "quote_volume_for_price", "price")
            case GetVwapForVolume():
                work = self._ask_book(message, "vwap_for_volume", "volume")
            case AddTradingPair():
                work = self._add(message)
            case RemoveTradingPair():
                work = self._remove(message)
            case ListActiveFeeds():
                work = self._active()
            case ListCandleConnectors():
                work = self._candle_connectors()
            case GetBookDiagnostics():
                work = self._diagnostics(message)
            case RestartBooks():
                work = self._restart(message)
            case GetTicker():
                work = self._ticker(message)
            case GetRecentTrades():
                work = self._trades(message)
            case _:
                return super().receive(message)
        return self.defer(work)

    async def _open(self, kind: FeedKind, connector: str, pair: str, interval: str | None = None) -> str:
        key = FeedKey(kind=kind, connector=connector, trading_pair=pair, interval=interval)
        return await self.ask(REGISTRY, OpenFeed(key=key), timeout=FEED_TIMEOUT)

    async def _snapshot(self, kind: FeedKind, connector: str, pair: str) -> FeedState:
        address = await self._open(kind, connector, pair)
        return await self.ask(address, GetFeed(), timeout=FEED_TIMEOUT)

    # Candles

    async def _candles(self, query: GetCandles) -> tuple[Candle, ...]:
        await self._must_have_candles(query.connector_name)
        address = await self._open("candles", query.connector_name, query.trading_pair, query.interval)
        await self.ask(address, GetFeed(), timeout=FEED_TIMEOUT)
        history = await self.ask(address, GetFeedHistory(), timeout=FEED_TIMEOUT)
        return tuple(Candle.model_validate(one) for one in history["candles"][-query.max_records :])

    async def _history(self, query: GetHistoricalCandles) -> tuple[Candle, ...]:
        if query.end_time < query.start_time:
            raise Invalid("end_time is before start_time", "end_time")
        length = int(query.interval[:-1]) * SECONDS[query.interval[-1]]
        if length == 0 or (query.end_time - query.start_time) / length > MAX_CANDLES:
            raise Invalid(f"more than {MAX_CANDLES} candles", "start_time")
        await self._must_have_candles(query.connector_name)
        rows = await call_host(
            self,
            self._host,
            "historical_candles",
            limit=HISTORY_TIMEOUT,
            connector_name=query.connector_name,
            trading_pair=query.trading_pair,
            interval=query.interval,
            start=int(query.start_time),
            end=int(query.end_time),
        )
        return tuple(Candle(**dict(zip(Candle.model_fields, row, strict=True))) for row in rows)

    async def _must_have_candles(self, connector: str) -> None:
        known = await self._candle_connectors()
        if connector not in known:
            raise Invalid(f"Unsupported connector '{connector}'. Available connectors: {list(known)}", "connector_name")

    async def _candle_connectors(self) -> tuple[str, ...]:
        return tuple(await call_host(self, self._host, "list_candle_connectors"))

    # Prices

    async def _prices(self, query: GetPrices) -> Prices:
        prices = await call_host(
            self,
            self._host,
            "prices",
            connector_name=query.connector_name,
            trading_pairs=list(query.trading_pairs),
        )
        numbers = {pair: None if price is None else float(price) for pair, price in prices.items()}
        return Prices(connector=query.connector_name, prices=numbers, timestamp=self.clock.now())

    async def _funding(self, query: GetFundingInfo) -> FundingInfo:
        if "_perpetual" not in query.connector_name:
            raise Invalid("Funding info is only available for perpetual trading pairs.", "connector_name")
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
        return FundingInfo(trading_pair=query.trading_pair, **numbers)

    async def _ticker(self, query: GetTicker) -> Ticker:
        state = await self._snapshot("ticker", query.connector_name, query.trading_pair)
        names = ("best_bid", "best_ask", "mid", "last", "timestamp")
        return Ticker(
            connector=query.connector_name,
            trading_pair=query.trading_pair,
            age=state.age,
            stale=state.stale,
            **{name: state.data.get(name) for name in names},
        )

    # Books and trades

    async def _book(self, query: GetOrderBook) -> OrderBook:
        state = await self._snapshot("order_book", query.connector_name, query.trading_pair)
        levels = {
            side: tuple(Level(price=price, amount=amount) for price, amount in state.data[side][: query.depth])
            for side in ("bids", "asks")
        }
        return OrderBook(
            trading_pair=query.trading_pair,
            bids=levels["bids"],
            asks=levels["asks"],
            timestamp=state.data["timestamp"],
            age=state.age,
            stale=state.stale,
        )

    async def _ask_book(self, query: Any, question: str, asked: str) -> BookAnswer:
        await self._snapshot("order_book", query.connector_name, query.trading_pair)
        value = getattr(query, asked)
        found = await call_host(
            self,
            self._host,
            "order_book_query",
            connector_name=query.connector_name,
            trading_pair=query.trading_pair,
            query=question,
            is_buy=query.is_buy,
            value=value,
        )
        price, volume = found["result_price"], found["result_volume"]
        answer: dict[str, Any] = {f"query_{asked}": value}
        match question:
            case "vwap_for_volume":
                answer |= {"average_price": price, "result_volume": volume}
            case "quote_volume_for_price":
                answer |= {"result_price": price, "result_quote_volume": volume}
            case _:
                answer |= {"result_price": price, "result_volume": volume}
        return BookAnswer(
            trading_pair=query.trading_pair,
            is_buy=query.is_buy,
            timestamp=found["timestamp"] or self.clock.now(),
            **answer,
        )

    async def _trades(self, query: GetRecentTrades) -> tuple[RecentTrade, ...]:
        address = await self._open("trades", query.connector_name, query.trading_pair)
        history = await self.ask(address, GetFeedHistory(), timeout=FEED_TIMEOUT)
        trades = (history or {}).get("trades", [])[-query.limit :]
        return tuple(
            RecentTrade(
                trade_id=None if trade.get("trade_id") is None else str(trade["trade_id"]),
                price=trade["price"],
                amount=trade["amount"],
                side=str(trade["side"]).lower(),
                timestamp=trade["timestamp"],
            )
            for trade in trades
        )

    # Keeping feeds

    async def _add(self, message: AddTradingPair) -> dict[str, Any]:
        await self._snapshot("order_book", message.connector_name, message.trading_pair)
        return {
            "success": True,
            "connector_name": message.connector_name,
            "trading_pair": message.trading_pair,
            "message": f"Order book initialized for {message.trading_pair}",
        }

    async def _remove(self, message: RemoveTradingPair) -> dict[str, Any]:
        key = FeedKey(kind="order_book", connector=message.connector_name, trading_pair=message.trading_pair)
        removed = await self.ask(REGISTRY, CloseFeed(key=key), timeout=FEED_TIMEOUT)
        text = "removed" if removed else "not found or already removed"
        return {
            "success": removed,
            "connector_name": message.connector_name,
            "trading_pair": message.trading_pair,
            "message": f"Trading pair {message.trading_pair} {text}",
        }

    async def _active(self) -> dict[str, dict[str, Any]]:
        feeds = await self.ask(REGISTRY, ListFeeds(), timeout=FEED_TIMEOUT)
        return {
            feed.key.name.replace(":", "_"): {
                "feed_type": feed.key.kind,
                "connector": feed.key.connector,
                "trading_pair": feed.key.trading_pair,
                "interval": feed.key.interval,
                "age": feed.age,
                "stale": feed.stale,
                "opened_at": feed.opened_at,
                "config": " ".join(f"{name}={value!r}" for name, value in feed.key if value is not None),
            }
            for feed in feeds
        }

    async def _diagnostics(self, query: GetBookDiagnostics) -> dict[str, Any]:
        books = await self._books_of(query.connector_name)
        return {
            "connector_name": query.connector_name,
            "has_order_book_tracker": bool(books),
            "tracker_ready": bool(books) and not any(book.stale for book in books),
            "order_books": {
                book.key.trading_pair: {"age": book.age, "stale": book.stale, "opened_at": book.opened_at}
                for book in books
            },
        }

    async def _restart(self, message: RestartBooks) -> dict[str, Any]:
        books = await self._books_of(message.connector_name)
        for book in books:
            await self.ask(REGISTRY, CloseFeed(key=book.key), timeout=FEED_TIMEOUT)
            await self.ask(REGISTRY, OpenFeed(key=book.key), timeout=FEED_TIMEOUT)
        return {
            "success": True,
            "message": f"Order book tracker restarted for {message.connector_name}",
            "trading_pairs": [book.key.trading_pair for book in books],
        }

    async def _books_of(self, connector: str) -> list[Any]:
        feeds = await self.ask(REGISTRY, ListFeeds(), timeout=FEED_TIMEOUT)
        return [feed for feed in feeds if feed.key.kind == "order_book" and feed.key.connector == connector]

    @staticmethod
    def _settings() -> FeedSettings:
        return FeedSettings(
            cleanup_interval=LOOK_PERIOD,
            feed_timeout=IDLE_AFTER,
            description=(
                "cleanup_interval: seconds between cleanup runs, feed_timeout: seconds before unused feeds expire"
            ),
        )
