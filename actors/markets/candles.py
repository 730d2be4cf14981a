"""Long histories of candles: cut into pages, and put together again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from aviary.actors.core.refusal import Invalid
from aviary.actors.messages.market_data import Candle

PAGE = 5_000
"""Candles that are asked of the engine host at once."""

MAX_CANDLES = 50_000
"""Candles of one history: five weeks of minutes, ten megabytes of JSON."""

LENGTHS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "M": 2_678_400}
"""Seconds of each unit; of a month at most."""


def length_of(interval: str) -> int:
    """Seconds of a candle. Raises `Invalid`."""
    length = int(interval[:-1]) * LENGTHS[interval[-1]]
    if length == 0:
        raise Invalid(f"'{interval}' is not an interval", "interval")
    return length


def pages(start: int, end: int, length: int) -> Iterator[tuple[int, int]]:
    """Cut the time from `start` to `end` into stretches of at most a page of candles. Raises `Invalid`."""
    if end < start:
        raise Invalid("end_time is before start_time", "end_time")
    if (end - start) / length > MAX_CANDLES:
        raise Invalid(f"more than {MAX_CANDLES} candles: ask for a shorter time", "start_time")
    while start <= end:
        last = min(start + (PAGE - 1) * length, end)
        yield start, last
        start = last + length


def candle_of(row: Sequence[float]) -> Candle:
    """A candle from a row of the engine host, whose columns have the same order."""
    stamp, first, high, low, last, volume, quote, trades, taker_base, taker_quote = row
    return Candle(
        timestamp=stamp,
        open=first,
        high=high,
        low=low,
        close=last,
        volume=volume,
        quote_asset_volume=quote,
        n_trades=trades,
        taker_buy_base_volume=taker_base,
        taker_buy_quote_volume=taker_quote,
    )


def joined(candles: Iterable[Candle]) -> list[Candle]:
    """Candles in order of time, of those for the same time the last one."""
    by_time = {candle["timestamp"]: candle for candle in candles}
    return [by_time[at] for at in sorted(by_time)]
