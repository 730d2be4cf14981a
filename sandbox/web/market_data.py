"""Questions about the market that both markets answer alike."""

import asyncio
from typing import Any

from aviary.sandbox.candles import INTERVALS, Candle, bars_in
from aviary.sandbox.instruments import Instrument
from aviary.sandbox.refusals import Refused, illegal
from aviary.sandbox.web import wire
from aviary.sandbox.web.context import Call
from aviary.sandbox.web.wire import Json

LAST_TRADE_COUNTS = 10_000
"""Milliseconds for which the last trade is taken for the last price."""

_BARS_AT_ONCE = 100
"""Bars of the reference path computed before other requests get their turn; the slowest take ten milliseconds."""


def ping(call: Call) -> Json:
    """Whether the exchange answers."""
    del call
    return {}


def server_time(call: Call) -> Json:
    """The exchange's time in Unix milliseconds."""
    return {"serverTime": int(call.exchange.clock.now() * 1000)}


def instrument_of(call: Call) -> Instrument:
    """The instrument that a request names; its book is brought up to date."""
    instrument = call.exchange.venues[call.market].instrument(call.parameters.text("symbol").upper())
    call.exchange.wake(call.market, instrument.symbol)
    return instrument


def depth(call: Call) -> Json:
    """A snapshot of a book."""
    instrument = instrument_of(call)
    limit = min(call.parameters.integer("limit", 100), 5_000)
    book = call.exchange.venues[call.market].books[instrument.symbol]
    return {
        "lastUpdateId": book.version,
        "bids": wire.levels(instrument, book.bids.levels(limit)),
        "asks": wire.levels(instrument, book.asks.levels(limit)),
    }


def trades(call: Call) -> list[Json]:
    """Recent public trades, oldest first."""
    instrument = instrument_of(call)
    limit = min(call.parameters.integer("limit", 500), 1_000)
    return [wire.public_trade(each) for each in list(call.recent[call.market, instrument.symbol])[-limit:]]


def aggregate_trades(call: Call) -> list[Json]:
    """Recent public trades in the aggregate form, oldest first."""
    instrument = instrument_of(call)
    limit = min(call.parameters.integer("limit", 500), 1_000)
    return [wire.aggregate_trade(each) for each in list(call.recent[call.market, instrument.symbol])[-limit:]]


async def klines(call: Call) -> list[list[Any]]:
    """Candles of any past range."""
    parameters = call.parameters
    instrument = call.exchange.venues[call.market].instrument(parameters.text("symbol").upper())
    interval = parameters.text("interval")
    if interval not in INTERVALS:
        raise Refused(-1120, "Invalid interval.")
    limit = parameters.integer("limit", 500)
    if limit == 0:
        raise illegal("limit", "1 to 1500")
    limit = min(limit, 1_500)
    now = call.exchange.clock.now()
    first = parameters.optional_integer("startTime")
    last = parameters.integer("endTime", int(now * 1000)) / 1000
    candles = call.exchange.candles[call.market][instrument.symbol]
    portion = max(1, _BARS_AT_ONCE // bars_in(interval))
    found: list[Candle] = []
    while len(found) < limit:
        count = min(portion, limit - len(found))
        if first is None:
            part = candles.latest(interval, found[0].start - 1 if found else last, now, count)
            found = part + found
        else:
            part = candles.range(interval, found[-1].end if found else first / 1000, last, now, count)
            found = found + part
        if len(part) < count:
            break
        await asyncio.sleep(0)
    return [wire.kline_row(instrument, candles, each) for each in found]


def best_levels(call: Call, symbol: str) -> tuple[int, int, int, int]:
    """Best bid, its lots, best ask, its lots; zeros where a side is empty."""
    call.exchange.wake(call.market, symbol)
    book = call.exchange.venues[call.market].books[symbol]
    bid, bid_lots = next(iter(book.bids.levels(1)), (0, 0))
    ask, ask_lots = next(iter(book.asks.levels(1)), (0, 0))
    return bid, bid_lots, ask, ask_lots


def last_price(call: Call, instrument: Instrument) -> int:
    """The last trade's price, or the reference price if there was none lately, in ticks."""
    recent = call.recent[call.market, instrument.symbol]
    now = call.exchange.clock.now()
    if recent and now * 1000 - recent[-1].at < LAST_TRADE_COUNTS:
        return recent[-1].price
    shock = call.exchange.faults.shock(call.market, instrument.symbol)
    return instrument.nearest_ticks(call.exchange.reference(call.market, instrument.symbol, now) * shock)


def _asked(call: Call) -> tuple[list[Instrument], bool]:
    """The instruments asked about, and whether it was a single one."""
    if "symbol" in call.parameters:
        return [instrument_of(call)], True
    return list(call.exchange.venues[call.market].instruments.values()), False


def ticker_price(call: Call) -> Json | list[Json]:
    """Last price of one symbol or of all."""
    instruments, single = _asked(call)
    now = int(call.exchange.clock.now() * 1000)
    rows = [
        {"symbol": each.symbol, "price": wire.plain(each.price(last_price(call, each))), "time": now}
        for each in instruments
    ]
    return rows[0] if single else rows


def ticker_book(call: Call) -> Json | list[Json]:
    """Best bid and ask of one symbol or of all."""
    instruments, single = _asked(call)
    rows = []
    for each in instruments:
        bid, bid_lots, ask, ask_lots = best_levels(call, each.symbol)
        rows.append(
            {
                "symbol": each.symbol,
                "bidPrice": wire.plain(each.price(bid)),
                "bidQty": wire.plain(each.amount(bid_lots)),
                "askPrice": wire.plain(each.price(ask)),
                "askQty": wire.plain(each.amount(ask_lots)),
                "time": int(call.exchange.clock.now() * 1000),
            }
        )
    return rows[0] if single else rows


def ticker_day(call: Call) -> Json | list[Json]:
    """Statistics of the last 24 hours of one symbol or of all."""
    instruments, single = _asked(call)
    now = call.exchange.clock.now()
    rows = []
    for each in instruments:
        candles = call.exchange.candles[call.market][each.symbol]
        best = best_levels(call, each.symbol)
        rows.append(
            wire.day_ticker(each, candles, candles.last_day(now), last_price(call, each), best, int(now * 1000))
        )
    return rows[0] if single else rows
