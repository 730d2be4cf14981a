"""Orders: the intent first, then whatever becomes of it."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Literal

import peewee
from aviary.persistence.order_states import LIVE, OrderState, may_follow
from aviary.persistence.tables import OrderRow, Query
from aviary.persistence.values import Page, Record, cursor_of, place_of


class Order(Record):
    """An order of ours. Amounts are in base units, prices in quote units, times in Unix seconds."""

    client_order_id: str
    account: str
    connector: str
    trading_pair: str
    side: Literal["BUY", "SELL"]
    order_type: str
    amount: Decimal
    price: Decimal | None
    position_action: str = "NIL"
    state: OrderState = "intent"
    exchange_order_id: str | None = None
    filled_amount: Decimal = Decimal(0)
    filled_quote: Decimal = Decimal(0)
    fee_paid: Decimal | None = None
    fee_currency: str | None = None
    error: str | None = None
    cancel_requested: bool = False
    created_at: float
    updated_at: float

    @property
    def average_price(self) -> Decimal | None:
        """Mean price of what was filled."""
        return self.filled_quote / self.filled_amount if self.filled_amount else None


class DuplicateOrder(Exception):
    """The account has used this client order id on this connector before."""


class OrderFilter(Record):
    """Which orders; an empty tuple means all. Times are Unix seconds."""

    accounts: tuple[str, ...] = ()
    connectors: tuple[str, ...] = ()
    trading_pairs: tuple[str, ...] = ()
    states: tuple[OrderState, ...] = ()
    since: float | None = None
    until: float | None = None


class Orders:
    """The orders of one database."""

    def __init__(self, database: peewee.Database) -> None:
        self._database = database

    def record_intent(self, order: Order) -> None:
        """Write an order down before the exchange is asked. Raises `DuplicateOrder`."""
        if order.state != "intent":
            raise ValueError(f"an intent, not {order.state}")
        try:
            with self._database.atomic():
                self._run(OrderRow.insert(**order.model_dump()))
        except peewee.IntegrityError:
            raise DuplicateOrder(order.client_order_id) from None

    def adopt(self, order: Order) -> Order:
        """Write down an order that was found on the exchange; the known one if there is one."""
        known = self.get(order.account, order.connector, order.client_order_id)
        if known is not None:
            return known
        self._run(OrderRow.insert(**order.model_dump()))
        return order

    def record_outcome(
        self,
        account: str,
        connector: str,
        client_order_id: str,
        state: OrderState,
        *,
        at: float,
        exchange_order_id: str | None = None,
        error: str | None = None,
    ) -> Order | None:
        """Move an order to `state` if that may follow; answers it as it then is, `None` if unknown."""
        with self._database.atomic():
            order = self.get(account, connector, client_order_id)
            if order is None:
                return None
            changes: dict[str, object] = {}
            if may_follow(order.state, state):
                changes["state"] = state
            if exchange_order_id is not None and order.exchange_order_id is None:
                changes["exchange_order_id"] = exchange_order_id
            if error is not None and ("state" in changes or order.error is None):
                changes["error"] = error
            if not changes:
                return order
            changes["updated_at"] = at
            self._run(OrderRow.update(**changes).where(*_is(account, connector, client_order_id)))
            return order.model_copy(update=changes)

    def request_cancel(self, account: str, connector: str, client_order_id: str, *, at: float) -> Order | None:
        """Write down that a cancel is about to be asked for; `None` if the order is unknown."""
        with self._database.atomic():
            order = self.get(account, connector, client_order_id)
            if order is None:
                return None
            changes: dict[str, object] = {"cancel_requested": True, "updated_at": at}
            if order.state in {"open", "partially_filled"}:
                changes["state"] = "pending_cancel"
            self._run(OrderRow.update(**changes).where(*_is(account, connector, client_order_id)))
            return order.model_copy(update=changes)

    def get(self, account: str, connector: str, client_order_id: str) -> Order | None:
        """One order."""
        return next(self._fetch(OrderRow.select().where(*_is(account, connector, client_order_id))), None)

    def find(self, client_order_id: str) -> tuple[Order, ...]:
        """The orders with an id, whoever placed them."""
        return tuple(self._fetch(OrderRow.select().where(OrderRow.client_order_id == client_order_id)))

    def live(self, account: str | None = None, connector: str | None = None) -> tuple[Order, ...]:
        """Every order that may rest on an exchange, oldest first."""
        query: Query = OrderRow.select().where(OrderRow.state.in_(sorted(LIVE)))
        if account is not None:
            query = query.where(OrderRow.account == account)
        if connector is not None:
            query = query.where(OrderRow.connector == connector)
        return tuple(self._fetch(query.order_by(OrderRow.id)))

    def search(self, wanted: OrderFilter, *, limit: int, cursor: str | None = None) -> Page[Order]:
        """A page of orders, newest first."""
        query: Query = OrderRow.select()
        for column, values in (
            (OrderRow.account, wanted.accounts),
            (OrderRow.connector, wanted.connectors),
            (OrderRow.trading_pair, wanted.trading_pairs),
            (OrderRow.state, wanted.states),
        ):
            if values:
                query = query.where(column.in_(values))
        if wanted.since is not None:
            query = query.where(OrderRow.created_at >= wanted.since)
        if wanted.until is not None:
            query = query.where(OrderRow.created_at <= wanted.until)
        total = query.bind(self._database).count()
        place = place_of(cursor)
        if place is not None:
            at, number = place
            query = query.where(
                (OrderRow.created_at < at) | ((OrderRow.created_at == at) & (OrderRow.id < number))
            )
        query = query.order_by(OrderRow.created_at.desc(), OrderRow.id.desc()).limit(limit + 1)
        rows = list(query.bind(self._database))
        more = len(rows) > limit
        rows = rows[:limit]
        return Page[Order](
            data=tuple(_value(row) for row in rows),
            limit=limit,
            has_more=more,
            next_cursor=cursor_of(rows[-1].created_at, rows[-1].id) if more else None,
            total_count=total,
        )

    def _run(self, query: Query) -> None:
        query.bind(self._database).execute()

    def _fetch(self, query: Query) -> Iterator[Order]:
        return (_value(row) for row in query.bind(self._database))


def _is(account: str, connector: str, client_order_id: str) -> tuple[Query, ...]:
    return (
        OrderRow.account == account,
        OrderRow.connector == connector,
        OrderRow.client_order_id == client_order_id,
    )


def _value(row: Query) -> Order:
    return Order(**{name: getattr(row, name) for name in Order.model_fields})
