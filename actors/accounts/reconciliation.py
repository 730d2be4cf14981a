"""What differs between the orders we know and those that an exchange shows as open. Pure."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

from aviary.actors.core.message import Value
from aviary.persistence.order_states import LIVE
from aviary.persistence.orders import Order


class OpenOrder(Value):
    """An order that rests on the exchange, as the exchange says. Amounts in base units."""

    client_order_id: str
    exchange_order_id: str | None
    state: str
    executed: Decimal


class Differences(Value):
    """What is to be done about each order; every order of ours that may be live is in exactly one place."""

    agreed: tuple[Order, ...] = ()
    """The exchange shows them as we know them."""
    confirmed: tuple[tuple[Order, OpenOrder], ...] = ()
    """They rest there, and we did not know it or not all of it; nothing was traded meanwhile."""
    traded: tuple[Order, ...] = ()
    """They rest there, and more or less of them is filled than we know: their fills are to be asked for."""
    missing: tuple[Order, ...] = ()
    """They don't rest there: filled, cancelled, or never arrived. Only a question after each one tells."""
    cancels_lost: tuple[Order, ...] = ()
    """They rest there although their cancellation was asked for."""
    foreign: tuple[OpenOrder, ...] = ()
    """They rest there and are not ours."""
    doubled: tuple[str, ...] = ()
    """Client order ids that rest there more than once, which no exchange should allow."""

    def to_ask(self) -> tuple[Order, ...]:
        """Orders whose fate only a targeted question settles."""
        return (*self.traded, *self.missing)


def reconcile(ours: Sequence[Order], theirs: Sequence[OpenOrder]) -> Differences:
    """Compare our orders with everything that rests on the exchange under the same keys."""
    shown: dict[str, OpenOrder] = {}
    doubled: list[str] = []
    for one in theirs:
        if one.client_order_id in shown:
            doubled.append(one.client_order_id)
        shown.setdefault(one.client_order_id, one)
    places: dict[str, list[Order]] = {"agreed": [], "traded": [], "missing": [], "cancels_lost": []}
    confirmed: list[tuple[Order, OpenOrder]] = []
    for order in ours:
        if order.state not in LIVE:
            continue
        found = shown.get(order.client_order_id)
        place = _place(order, found)
        if place == "confirmed" and found is not None:
            confirmed.append((order, found))
        else:
            places[place].append(order)
    known = {order.client_order_id for order in ours}
    return Differences(
        **{place: tuple(orders) for place, orders in places.items()},
        confirmed=tuple(confirmed),
        foreign=tuple(one for name, one in shown.items() if name not in known),
        doubled=tuple(dict.fromkeys(doubled)),
    )


def _place(
    order: Order, found: OpenOrder | None
) -> Literal["agreed", "confirmed", "traded", "missing", "cancels_lost"]:
    if found is None:
        return "missing"
    if found.executed != order.filled_amount:
        return "traded"
    if order.state == "pending_cancel" or (order.cancel_requested and order.state in {"intent", "unresolved"}):
        return "cancels_lost"
    if order.state in {"intent", "unresolved"} or order.exchange_order_id is None:
        return "confirmed"
    return "agreed"
