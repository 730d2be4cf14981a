"""The matching engine: one instrument's book, in price-time priority."""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from aviary.sandbox.orders import Order, Side


@dataclass(frozen=True, slots=True)
class Match:
    """An arriving order met a resting one; the price is the resting one's, in ticks."""

    maker: Order
    price: int
    quantity: int


class Ladder:
    """One side of a book: queues of resting orders by price, best price first."""

    def __init__(self, side: Side) -> None:
        self._side = side
        self._queues: dict[int, deque[Order]] = {}
        self._prices: list[int] = []

    def add(self, order: Order) -> None:
        """Put an order behind all others of its price."""
        queue = self._queues.get(order.price)
        if queue is None:
            queue = self._queues[order.price] = deque()
            insort(self._prices, order.price)
        queue.append(order)

    def remove(self, order: Order) -> None:
        """Take an order out; `ValueError` if it is not there."""
        queue = self._queues[order.price]
        queue.remove(order)
        if not queue:
            self._drop(order.price)

    def holds(self, order: Order) -> bool:
        """Whether the order rests here."""
        return order in self._queues.get(order.price, ())

    def _drop(self, price: int) -> None:
        del self._queues[price]
        del self._prices[bisect_left(self._prices, price)]

    @property
    def best(self) -> int | None:
        """The price that trades first; None on an empty side."""
        if not self._prices:
            return None
        return self._prices[-1] if self._side is Side.BUY else self._prices[0]

    def head(self) -> Order | None:
        """The order that trades first."""
        best = self.best
        return None if best is None else self._queues[best][0]

    def prices(self) -> Iterator[int]:
        """All prices, best first."""
        return reversed(self._prices) if self._side is Side.BUY else iter(self._prices)

    def quantity(self, price: int) -> int:
        """Lots resting at a price."""
        return sum(order.remaining for order in self._queues.get(price, ()))

    def levels(self, limit: int) -> list[tuple[int, int]]:
        """Price and lots of the best levels."""
        found: list[tuple[int, int]] = []
        for price in self.prices():
            if len(found) == limit:
                break
            found.append((price, self.quantity(price)))
        return found

    def orders(self) -> Iterator[Order]:
        """All resting orders, in the sequence in which they would trade."""
        for price in list(self.prices()):
            yield from list(self._queues.get(price, ()))


class Book:
    """Bids and asks of one instrument. It never stays crossed: what can trade, trades on arrival."""

    def __init__(self) -> None:
        self.bids = Ladder(Side.BUY)
        self.asks = Ladder(Side.SELL)
        self.version = 0
        """Counts changes of levels; clients order snapshots and differences by it."""
        self._watchers: list[set[tuple[Side, int]]] = []

    def side(self, side: Side) -> Ladder:
        """The resting orders of one side."""
        return self.bids if side is Side.BUY else self.asks

    def watch(self, changed: set[tuple[Side, int]]) -> None:
        """Record every level that changes from now on in a set that the caller empties."""
        self._watchers.append(changed)

    def unwatch(self, changed: set[tuple[Side, int]]) -> None:
        """Stop recording into a set."""
        self._watchers = [each for each in self._watchers if each is not changed]

    def crossing(self, order: Order) -> int:
        """Lots that the order could trade at once, at most its remaining amount."""
        total = 0
        ladder = self.side(order.side.opposite)
        for price in ladder.prices():
            if not _acceptable(order, price):
                break
            total += ladder.quantity(price)
            if total >= order.remaining:
                return order.remaining
        return total

    def cost(self, side: Side, quantity: int) -> tuple[int, int]:
        """Lots that an unlimited order could trade at once, and their cost in ticks times lots."""
        taken = cost = 0
        ladder = self.side(side.opposite)
        for price in ladder.prices():
            lots = min(quantity - taken, ladder.quantity(price))
            taken += lots
            cost += lots * price
            if taken == quantity:
                break
        return taken, cost

    def next_match(self, order: Order) -> Match | None:
        """Trade the order against the first resting order that it accepts, if there is one."""
        ladder = self.side(order.side.opposite)
        maker = ladder.head()
        if maker is None or order.remaining == 0 or not _acceptable(order, maker.price):
            return None
        quantity = min(order.remaining, maker.remaining)
        for each in (order, maker):
            each.filled += quantity
            each.worth += quantity * maker.price
        self._changed(maker.side, maker.price)
        if maker.remaining == 0:
            ladder.remove(maker)
        return Match(maker, maker.price, quantity)

    def rest(self, order: Order) -> None:
        """Put an order that cannot trade at once on the book."""
        self.side(order.side).add(order)
        self._changed(order.side, order.price)

    def withdraw(self, order: Order) -> None:
        """Take a resting order off the book; `KeyError` or `ValueError` if it does not rest."""
        self.side(order.side).remove(order)
        self._changed(order.side, order.price)

    def resize(self, order: Order, quantity: int) -> None:
        """Change what a resting order has left, keeping its place."""
        order.quantity = order.filled + quantity
        self._changed(order.side, order.price)

    def rests(self, order: Order) -> bool:
        """Whether the order is on the book."""
        return self.side(order.side).holds(order)

    def _changed(self, side: Side, price: int) -> None:
        self.version += 1
        for each in self._watchers:
            each.add((side, price))


def _acceptable(order: Order, price: int) -> bool:
    if order.price == 0:
        return True
    return price <= order.price if order.side is Side.BUY else price >= order.price
