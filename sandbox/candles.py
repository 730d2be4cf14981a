"""Klines of every interval, for any past range, made of the reference path's nested bars."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from aviary.sandbox.instruments import Instrument
from aviary.sandbox.reference import DAY, DAY_VOLUME, HOUR, MINUTE, SECOND, Bar, Path, excursion

INTERVALS: dict[str, int] = {
    "1s": SECOND,
    "1m": MINUTE,
    "3m": 3 * MINUTE,
    "5m": 5 * MINUTE,
    "15m": 15 * MINUTE,
    "30m": 30 * MINUTE,
    "1h": HOUR,
    "2h": 2 * HOUR,
    "4h": 4 * HOUR,
    "6h": 6 * HOUR,
    "8h": 8 * HOUR,
    "12h": 12 * HOUR,
    "1d": DAY,
    "3d": 3 * DAY,
    "1w": 7 * DAY,
    "1M": 0,
}
"""Seconds of each interval; months are as long as the calendar says."""

LISTED = 1_262_304_000
"""When all instruments began to trade, in Unix seconds: 1 January 2010. No candle is older."""

_MONDAY = 4 * DAY
"""The first Monday after the epoch: weeks open on Mondays."""

_DAILY_TURNOVER = 500_000
"""Average volume of a day, in values of one level of synthetic liquidity times ten."""


@dataclass(frozen=True, slots=True)
class Candle:
    """A kline. Times are Unix seconds, `end` is where the next one opens; prices in ticks, volumes in lots."""

    start: int
    end: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    buys: int
    trades: int


def candle_start(interval: str, at: float) -> int:
    """When the candle that contains a time began, in Unix seconds."""
    second = math.floor(at)
    if interval == "1M":
        moment = datetime.fromtimestamp(second, UTC)
        return int(datetime(moment.year, moment.month, 1, tzinfo=UTC).timestamp())
    length = INTERVALS[interval]
    origin = _MONDAY if interval == "1w" else 0
    return second - (second - origin) % length


def candle_end(interval: str, start: int) -> int:
    """When the candle that began at `start` ends, in Unix seconds."""
    if interval == "1M":
        return candle_start("1M", start + 32 * DAY)
    return start + INTERVALS[interval]


def bars_in(interval: str) -> int:
    """How many bars of the reference path make one candle, about."""
    length = INTERVALS[interval] or 31 * DAY
    return length // max(each for each in (SECOND, MINUTE, HOUR, DAY) if each <= length)


class Candles:
    """The klines of one instrument."""

    def __init__(self, instrument: Instrument, path: Path) -> None:
        self._instrument = instrument
        self._path = path
        lot_value = float(instrument.step) * instrument.anchor
        self._lots_per_volume = instrument.level_value * _DAILY_TURNOVER / 10 / lot_value / DAY_VOLUME

    def at(self, interval: str, start: int, now: float) -> Candle:
        """The candle that began at `start`, as far as it has come by `now`."""
        end = candle_end(interval, start)
        if now >= end:
            return self._merge(start, end, list(self._bars(start, end)))
        second = math.floor(now)
        bars = list(self._bars(start, second))
        opening = self._path.bar(SECOND, second).open
        moved = excursion(self._path, second, now)
        bars.append(Bar(opening, moved.high, moved.low, moved.last, 0, 0, 0))
        return self._merge(start, end, bars)

    def range(self, interval: str, first: float, last: float, now: float, limit: int) -> list[Candle]:
        """The candles that begin between two times; the oldest `limit` of them."""
        start = candle_start(interval, max(first, LISTED))
        if start < first:
            start = candle_end(interval, start)
        found: list[Candle] = []
        while start <= min(last, now) and len(found) < limit:
            found.append(self.at(interval, start, now))
            start = candle_end(interval, start)
        return found

    def latest(self, interval: str, last: float, now: float, limit: int) -> list[Candle]:
        """The newest `limit` candles that begin no later than `last`."""
        start = candle_start(interval, min(last, now))
        found: list[Candle] = []
        while len(found) < limit and start >= LISTED:
            found.append(self.at(interval, start, now))
            start = candle_start(interval, start - 1)
        found.reverse()
        return found

    def last_day(self, now: float) -> Candle:
        """The 24 hours that end now, as one candle; it opens on a whole minute."""
        end = math.floor(now)
        start = (end - DAY) // MINUTE * MINUTE
        return self._merge(start, end, list(self._bars(start, end)))

    def quote_volume(self, candle: Candle, lots: int) -> Decimal:
        """What a number of lots cost at the candle's mean price, in quote."""
        mean = (candle.open + candle.high + candle.low + candle.close) // 4
        return self._instrument.notional(mean * lots)

    def _bars(self, start: int, end: int) -> Iterator[Bar]:
        """The largest nested bars that cover a stretch exactly."""
        while start < end:
            length = next(
                each for each in (DAY, HOUR, MINUTE, SECOND) if start % each == 0 and start + each <= end
            )
            yield self._path.bar(length, start // length)
            start += length

    def _merge(self, start: int, end: int, bars: list[Bar]) -> Candle:
        scale = self._lots_per_volume
        return Candle(
            start=start,
            end=end,
            open=self._ticks(bars[0].open),
            high=self._ticks(max(each.high for each in bars)),
            low=self._ticks(min(each.low for each in bars)),
            close=self._ticks(bars[-1].close),
            volume=int(sum(each.volume for each in bars) * scale),
            buys=int(sum(each.buys for each in bars) * scale),
            trades=sum(each.trades for each in bars),
        )

    def _ticks(self, level: float) -> int:
        return self._instrument.nearest_ticks(self._instrument.anchor * math.exp(level))
