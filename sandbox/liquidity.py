"""The market's own liquidity: a ladder of quotes around the reference price, and takers.

Nobody owns these orders. They follow the reference price several times a second; where it trades through a resting
order of a key, a synthetic taker fills that order, sometimes in parts.
"""

import math
from random import Random

from aviary.sandbox.instruments import Instrument
from aviary.sandbox.orders import HOUSE, Order, Side
from aviary.sandbox.reference import Path, excursion
from aviary.sandbox.venue import Venue

GRID = 0.0001
"""Distance between the levels of the ladder, as a fraction of the instrument's anchor price."""

NEAR_LEVELS = 20
"""Levels of the ladder next to each other on each side."""

FAR_LEVELS = 8
"""Further levels, `FAR_SPACING` grid steps apart, so that the book does not end suddenly."""

FAR_SPACING = 25

TAKERS_PER_SECOND = 1.5
"""Average number of synthetic takers of an instrument."""

PARTIAL_CHANCE = 0.25
"""How often a resting order that the reference price reaches is filled only in part at first."""

FRESH = 0.5
"""Seconds for which a book counts as up to date."""

RESIZE_CHANCE = 0.01
"""How often a quote is replaced by one of another size, at each step."""

LONGEST_STEP = 60.0
"""Seconds of the path that one step looks back at most, after the process was suspended."""


class Liquidity:
    """Synthetic quotes and takers of one instrument."""

    def __init__(self, venue: Venue, instrument: Instrument, path: Path, random: Random) -> None:
        self._venue = venue
        self._instrument = instrument
        self._path = path
        self._random = random
        self._book = venue.books[instrument.symbol]
        self._grid = max(1, round(instrument.nearest_ticks(instrument.anchor) * GRID))
        self._quotes: dict[Side, dict[int, Order]] = {Side.BUY: {}, Side.SELL: {}}
        self._stepped: float | None = None

    def step(self, now: float, shock: float) -> None:
        """Bring the book to a time. `shock` multiplies the reference price."""
        start = now if self._stepped is None else max(self._stepped, now - LONGEST_STEP)
        moved = excursion(self._path, start, max(now, start))
        low, high, price = (self._ticks(each, shock) for each in (moved.low, moved.high, moved.last))
        elapsed = now - start
        self._stepped = now
        self._sweep(Side.BUY, low)
        self._sweep(Side.SELL, high)
        self._requote(price)
        if self._random.random() < TAKERS_PER_SECOND * elapsed:
            self._take()

    def fresh(self, now: float) -> bool:
        """Whether the book was brought up to date within the last half second."""
        return self._stepped is not None and now - self._stepped < FRESH

    def pause(self) -> None:
        """Take all synthetic quotes away; nobody looks at this book."""
        for side in self._quotes.values():
            for order in side.values():
                if order.remaining:
                    self._book.withdraw(order)
            side.clear()
        self._stepped = None

    def _ticks(self, level: float, shock: float) -> int:
        return self._instrument.nearest_ticks(self._instrument.anchor * math.exp(level) * shock)

    def _sweep(self, side: Side, reached: int) -> None:
        """Fill resting orders of keys that the reference price reached."""
        wanted = 0
        for order in self._book.side(side).orders():
            if (order.price - reached) * side.sign < 0:
                break
            if order.owner != HOUSE:
                wanted += order.remaining
        if not wanted:
            return
        for price, quote in list(self._quotes[side].items()):
            if (price - reached) * side.sign >= 0:
                self._withdraw(side, price, quote)
        if self._random.random() < PARTIAL_CHANCE:
            wanted = max(1, int(wanted * self._random.uniform(0.1, 0.9)))
        self._venue.house_take(self._instrument.symbol, side.opposite, reached, wanted)

    def _requote(self, price: int) -> None:
        margin = 0.3 * self._grid
        best_bid = max(1, math.floor((price - margin) / self._grid)) * self._grid
        best_ask = (math.floor((price + margin) / self._grid) + 1) * self._grid
        wanted = {Side.BUY: self._levels(best_bid, -self._grid), Side.SELL: self._levels(best_ask, self._grid)}
        for side, quotes in self._quotes.items():
            for level, quote in list(quotes.items()):
                if level not in wanted[side] or quote.remaining == 0 or self._random.random() < RESIZE_CHANCE:
                    self._withdraw(side, level, quote)
        for side, quotes in self._quotes.items():
            barrier = self._book.side(side.opposite).best
            for distance, level in enumerate(wanted[side]):
                if level in quotes or (barrier is not None and (barrier - level) * side.sign <= 0):
                    continue
                quotes[level] = self._venue.house_rest(
                    self._instrument.symbol, side, level, self._size(distance, level)
                )

    def _levels(self, best: int, step: int) -> list[int]:
        """Prices of one side of the ladder, best first."""
        near = [best + step * i for i in range(NEAR_LEVELS)]
        # Far levels sit on a coarser grid of their own, so that most of them stay where they are when the price moves.
        coarse = step * FAR_SPACING
        start = near[-1] // abs(coarse) * abs(coarse)
        far = [start + coarse * (i + 1) for i in range(FAR_LEVELS)]
        return [each for each in near + far if each > 0]

    def _size(self, distance: int, level: int) -> int:
        value = self._instrument.level_value * (1 + 0.4 * distance) * self._random.uniform(0.4, 1.6)
        return max(1, int(value / float(self._instrument.notional(level))))

    def _withdraw(self, side: Side, price: int, quote: Order) -> None:
        del self._quotes[side][price]
        if quote.remaining:
            self._book.withdraw(quote)

    def _take(self) -> None:
        side = self._random.choice((Side.BUY, Side.SELL))
        best = self._book.side(side.opposite).best
        if best is None:
            return
        value = self._instrument.level_value * self._random.expovariate(10)
        lots = max(1, int(value / float(self._instrument.notional(best))))
        self._venue.house_take(self._instrument.symbol, side, best, lots)
