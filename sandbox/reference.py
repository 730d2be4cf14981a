"""The reference price: a pure function of seed, symbol and time.

A price path is described by nested bars. A day's bar is drawn from the seed; a bar's children (24 hours
of a day, 60 minutes of an hour, 60 seconds of a minute) are drawn so that they fit into it exactly: the first
opens where it opens, each opens where its neighbour closed, their extremes are its extremes and their volumes add
up to its volume. So a bar of any length, at any time, is found by descending a few levels, and
comes out the same in every process, with nothing stored.

Levels are logarithms of the price relative to the instrument's anchor.
"""

import math
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise
from random import Random
from typing import Protocol

from aviary.config.chance import chance

DAY = 86_400
HOUR = 3_600
MINUTE = 60
SECOND = 1

_CHILD = {DAY: HOUR, HOUR: MINUTE, MINUTE: SECOND}
_PARENT = {HOUR: DAY, MINUTE: HOUR, SECOND: MINUTE}

_STEP_DEVIATION = {DAY: 0.006, HOUR: 0.001, MINUTE: 0.0005}
"""Standard deviation of one child's move within a bar of the given length. Seconds move more than a
random walk of the hours would have them do: quotes a tenth of a per cent away are reached within tens of seconds."""

_REACH = {DAY: 0.015, HOUR: 0.004, MINUTE: 0.0022, SECOND: 0.0002}
"""How far a bar of the given length reaches beyond its open and close, at most."""

_OCTAVES = ((3, 0.03), (9, 0.05), (31, 0.09), (97, 0.14), (367, 0.22))
"""Period in days and amplitude of the value noise that the days follow."""

_CACHED_BARS = 192
"""Divided bars kept in memory for each path; one takes about ten kilobytes."""


_CACHED_DAYS = 4096
"""Bars of whole days kept in memory for each path."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of the path: four levels, the volume in thousandths of a day's average, and trades."""

    open: float
    high: float
    low: float
    close: float
    volume: int
    buys: int
    trades: int


class Path(Protocol):
    """Anything that has a bar for every whole day, hour, minute and second since the epoch."""

    def bar(self, length: int, index: int) -> Bar:
        """The bar of `length` seconds that starts at `index * length`."""
        ...

    def boundaries(self, length: int, index: int) -> list[float]:
        """The levels at which the children of that bar open, and the one at which the last closes."""
        ...


class _NestedPath(ABC):
    """What all paths share: dividing a bar into children that fit into it."""

    def __init__(self, seed: int, name: str, volatility: float = 1.0) -> None:
        self._seed = seed
        self._name = name
        self._volatility = volatility
        self._days: dict[int, Bar] = {}
        self._places: dict[tuple[int, int], float] = {}
        self._divided: OrderedDict[tuple[int, int], list[Bar]] = OrderedDict()

    def bar(self, length: int, index: int) -> Bar:
        if length == DAY:
            known = self._days.get(index)
            if known is None:
                if len(self._days) >= _CACHED_DAYS:
                    self._days.clear()
                known = self._days[index] = self._day(index)
            return known
        parent = _PARENT[length]
        count = parent // length
        return self._children(parent, index // count)[index % count]

    def boundaries(self, length: int, index: int) -> list[float]:
        children = self._children(length, index)
        return [each.open for each in children] + [children[-1].close]

    def _children(self, length: int, index: int) -> list[Bar]:
        key = (length, index)
        known = self._divided.get(key)
        if known is None:
            known = self._divided[key] = self._divide(length, index)
            if len(self._divided) > _CACHED_BARS:
                self._divided.popitem(last=False)
        else:
            self._divided.move_to_end(key)
        return known

    def _divide(self, length: int, index: int) -> list[Bar]:
        parent = self.bar(length, index)
        child = _CHILD[length]
        count = length // child
        random = self._random(length, index)
        inner = [_folded(each, parent.low, parent.high) for each in self._inner(length, index, parent, random)]
        levels = [parent.open, *inner, parent.close]
        edges = [self._edges(child, index * count + i, levels[i], levels[i + 1], random) for i in range(count)]
        lows = [max(parent.low, low) for low, _ in edges]
        highs = [min(parent.high, high) for _, high in edges]
        lows[min(range(count), key=lows.__getitem__)] = parent.low
        highs[max(range(count), key=highs.__getitem__)] = parent.high
        weights = [0.2 + random.random() + 60 * abs(levels[i + 1] - levels[i]) for i in range(count)]
        volumes = _shared_out(parent.volume, weights)
        buys = _shared_out(parent.buys, weights)
        trades = _shared_out(parent.trades, weights)
        return [
            Bar(levels[i], highs[i], lows[i], levels[i + 1], volumes[i], min(buys[i], volumes[i]), trades[i])
            for i in range(count)
        ]

    def _edges(self, length: int, index: int, first: float, last: float, random: Random) -> tuple[float, float]:  # noqa: ARG002
        """Lowest and highest level of a bar, before its parent's bounds."""
        reach = _REACH[length] * self._volatility
        low = min(first, last) - reach * (0.3 + 0.7 * random.random())
        return low, max(first, last) + reach * (0.3 + 0.7 * random.random())

    def _random(self, length: int, index: int) -> Random:
        text = f"{self._seed}/{self._name}/{length}/{index}".encode()
        return chance(int.from_bytes(blake2b(text, digest_size=8).digest()))

    def _lattice(self, period: int, cell: int) -> float:
        """A random number between -1 and 1 that belongs to a place."""
        known = self._places.get((period, cell))
        if known is None:
            if len(self._places) >= _CACHED_DAYS:
                self._places.clear()
            known = self._places[period, cell] = self._random(-period, cell).random() * 2 - 1
        return known

    def _day(self, index: int) -> Bar:
        random = self._random(DAY, index)
        first, last = self._midnight(index), self._midnight(index + 1)
        low, high = self._edges(DAY, index, first, last, random)
        volume = int(DAY_VOLUME * (0.5 + random.random()))
        buys = int(volume * (0.4 + 0.2 * random.random()))
        return Bar(first, high, low, last, volume, buys, int(DAY_TRADES * (0.5 + random.random())))

    @abstractmethod
    def _midnight(self, day: int) -> float:
        """The level at which a day opens."""

    @abstractmethod
    def _inner(self, length: int, index: int, parent: Bar, random: Random) -> list[float]:
        """The levels at which the children of a bar meet."""


DAY_VOLUME = 10_000_000_000
"""Average volume of a day, in the path's own unit; an instrument scales it to its lots."""

DAY_TRADES = 1_500_000
"""Average number of trades in a day."""


class WalkPath(_NestedPath):
    """An independent path: value noise over the days, a bridge with random steps inside each bar."""

    def _midnight(self, day: int) -> float:
        total = 0.0
        for period, amplitude in _OCTAVES:
            cell, offset = divmod(day, period)
            fraction = offset / period
            smooth = fraction * fraction * (3 - 2 * fraction)
            before, after = self._lattice(period, cell), self._lattice(period, cell + 1)
            total += amplitude * (before + (after - before) * smooth)
        return total

    def _inner(self, length: int, index: int, parent: Bar, random: Random) -> list[float]:  # noqa: ARG002
        count = length // _CHILD[length]
        deviation = _STEP_DEVIATION[length] * self._volatility
        walk = [0.0]
        for _ in range(count):
            # The sum of three uniform numbers has the shape of a bell and, unlike a logarithm, the same value everywhere.
            step = 2 * (random.random() + random.random() + random.random() - 1.5)
            walk.append(walk[-1] + deviation * step)
        lowest = min(range(1, count), key=walk.__getitem__)
        highest = max((i for i in range(1, count) if i != lowest), key=walk.__getitem__)
        margin = 0.3 * deviation * random.random()
        pins = sorted(
            [
                (0, parent.open - walk[0]),
                (lowest, parent.low + margin - walk[lowest]),
                (highest, parent.high - margin - walk[highest]),
                (count, parent.close - walk[count]),
            ]
        )
        return [walk[i] + _between(pins, i) for i in range(1, count)]


class RatioPath(_NestedPath):
    """The path of a cross pair: one path divided by another, so that triangles do not open."""

    def __init__(self, seed: int, name: str, numerator: Path, denominator: Path, volatility: float = 1.0) -> None:
        super().__init__(seed, name, volatility)
        self._numerator = numerator
        self._denominator = denominator

    def _midnight(self, day: int) -> float:
        return self._numerator.bar(DAY, day).open - self._denominator.bar(DAY, day).open

    def _inner(self, length: int, index: int, parent: Bar, random: Random) -> list[float]:
        del random
        return [min(parent.high, max(parent.low, each)) for each in self._inside(length, index)]

    def _edges(self, length: int, index: int, first: float, last: float, random: Random) -> tuple[float, float]:
        if length != DAY:
            return super()._edges(length, index, first, last, random)
        # A day of the cross must be wide enough for the ratio inside it; what leaves a shorter bar is clipped, and
        # costs a fraction of a per cent.
        inside = self._inside(length, index)
        margin = _REACH[HOUR] * self._volatility * random.random()
        return min(first, last, *inside) - margin, max(first, last, *inside) + margin

    def _inside(self, length: int, index: int) -> list[float]:
        over = self._numerator.boundaries(length, index)[1:-1]
        under = self._denominator.boundaries(length, index)[1:-1]
        return [a - b for a, b in zip(over, under, strict=True)]


class BasisPath(_NestedPath):
    """The path of a perpetual: its underlying's, plus a slowly moving basis of a few hundredths of a per cent."""

    AMPLITUDE = 0.0003

    def __init__(self, seed: int, name: str, underlying: Path) -> None:
        super().__init__(seed, name)
        self._underlying = underlying

    def basis(self, at: float) -> float:
        """The relative distance from the underlying at a time in Unix seconds."""
        cell, offset = divmod(at, 8 * HOUR)
        fraction = offset / (8 * HOUR)
        before, after = self._lattice(1, int(cell)), self._lattice(1, int(cell) + 1)
        return self.AMPLITUDE * (before + (after - before) * fraction)

    def _midnight(self, day: int) -> float:
        return self._underlying.bar(DAY, day).open + self.basis(day * DAY)

    def _edges(self, length: int, index: int, first: float, last: float, random: Random) -> tuple[float, float]:
        del random
        bar = self._underlying.bar(length, index)
        basis = self.basis(index * length)
        return min(first, last, bar.low + basis), max(first, last, bar.high + basis)

    def _inner(self, length: int, index: int, parent: Bar, random: Random) -> list[float]:
        del parent, random
        child = _CHILD[length]
        points = self._underlying.boundaries(length, index)[1:-1]
        return [each + self.basis(index * length + (i + 1) * child) for i, each in enumerate(points)]


def _between(pins: list[tuple[int, float]], place: int) -> float:
    """The straight line through the pins, at a place."""
    for (i, a), (j, b) in pairwise(pins):
        if place <= j:
            return a + (b - a) * (place - i) / (j - i)
    return pins[-1][1]


def _folded(level: float, low: float, high: float) -> float:
    """Reflect a level that left its bar at the bar's edge."""
    if level > high:
        level = 2 * high - level
    elif level < low:
        level = 2 * low - level
    return min(high, max(low, level))


def _shared_out(total: int, weights: list[float]) -> list[int]:
    """Split a whole number by weights, so that the parts add up to it."""
    whole = sum(weights)
    parts: list[int] = []
    running, given = 0.0, 0
    for weight in weights[:-1]:
        running += weight
        upto = int(total * (running / whole))
        parts.append(upto - given)
        given = upto
    return [*parts, total - given]


@dataclass(frozen=True, slots=True)
class Excursion:
    """Where the path was over a stretch of time."""

    low: float
    high: float
    last: float


def trail(path: Path, second: int) -> list[tuple[float, float]]:
    """The corners of the path within one second, as (time, level); straight lines join them."""
    bar = path.bar(SECOND, second)
    first, then = (bar.high, bar.low) if bar.close < bar.open else (bar.low, bar.high)
    return [(second, bar.open), (second + 1 / 3, first), (second + 2 / 3, then), (second + 1, bar.close)]


def level_at(path: Path, at: float) -> float:
    """The path's level at a time in Unix seconds."""
    corners = trail(path, math.floor(at))
    place = min(max(bisect_right(corners, (at, math.inf)), 1), 3)
    (t0, x0), (t1, x1) = corners[place - 1], corners[place]
    return x0 + (x1 - x0) * (at - t0) / (t1 - t0)


def excursion(path: Path, start: float, end: float) -> Excursion:
    """Lowest, highest and last level between two times in Unix seconds."""
    last = level_at(path, end)
    levels = [level_at(path, start), last]
    for second in range(math.floor(start), math.floor(end) + 1):
        levels.extend(level for at, level in trail(path, second) if start <= at <= end)
    return Excursion(min(levels), max(levels), last)
