"""Answers questions about markets, from feeds where they run and from the exchange where not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from aviary.actors.candles import candle_of, joined, length_of, pages
from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.refusal import ActorCrashed, Invalid, Unavailable
from aviary.actors.feed_registry import IDLE_AFTER, SWEEP_PERIOD
from aviary.actors.host_calls import call_host
from aviary.actors.messages.feeds import (
    REGISTRY,
    CloseFeed,
    FeedInfo,
    FeedKey,
    FeedKind,
    GetFeed,
    GetFeedHistory,
    ListFeeds,
    OpenFeed,
    ReopenFeed,
)
from aviary.actors.messages.market_data import (
    AddTradingPair,
    BookAnswer,
    BookQuestion,
    Candle,
    FeedSettings,
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
    PairCandles,
    PairTrades,
    Prices,
    RemoveTradingPair,
    RestartBooks,
    Ticker,
)
from aviary.actors.order_questions import answer_to

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from aviary.actors.core.address import Address
    from aviary.actors.core.message import Message

FEED_TIMEOUT = 25.0
"""Seconds until a feed that is opened for a question has to answer it."""

FIRST_DATA = 10.0
"""Seconds that a feed's first data may take."""

HISTORY_TIMEOUT = 30.0
"""Seconds that a page of candles may take."""

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

    def __init__(self, host: Address, default_connector: str | None = "sandbox") -> None:
        super().__init__()
        self._host = host
        self._default = default_connector

    async def prepare(self) -> None:
        """Know nothing yet."""
        self._with_candles: tuple[str, ...] = ()

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        if isinstance(message, GetFeedSettings):
            return self._settings()
        work = self._work(message)
        return super().receive(message) if work is None else self.defer(work)

    def _work(self, message: Any) -> Coroutine[Any, Any, object] | None:
        match message:
            case GetCandles():
                return self._newest_candles(message)
            case GetHistoricalCandles():
                return self._past_candles(message)
            case GetPairCandles():
                return self._pair_candles(message)
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
                return self._add(message)
            case RemoveTradingPair():
                return self._remove(message)
            case ListActiveFeeds():
                return self._active()
            case ListCandleConnectors():
                return self._candle_connectors()
            case GetBookDiagnostics():
                return self._diagnostics(message.connector_name)
            case RestartBooks():
                return self._restart(message.connector_name)
            case _:
                return None

    def _connector(self, named: str | None) -> str:
        connector = named or self._default
        if connector is None:
            raise Invalid("Name the exchange: the simulated one is turned off", "connector")
        return connector

    async def _open(self, kind: FeedKind, connector: str, pair: str, interval: str | None = None) -> str:
        key = FeedKey(kind=kind, connector=connector, trading_pair=pair, interval=interval)
        return await self._ask(REGISTRY, OpenFeed(key=key), FEED_TIMEOUT)

    async def _ask[R](self, address: Address, message: Message[R], limit: float) -> R:
        try:
            return await self.ask(address, message, timeout=limit)
        except ActorCrashed as crash:
            # A feed's trouble is not this actor's: its next incarnation will answer.
            raise Unavailable(f"{address} is being restarted", retry_after=1.0) from crash

    # Candles

    async def _newest_candles(self, query: GetCandles) -> tuple[Candle, ...]:
        found = await self._newest(query.connector_name, query.trading_pair, query.interval, query.max_records)
        return found.candles

    async def _newest(self, connector: str, pair: str, interval: str, count: int) -> PairCandles:
        """From the feed; until it has all, and for more than it keeps, from the exchange."""
        length = length_of(interval)
        await self._must_have_candles(connector)
        address = await self._open("candles", connector, pair, interval)
        try:
            history = await self._ask(address, GetFeedHistory(wait=0.0), FEED_TIMEOUT)
        except Unavailable:
            history = {}
        candles = history.get("candles", ())
        if len(candles) >= count:
            return PairCandles(
                connector=connector,
                trading_pair=pair,
                interval=interval,
                candles=tuple(candles[-count:]),
                timestamp=history.get("timestamp") or self.clock.now(),
                age=history["age"],
                stale=history["stale"],
            )
        now = int(self.clock.now())
        past = await self._between(connector, pair, interval, now - count * length, now)
        return self._from_exchange(connector, pair, interval, past[-count:])

    async def _past_candles(self, query: GetHistoricalCandles) -> tuple[Candle, ...]:
        await self._must_have_candles(query.connector_name)
        start, end = int(query.start_time), int(query.end_time)
        return tuple(await self._between(query.connector_name, query.trading_pair, query.interval, start, end))

    async def _pair_candles(self, query: GetPairCandles) -> PairCandles:
        connector = self._connector(query.connector_name)
        pair, interval = query.trading_pair, query.interval
        if query.start_time is None and query.end_time is None:
            return await self._newest(connector, pair, interval, query.limit)
        await self._must_have_candles(connector)
        end = int(self.clock.now() if query.end_time is None else query.end_time)
        span = (query.limit - 1) * length_of(interval)
        start = end - span if query.start_time is None else int(query.start_time)
        past = await self._between(connector, pair, interval, start, end)
        return self._from_exchange(connector, pair, interval, past)

    def _from_exchange(self, connector: str, pair: str, interval: str, candles: list[Candle]) -> PairCandles:
        return PairCandles(
            connector=connector,
            trading_pair=pair,
            interval=interval,
            candles=tuple(candles),
            timestamp=self.clock.now(),
            age=0.0,
            stale=False,
        )

    async def _between(self, connector: str, pair: str, interval: str, start: int, end: int) -> list[Candle]:
        length = length_of(interval)
        found: list[Candle] = []
        for first, last in pages(start, end, length):
            # One candle more at the front: hummingbot cannot ask for a single one.
            rows = await call_host(
                self,
                self._host,
                "historical_candles",
                limit=HISTORY_TIMEOUT,
                connector_name=connector,
                trading_pair=pair,
                interval=interval,
                start=first - length,
                end=last,
            )
            found += [candle_of(row) for row in rows]
        return [candle for candle in joined(found) if start <= candle["timestamp"] <= end]

    async def _must_have_candles(self, connector: str) -> None:
        if connector not in self._with_candles:
            known = self._with_candles = await self._candle_connectors()
            if connector not in known:
                text = f"Unsupported connector '{connector}'. Available connectors: {list(known)}"
                raise Invalid(text, "connector_name")

    async def _candle_connectors(self) -> tuple[str, ...]:
        return tuple(await call_host(self, self._host, "list_candle_connectors"))

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
        address = await self._open("ticker", connector, query.trading_pair)
        state = await self._ask(address, GetFeed(wait=FIRST_DATA), FEED_TIMEOUT)
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
        address = await self._open("order_book", connector, pair)
        if depth > FEED_DEPTH:
            query = GetFeedHistory(depth=depth, wait=FIRST_DATA)
            return await self._ask(address, query, FEED_TIMEOUT)
        state = await self._ask(address, GetFeed(wait=FIRST_DATA), FEED_TIMEOUT)
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
        address = await self._open("trades", connector, query.trading_pair)
        seen = await self._ask(address, GetFeedHistory(), FEED_TIMEOUT)
        trades = [{**trade, "side": str(trade["side"]).lower()} for trade in seen["trades"][-query.limit :]]
        return PairTrades.model_validate(
            {
                "connector": connector,
                "trading_pair": query.trading_pair,
                "trades": trades,
                **{name: seen[name] for name in ("timestamp", "age", "stale")},
            }
        )

    # Keeping feeds

    async def _add(self, message: AddTradingPair) -> dict[str, Any]:
        key = FeedKey(kind="order_book", connector=message.connector_name, trading_pair=message.trading_pair)
        address = await self._ask(REGISTRY, OpenFeed(key=key, hold=True), FEED_TIMEOUT)
        await self._ask(address, GetFeed(wait=message.timeout), message.timeout + 1)
        return _told(message, "Order book initialized for {pair}", success=True)

    async def _remove(self, message: RemoveTradingPair) -> dict[str, Any]:
        key = FeedKey(kind="order_book", connector=message.connector_name, trading_pair=message.trading_pair)
        if await self._ask(REGISTRY, CloseFeed(key=key), FEED_TIMEOUT):
            return _told(message, "Trading pair {pair} removed", success=True)
        return _told(message, "Trading pair {pair} not found or already removed", success=False)

    async def _active(self) -> dict[str, dict[str, Any]]:
        feeds = await self._ask(REGISTRY, ListFeeds(), FEED_TIMEOUT)
        now = self.clock.now()
        return {
            feed.key.name.replace(":", "_"): {
                "feed_type": feed.key.kind,
                "last_access_time": feed.needed_at,
                "seconds_since_access": now - feed.needed_at,
                "will_expire_in": feed.expires_in,
                "config": " ".join(f"{name}={value!r}" for name, value in feed.key if value is not None),
                "connector": feed.key.connector,
                "trading_pair": feed.key.trading_pair,
                "interval": feed.key.interval,
                "address": feed.address,
                "opened_at": feed.opened_at,
                "age": feed.age,
                "stale": feed.stale,
            }
            for feed in feeds
        }

    async def _diagnostics(self, connector: str) -> dict[str, Any]:
        books = await self._books_of(connector)
        tasks = {}
        for book in books:
            cell = self.system.cell(book.address)
            tasks[book.address] = {
                "exists": cell is not None,
                "done": cell is None,
                "cancelled": False,
                "exception": None if cell is None else cell.last_failure,
                "state": None if cell is None else cell.view(self.clock.now(), self.clock.monotonic()).state,
                "restarts": 0 if cell is None else cell.restarts,
            }
        return {
            "connector_name": connector,
            "has_order_book_tracker": bool(books),
            "tracker_ready": bool(books) and all(book.age is not None and not book.stale for book in books),
            "tasks": tasks,
            "trading_pairs": [book.key.trading_pair for book in books],
            "order_books": {book.key.trading_pair: await self._state_of(book) for book in books},
        }

    async def _state_of(self, book: FeedInfo) -> dict[str, Any]:
        about = {"age": book.age, "stale": book.stale, "opened_at": book.opened_at}
        try:
            state = await self._ask(book.address, GetFeed(wait=0.0), 1.0)
        except Unavailable:
            return {**about, "best_bid": None, "best_ask": None, "bid_count": 0, "ask_count": 0}
        bids, asks = state.data["bids"], state.data["asks"]
        return {
            **about,
            "age": state.age,
            "best_bid": bids[0][0] if bids else None,
            "best_ask": asks[0][0] if asks else None,
            "bid_count": len(bids),
            "ask_count": len(asks),
        }

    async def _restart(self, connector: str) -> dict[str, Any]:
        books = await self._books_of(connector)
        for book in books:
            await self._ask(REGISTRY, ReopenFeed(key=book.key), 2 * FEED_TIMEOUT)
        return {
            "success": True,
            "message": f"Order book tracker restarted for {connector}",
            "trading_pairs": [book.key.trading_pair for book in books],
        }

    async def _books_of(self, connector: str) -> list[FeedInfo]:
        feeds = await self._ask(REGISTRY, ListFeeds(), FEED_TIMEOUT)
        return [feed for feed in feeds if feed.key.kind == "order_book" and feed.key.connector == connector]

    @staticmethod
    def _settings() -> FeedSettings:
        return FeedSettings(
            cleanup_interval=SWEEP_PERIOD,
            feed_timeout=IDLE_AFTER,
            description=(
                "cleanup_interval: seconds between two looks for feeds that nobody needs; "
                "feed_timeout: seconds after which such a feed stops"
            ),
        )


def _told(message: AddTradingPair | RemoveTradingPair, text: str, *, success: bool) -> dict[str, Any]:
    return {
        "success": success,
        "connector_name": message.connector_name,
        "trading_pair": message.trading_pair,
        "message": text.format(pair=message.trading_pair),
    }
