"""How numbers and market data are written on the wire, where both markets agree."""

from decimal import Decimal
from typing import Any

from aviary.sandbox.candles import Candle, Candles
from aviary.sandbox.instruments import Instrument
from aviary.sandbox.orders import Side, Trade
from aviary.sandbox.store import StoredFill

type Json = dict[str, Any]


def eight(value: Decimal) -> str:
    """A number with eight decimals."""
    return f"{value:.8f}"


def plain(value: Decimal) -> str:
    """A number without exponent."""
    return f"{value:f}"


def levels(instrument: Instrument, rows: list[tuple[int, int]]) -> list[list[str]]:
    """Book levels as pairs of price and amount."""
    return [[plain(instrument.price(price)), plain(instrument.amount(lots))] for price, lots in rows]


def kline_row(instrument: Instrument, candles: Candles, candle: Candle) -> list[Any]:
    """A kline as the REST API gives it."""
    return [
        candle.start * 1000,
        plain(instrument.price(candle.open)),
        plain(instrument.price(candle.high)),
        plain(instrument.price(candle.low)),
        plain(instrument.price(candle.close)),
        plain(instrument.amount(candle.volume)),
        candle.end * 1000 - 1,
        eight(candles.quote_volume(candle, candle.volume)),
        candle.trades,
        plain(instrument.amount(candle.buys)),
        eight(candles.quote_volume(candle, candle.buys)),
        "0",
    ]


def kline_event(
    instrument: Instrument, candles: Candles, candle: Candle, interval: str, now: int, *, closed: bool
) -> Json:
    """A kline as the streams push it; `now` in Unix milliseconds."""
    return {
        "e": "kline",
        "E": now,
        "s": instrument.symbol,
        "k": {
            "t": candle.start * 1000,
            "T": candle.end * 1000 - 1,
            "s": instrument.symbol,
            "i": interval,
            "f": -1,
            "L": -1,
            "o": plain(instrument.price(candle.open)),
            "c": plain(instrument.price(candle.close)),
            "h": plain(instrument.price(candle.high)),
            "l": plain(instrument.price(candle.low)),
            "v": plain(instrument.amount(candle.volume)),
            "n": candle.trades,
            "x": closed,
            "q": eight(candles.quote_volume(candle, candle.volume)),
            "V": plain(instrument.amount(candle.buys)),
            "Q": eight(candles.quote_volume(candle, candle.buys)),
            "B": "0",
        },
    }


def day_ticker(
    instrument: Instrument, candles: Candles, day: Candle, last: int, best: tuple[int, int, int, int], now: int
) -> Json:
    """Statistics of the last 24 hours; `best` is bid, its lots, ask, its lots."""
    bid, bid_lots, ask, ask_lots = best
    change = instrument.price(last - day.open)
    return {
        "symbol": instrument.symbol,
        "priceChange": plain(change),
        "priceChangePercent": f"{change / instrument.price(day.open) * 100:.3f}",
        "weightedAvgPrice": plain(instrument.price((day.high + day.low + day.close + day.open) // 4)),
        "prevClosePrice": plain(instrument.price(day.open)),
        "lastPrice": plain(instrument.price(last)),
        "lastQty": plain(instrument.amount(1)),
        "bidPrice": plain(instrument.price(bid)),
        "bidQty": plain(instrument.amount(bid_lots)),
        "askPrice": plain(instrument.price(ask)),
        "askQty": plain(instrument.amount(ask_lots)),
        "openPrice": plain(instrument.price(day.open)),
        "highPrice": plain(instrument.price(max(day.high, last))),
        "lowPrice": plain(instrument.price(min(day.low, last))),
        "volume": plain(instrument.amount(day.volume)),
        "quoteVolume": eight(candles.quote_volume(day, day.volume)),
        "openTime": day.start * 1000,
        "closeTime": now,
        "firstId": -1,
        "lastId": -1,
        "count": day.trades,
    }


def public_trade(trade: Trade) -> Json:
    """A trade as the REST API lists it."""
    instrument = trade.instrument
    return {
        "id": trade.id,
        "price": plain(instrument.price(trade.price)),
        "qty": plain(instrument.amount(trade.quantity)),
        "quoteQty": eight(instrument.notional(trade.price * trade.quantity)),
        "time": trade.at,
        "isBuyerMaker": trade.buyer_is_maker,
        "isBestMatch": True,
    }


def aggregate_trade(trade: Trade) -> Json:
    """A trade as an aggregate of one."""
    instrument = trade.instrument
    return {
        "a": trade.id,
        "p": plain(instrument.price(trade.price)),
        "q": plain(instrument.amount(trade.quantity)),
        "f": trade.id,
        "l": trade.id,
        "T": trade.at,
        "m": trade.buyer_is_maker,
    }


def my_trade(instrument: Instrument, fill: StoredFill) -> Json:
    """What both markets tell of a key's own fill."""
    return {
        "symbol": fill.symbol,
        "id": fill.trade,
        "orderId": fill.order_id,
        "price": plain(instrument.price(fill.price)),
        "qty": plain(instrument.amount(fill.quantity)),
        "quoteQty": eight(instrument.notional(fill.price * fill.quantity)),
        "commission": eight(fill.fee),
        "commissionAsset": fill.fee_asset,
        "time": fill.at,
        "isMaker": fill.is_maker,
        "buyer": fill.side is Side.BUY,
        "maker": fill.is_maker,
    }
