"""Faults that touch orders: fills and cancellations that the key's user stream is not told of."""

from collections.abc import Iterator
from contextlib import contextmanager

from aviary.sandbox.events import Event, Execution, OrderReported
from aviary.sandbox.exchange import Exchange
from aviary.sandbox.faults import Fault, FaultKind
from aviary.sandbox.orders import Order
from aviary.sandbox.venue import Venue


class Mischief:
    """Fills and cancels open orders behind their keys' backs."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._placed: list[Order] = []
        exchange.listen(self._remember)
        exchange.before_step(self._work_off)

    def at_once(self, fault: Fault, order_id: int | None, client_id: str | None) -> list[Order]:
        """Apply a fault to the open orders that it concerns; gives them."""
        affected = [
            order
            for venue in self._exchange.venues.values()
            for order in venue.all_open_orders()
            if self._concerned(fault, order)
            and order_id in (None, order.id)
            and client_id in (None, order.client_id)
        ]
        for order in affected:
            self._apply(fault, order)
        return affected

    def _concerned(self, fault: Fault, order: Order) -> bool:
        return fault.concerns(order.instrument.market, order.owner, order.instrument.symbol)

    def _remember(self, event: Event) -> None:
        """While a fault lasts, orders that come to rest are dealt with at the next step, after their answer went out."""
        if isinstance(event, OrderReported) and event.execution is Execution.NEW:
            order = event.order
            market, symbol = order.instrument.market, order.instrument.symbol
            for kind in (FaultKind.HIDDEN_FILL, FaultKind.HIDDEN_CANCEL):
                if self._exchange.faults.find(kind, market, order.owner, symbol) is not None:
                    self._placed.append(order)
                    return

    def _work_off(self) -> None:
        placed, self._placed = self._placed, []
        for copied in placed:
            market, symbol = copied.instrument.market, copied.instrument.symbol
            venue = self._exchange.venues[market]
            order = next((each for each in venue.open_orders(copied.owner, symbol) if each.id == copied.id), None)
            if order is None:
                continue
            for kind in (FaultKind.HIDDEN_FILL, FaultKind.HIDDEN_CANCEL):
                fault = self._exchange.faults.use(kind, market, order.owner, symbol)
                if fault is not None:
                    self._apply(fault, order)
                    break

    def _apply(self, fault: Fault, order: Order) -> None:
        venue = self._exchange.venues[order.instrument.market]
        with _unheard(venue, order.owner):
            if fault.kind is FaultKind.HIDDEN_CANCEL:
                venue.withdraw([order])
            else:
                fraction = fault.amount or 1.0
                venue.fill_behind_the_back(order, max(1, round(order.remaining * fraction)))


@contextmanager
def _unheard(venue: Venue, key: str) -> Iterator[None]:
    venue.muted_keys.add(key)
    try:
        yield
    finally:
        venue.muted_keys.discard(key)
