"""The kinds of feeds: what each of them shows of its stream, as the JSON that subscribers get."""

from abc import ABC, abstractmethod
from collections import deque
from itertools import islice
from typing import Any

import orjson
from aviary.actors.engine.exchanges.outcomes import REQUEST_ERRORS
from aviary.actors.engine.markets.hearing import Hearing
from aviary.actors.engine.markets.pair_stream import STALL_LIMIT, STALL_LIMIT_MAX, PairStream
from aviary.actors.engine.markets.public_data import candles_feed, funding_of
from aviary.config.clock import Clock
from hummingbot.core.event.event_forwarder import EventForwarder
from hummingbot.core.event.events import OrderBookEvent

DEFAULT_DEPTH = 50
"""Levels of each side in a book's events."""

RECENT_TRADES = 100
"""Trades in a trades feed's snapshot, and at most in one event."""

CANDLE_RECORDS = 500
"""Candles a candles feed keeps."""


class Feed(ABC):
    """Something that changes and can be shown."""

    @property
    @abstractmethod
    def hearing(self) -> Hearing:
        """When the exchange last said something that this feed has taken in."""

    @property
    def heard_at(self) -> float | None:
        """The same as Unix time, `None` before the first message."""
        return self.hearing.heard_at

    @abstractmethod
    def change(self) -> dict[str, Any] | None:
        """What to tell subscribers, or `None` if nothing changed since the last call."""

    @abstractmethod
    def snapshot(self) -> dict[str, Any] | None:
        """All there is to show now, `None` if nothing is known yet."""

    async def mend(self) -> None:  # noqa: B027 - most feeds live off a stream that mends itself
        """Called often: start over what has gone silent, unless something else does."""


class BookFeed(Feed):
    """The order book, best prices first."""

    def __init__(self, stream: PairStream, trading_pair: str, depth: int) -> None:
        self._stream = stream
        self._pair = trading_pair
        self._depth = depth
        self._seen: tuple[int, int, int] | None = None

    @property
    def hearing(self) -> Hearing:
        """See `Feed`."""
        return self._stream.book_hearing

    def change(self) -> dict[str, Any] | None:
        """See `Feed`."""
        book = self._stream.book
        if book is None or not self._stream.book_is_whole:
            return None
        state = (id(book), book.last_diff_uid, book.snapshot_uid)
        if state == self._seen:
            return None
        self._seen = state
        return self.snapshot()

    def snapshot(self) -> dict[str, Any] | None:
        """See `Feed`."""
        return self.levels(self._depth)

    def levels(self, depth: int) -> dict[str, Any] | None:
        """The `depth` best levels of each side, `None` if there is no book yet."""
        book = self._stream.book
        if book is None:
            return None
        return {
            "trading_pair": self._pair,
            "bids": [[row.price, row.amount] for row in islice(book.bid_entries(), depth)],
            "asks": [[row.price, row.amount] for row in islice(book.ask_entries(), depth)],
            "timestamp": self.heard_at,
        }


class ShownFeed(Feed):
    """A feed of one thing that is shown whole, whenever it looks different."""

    def __init__(self, stream: PairStream, trading_pair: str) -> None:
        self._stream = stream
        self._pair = trading_pair
        self._seen: dict[str, Any] | None = None

    def change(self) -> dict[str, Any] | None:
        """See `Feed`."""
        shown = self._show()
        if shown is None or shown == self._seen:
            return None
        self._seen = shown
        return {**shown, "timestamp": self.heard_at}

    def snapshot(self) -> dict[str, Any] | None:
        """See `Feed`."""
        shown = self._show()
        return None if shown is None else {**shown, "timestamp": self.heard_at}

    @abstractmethod
    def _show(self) -> dict[str, Any] | None:
        """What there is to see; `None` if there is nothing yet."""


class TickerFeed(ShownFeed):
    """Best prices and the last trade's."""

    @property
    def hearing(self) -> Hearing:
        """See `Feed`."""
        return self._stream.book_hearing

    def change(self) -> dict[str, Any] | None:
        """See `Feed`."""
        return super().change() if self._stream.book_is_whole else None

    def _show(self) -> dict[str, Any] | None:
        book = self._stream.book
        if book is None:
            return None
        bid = next(iter(book.bid_entries()), None)
        ask = next(iter(book.ask_entries()), None)
        last = book.last_trade_price
        return {
            "trading_pair": self._pair,
            "best_bid": bid.price if bid else None,
            "bid_amount": bid.amount if bid else None,
            "best_ask": ask.price if ask else None,
            "ask_amount": ask.amount if ask else None,
            "mid": (bid.price + ask.price) / 2 if bid and ask else None,
            "last": last if last == last else None,  # noqa: PLR0124 - NaN is not equal to itself
        }


class TradesFeed(Feed):
    """Public trades, oldest first."""

    def __init__(self, stream: PairStream, trading_pair: str) -> None:
        self._stream = stream
        self._pair = trading_pair
        self._book: Any = None
        self._listener = EventForwarder(self._take)
        self._recent: deque[dict[str, Any]] = deque(maxlen=RECENT_TRADES)
        self._new: deque[dict[str, Any]] = deque(maxlen=RECENT_TRADES)

    @property
    def hearing(self) -> Hearing:
        """See `Feed`."""
        return self._stream.market_hearing

    def change(self) -> dict[str, Any] | None:
        """See `Feed`."""
        book = self._stream.book
        if book is not None and book is not self._book:
            # Every reconnection of the network brings a new book.
            book.add_listener(OrderBookEvent.TradeEvent, self._listener)
            self._book = book
        if not self._new:
            return None
        trades = list(self._new)
        self._new.clear()
        return {"trading_pair": self._pair, "trades": trades, "timestamp": self.heard_at}

    def snapshot(self) -> dict[str, Any] | None:
        """See `Feed`."""
        return {"trading_pair": self._pair, "trades": list(self._recent), "timestamp": self.heard_at}

    def _take(self, event: Any) -> None:
        trade = {
            "trade_id": str(event.trade_id) if event.trade_id is not None else None,
            "price": float(event.price),
            "amount": float(event.amount),
            "side": event.type.name,
            "timestamp": event.timestamp,
        }
        self._recent.append(trade)
        self._new.append(trade)


class FundingFeed(ShownFeed):
    """Funding rate, mark and index price of a perpetual pair."""

    @property
    def hearing(self) -> Hearing:
        """See `Feed`."""
        return self._stream.market_hearing

    def _show(self) -> dict[str, Any] | None:
        known = self._stream.connector._perpetual_trading.funding_info  # noqa: SLF001
        info = known.get(self._pair)
        return None if info is None else funding_of(info)


class CandlesFeed(Feed):
    """Candles of one interval; events carry the newest two, a closed one and the one that grows."""

    def __init__(self, connector_name: str, trading_pair: str, interval: str, clock: Clock) -> None:
        self._pair = trading_pair
        self._interval = interval
        self._clock = clock
        self._feed = candles_feed(connector_name, trading_pair, interval, CANDLE_RECORDS)
        self._hearing = Hearing(clock)
        self._waiting_since = clock.monotonic()
        self._patience = 0.0
        self._seen: bytes | None = None
        self._note_every_candle()

    def _note_every_candle(self) -> None:
        parse = self._feed._parse_websocket_message  # noqa: SLF001 - every message passes here

        def parse_and_note(message: Any) -> Any:
            candle = parse(message)
            if isinstance(candle, dict):
                # Confirmations and pings say nothing of the market.
                self._hearing.note()
                self._waiting_since = self._clock.monotonic()
                self._patience = STALL_LIMIT
            return candle

        self._feed._parse_websocket_message = parse_and_note  # noqa: SLF001

    @property
    def hearing(self) -> Hearing:
        """See `Feed`."""
        return self._hearing

    def change(self) -> dict[str, Any] | None:
        """See `Feed`."""
        rows = self._rows(2)
        shown = orjson.dumps([rows, self._feed.ready])
        if not rows or shown == self._seen:
            return None
        self._seen = shown
        return self._show(rows)

    def snapshot(self) -> dict[str, Any] | None:
        """See `Feed`."""
        rows = self._rows(CANDLE_RECORDS)
        return self._show(rows) if rows else None

    def _rows(self, count: int) -> list[dict[str, float]]:
        candles = self._feed._candles  # noqa: SLF001 - the public way builds a data frame
        start = max(0, len(candles) - count)
        names = self._feed.columns
        return [dict(zip(names, map(float, row), strict=True)) for row in islice(candles, start, None)]

    def _show(self, rows: list[dict[str, float]]) -> dict[str, Any]:
        return {
            "trading_pair": self._pair,
            "interval": self._interval,
            "candles": rows,
            "complete": bool(self._feed.ready),
            "timestamp": self.heard_at,
        }

    async def mend(self) -> None:
        """Start the feed, and start it over when it has gone silent, more and more patiently."""
        if self._clock.monotonic() - self._waiting_since < self._patience:
            return
        self._waiting_since = self._clock.monotonic()
        self._patience = min(max(self._patience * 2, STALL_LIMIT), STALL_LIMIT_MAX)
        try:
            await self._feed.start_network()
        except REQUEST_ERRORS:
            # Tried again after the patience; the silence is reported meanwhile.
            return

    async def close(self) -> None:
        """Stop."""
        await self._feed.stop_network()
