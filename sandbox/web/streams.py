"""Public streams: who listens to what, and what is pushed when.

Each message is serialised once for all its listeners. A stream exists only while somebody listens to it.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import orjson
from aviary.sandbox.candles import INTERVALS, candle_start
from aviary.sandbox.events import Event, Traded
from aviary.sandbox.exchange import Exchange
from aviary.sandbox.instruments import Instrument, Market
from aviary.sandbox.orders import Side
from aviary.sandbox.web import perpetual_wire, spot_wire, wire
from aviary.sandbox.web.connections import Connection

_DEPTH_PERIODS = {
    Market.SPOT: {"depth": 1.0, "depth@100ms": 0.1, "depth@1000ms": 1.0},
    Market.PERPETUAL: {"depth": 0.25, "depth@100ms": 0.1, "depth@250ms": 0.25, "depth@500ms": 0.5},
}
"""Seconds between differences, by stream."""

_MARK_PERIODS = {"markPrice": 3.0, "markPrice@1s": 1.0}

_KLINE_PERIOD = 1.0

_TICKER_PERIOD = 1.0


@dataclass(slots=True)
class _Stream:
    """A stream with listeners: its name, what it carries, and what it remembers of its last push."""

    name: str
    instrument: Instrument
    channel: str
    raw: set[Connection] = field(default_factory=set)
    combined: set[Connection] = field(default_factory=set)
    due: float = 0.0
    changed: set[tuple[Side, int]] = field(default_factory=set)
    version: int = 0
    seen: Any = None


class Streams:
    """The public streams of one market."""

    def __init__(self, market: Market, exchange: Exchange) -> None:
        self._market = market
        self._exchange = exchange
        self._venue = exchange.venues[market]
        self._streams: dict[str, _Stream] = {}
        self._by_connection: dict[Connection, set[str]] = defaultdict(set)
        exchange.listen(self._hear)

    def watched(self) -> set[tuple[Market, str]]:
        """Symbols to which somebody listens."""
        return {(self._market, each.instrument.symbol) for each in self._streams.values()}

    def subscribe(self, connection: Connection, name: str, *, combined: bool) -> bool:
        """Begin to push a stream; False if there is no such stream."""
        stream = self._streams.get(name)
        if stream is None:
            stream = self._opened(name)
            if stream is None:
                return False
            self._streams[name] = stream
        (stream.combined if combined else stream.raw).add(connection)
        self._by_connection[connection].add(name)
        return True

    def unsubscribe(self, connection: Connection, name: str) -> None:
        """Stop pushing a stream."""
        self._by_connection[connection].discard(name)
        stream = self._streams.get(name)
        if stream is None:
            return
        stream.raw.discard(connection)
        stream.combined.discard(connection)
        if not stream.raw and not stream.combined:
            del self._streams[name]
            self._venue.books[stream.instrument.symbol].unwatch(stream.changed)

    def subscriptions(self, connection: Connection) -> list[str]:
        """Names of the streams that a connection has."""
        return sorted(self._by_connection.get(connection, ()))

    def forget(self, connection: Connection) -> None:
        """A connection has ended."""
        for name in list(self._by_connection[connection]):
            self.unsubscribe(connection, name)
        del self._by_connection[connection]

    def step(self, now: float) -> None:
        """Push what is due."""
        for stream in list(self._streams.values()):
            if now < stream.due:
                continue
            channel = stream.channel
            if channel.startswith("depth"):
                stream.due = now + _DEPTH_PERIODS[self._market][channel] - 0.02
                self._push_depth(stream, now)
            elif channel.startswith("kline_"):
                stream.due = now + _KLINE_PERIOD
                self._push_kline(stream, channel.removeprefix("kline_"), now)
            elif channel == "bookTicker":
                self._push_best(stream, now)
            elif channel == "ticker":
                stream.due = now + _TICKER_PERIOD
                self._push_ticker(stream, now)
            elif channel in _MARK_PERIODS:
                stream.due = now + _MARK_PERIODS[channel]
                self._push(stream, perpetual_wire.mark_event(self._exchange, stream.instrument, now))

    def _opened(self, name: str) -> _Stream | None:
        symbol, _, channel = name.partition("@")
        instrument = self._venue.instruments.get(symbol.upper())
        if instrument is None or not self._has(channel):
            return None
        self._exchange.wake(self._market, instrument.symbol)
        stream = _Stream(name, instrument, channel)
        if channel.startswith("depth"):
            book = self._venue.books[instrument.symbol]
            stream.version = book.version
            book.watch(stream.changed)
        return stream

    def _has(self, channel: str) -> bool:
        if channel.startswith("kline_"):
            return channel.removeprefix("kline_") in INTERVALS
        if channel in _MARK_PERIODS:
            return self._market is Market.PERPETUAL
        return channel in ("trade", "aggTrade", "bookTicker", "ticker") or channel in _DEPTH_PERIODS[self._market]

    def _hear(self, event: Event) -> None:
        if not self._streams or not isinstance(event, Traded):
            return
        trade = event.trade
        if trade.instrument.market is not self._market:
            return
        now = int(self._exchange.clock.now() * 1000)
        symbol = trade.instrument.symbol.lower()
        stream = self._streams.get(f"{symbol}@trade")
        if stream is not None:
            self._push(stream, spot_wire.trade_event(trade, now))
        stream = self._streams.get(f"{symbol}@aggTrade")
        if stream is not None:
            message = {"e": "aggTrade", "E": now, "s": trade.instrument.symbol, **wire.aggregate_trade(trade)}
            self._push(stream, message)

    def _push(self, stream: _Stream, message: wire.Json) -> None:
        raw = orjson.dumps(message)
        for connection in list(stream.raw):
            connection.send(raw)
        if stream.combined:
            wrapped = b'{"stream":"' + stream.name.encode() + b'","data":' + raw + b"}"
            for connection in list(stream.combined):
                connection.send(wrapped)

    def _push_depth(self, stream: _Stream, now: float) -> None:
        if not stream.changed:
            return
        instrument = stream.instrument
        book = self._venue.books[instrument.symbol]
        rows: dict[Side, list[tuple[int, int]]] = {Side.BUY: [], Side.SELL: []}
        for side, price in stream.changed:
            rows[side].append((price, book.side(side).quantity(price)))
        stream.changed.clear()
        milliseconds = int(now * 1000)
        message: wire.Json = {
            "e": "depthUpdate",
            "E": milliseconds,
            "s": instrument.symbol,
            "U": stream.version + 1,
            "u": book.version,
            "b": wire.levels(instrument, sorted(rows[Side.BUY], reverse=True)),
            "a": wire.levels(instrument, sorted(rows[Side.SELL])),
        }
        if self._market is Market.PERPETUAL:
            message |= {"T": milliseconds, "pu": stream.version}
        stream.version = book.version
        self._push(stream, message)

    def _push_kline(self, stream: _Stream, interval: str, now: float) -> None:
        candles = self._exchange.candles[self._market][stream.instrument.symbol]
        start = candle_start(interval, now)
        milliseconds = int(now * 1000)
        ended = stream.seen
        while ended is not None and ended < start:
            candle = candles.at(interval, ended, now)
            message = wire.kline_event(stream.instrument, candles, candle, interval, milliseconds, closed=True)
            self._push(stream, message)
            ended = candle.end
        stream.seen = start
        candle = candles.at(interval, start, now)
        self._push(
            stream, wire.kline_event(stream.instrument, candles, candle, interval, milliseconds, closed=False)
        )

    def _push_best(self, stream: _Stream, now: float) -> None:
        instrument = stream.instrument
        book = self._venue.books[instrument.symbol]
        bid, ask = book.bids.levels(1), book.asks.levels(1)
        if (bid, ask) == stream.seen or not bid or not ask:
            return
        stream.seen = (bid, ask)
        (bid_price, bid_lots), (ask_price, ask_lots) = bid[0], ask[0]
        message: wire.Json = {
            "u": book.version,
            "s": instrument.symbol,
            "b": wire.plain(instrument.price(bid_price)),
            "B": wire.plain(instrument.amount(bid_lots)),
            "a": wire.plain(instrument.price(ask_price)),
            "A": wire.plain(instrument.amount(ask_lots)),
        }
        if self._market is Market.PERPETUAL:
            message |= {"e": "bookTicker", "E": int(now * 1000), "T": int(now * 1000)}
        self._push(stream, message)

    def _push_ticker(self, stream: _Stream, now: float) -> None:
        instrument = stream.instrument
        candles = self._exchange.candles[self._market][instrument.symbol]
        book = self._venue.books[instrument.symbol]
        bid, ask = book.bids.levels(1), book.asks.levels(1)
        if not bid or not ask:
            return
        middle = (bid[0][0] + ask[0][0]) // 2
        day = wire.day_ticker(
            instrument, candles, candles.last_day(now), middle, (*bid[0], *ask[0]), int(now * 1000)
        )
        self._push(
            stream,
            {
                "e": "24hrTicker",
                "E": int(now * 1000),
                "s": instrument.symbol,
                "p": day["priceChange"],
                "P": day["priceChangePercent"],
                "w": day["weightedAvgPrice"],
                "x": day["prevClosePrice"],
                "c": day["lastPrice"],
                "Q": day["lastQty"],
                "b": day["bidPrice"],
                "B": day["bidQty"],
                "a": day["askPrice"],
                "A": day["askQty"],
                "o": day["openPrice"],
                "h": day["highPrice"],
                "l": day["lowPrice"],
                "v": day["volume"],
                "q": day["quoteVolume"],
                "O": day["openTime"],
                "C": day["closeTime"],
                "F": -1,
                "L": -1,
                "n": day["count"],
            },
        )
