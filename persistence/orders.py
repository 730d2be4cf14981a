"""Orders: the intent first, then whatever becomes of it."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Literal

import peewee
from aviary.persistence.order_states import LIVE, OrderState, may_follow
from aviary.persistence.paging import newest_first
from aviary.persistence.tables import FillRow, OrderRow, Query
from aviary.persistence.values import Page, Record, read


class Order(Record):
    """An order of ours. Amounts are in base units, prices in quote units, times in Unix seconds.

    What is filled is the sum of the fills that are known, or what the exchange says in all if that is
    more. The fee is the sum of those in `fee_currency`, the currency of the first one.
    """

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
    """Which orders; an empty tuple means all. Times are Unix seconds.

    `credentials` are pairs of account and connector of which one must be the order's, if it is given.
    """

    credentials: tuple[tuple[str, str], ...] | None = None

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
        """Write down an order that was found on the exchange; the known one if there is one.

        Fills that were reported before their order was known are counted in it now.
        """
        with self._database.atomic():
            known = self.get(order.account, order.connector, order.client_order_id)
            if known is not None:
                return known
            self._run(OrderRow.insert(**order.model_dump()))
            return self.count_fills(order, at=order.updated_at)

    def count_fills(self, order: Order, *, at: float) -> Order:
        """Bring an order's totals and state up to date with its fills; answers it as it then is."""
        fills = [
            (row.amount, row.price, row.fee_paid, row.fee_currency)
            for row in FillRow.select()
            .where(
                FillRow.account == order.account,
                FillRow.connector == order.connector,
                FillRow.client_order_id == order.client_order_id,
            )
            .order_by(FillRow.timestamp, FillRow.id)
            .bind(self._database)
        ]
        if not fills:
            return order
        currency = next((fee_currency for *_, fee_currency in fills if fee_currency is not None), None)
        fees = (paid for *_, paid, fee_currency in fills if fee_currency == currency)
        changes: dict[str, object] = {"fee_paid": sum(fees, Decimal(0)), "fee_currency": currency}
        amount = sum((amount for amount, *_ in fills), Decimal(0))
        if amount >= order.filled_amount:
            changes["filled_amount"] = amount
            changes["filled_quote"] = sum((amount * price for amount, price, *_ in fills), Decimal(0))
        filled = max(amount, order.filled_amount)
        news: OrderState = "filled" if filled >= order.amount else "partially_filled"
        # A partial fill while a cancel is under way does not mean that the cancel was refused.
        if may_follow(order.state, news) and not (order.state == "pending_cancel" and news != "filled"):
            changes["state"] = news
        return self._change(order, changes, at)

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
        filled: tuple[Decimal, Decimal] | None = None,
    ) -> Order | None:
        """Move an order to `state` if that may follow; answers it as it then is, `None` if unknown.

        `filled` is what the exchange says was filled in all: an amount in base and its value in quote
        units. The first exchange order id stays; an error is kept with the state that it explains.
        """
        with self._database.atomic():
            order = self.get(account, connector, client_order_id)
            if order is None:
                return None
            changes: dict[str, object] = {}
            if filled is not None and filled[0] > order.filled_amount:
                changes["filled_amount"], changes["filled_quote"] = filled
            if state == "open" and max(order.filled_amount, filled[0] if filled else Decimal(0)) > 0:
                state = "partially_filled"
            if may_follow(order.state, state):
                changes["state"] = state
            if exchange_order_id is not None and order.exchange_order_id is None:
                changes["exchange_order_id"] = exchange_order_id
            if error is not None and ("state" in changes or order.error is None):
                changes["error"] = error
            return self._change(order, changes, at)

    def request_cancel(self, account: str, connector: str, client_order_id: str, *, at: float) -> Order | None:
        """Write down that a cancel is about to be asked for; `None` if the order is unknown."""
        with self._database.atomic():
            order = self.get(account, connector, client_order_id)
            if order is None:
                return None
            changes: dict[str, object] = {"cancel_requested": True}
            if order.state in {"open", "partially_filled"}:
                changes["state"] = "pending_cancel"
            return self._change(order, changes, at)

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
        if wanted.credentials is not None:
            whose = peewee.Tuple(OrderRow.account, OrderRow.connector)
            query = query.where(whose.in_([peewee.Tuple(*one) for one in wanted.credentials]))
        if wanted.since is not None:
            query = query.where(OrderRow.created_at >= wanted.since)
        if wanted.until is not None:
            query = query.where(OrderRow.created_at <= wanted.until)
        return newest_first(
            self._database,
            query,
            at=OrderRow.created_at,
            number=OrderRow.id,
            limit=limit,
            cursor=cursor,
            value=_value,
        )

    def _change(self, order: Order, changes: dict[str, object], at: float) -> Order:
        changes = {name: value for name, value in changes.items() if getattr(order, name) != value}
        if not changes:
            return order
        changes["updated_at"] = at
        is_it = _is(order.account, order.connector, order.client_order_id)
        self._run(OrderRow.update(**changes).where(*is_it))
        return order.model_copy(update=changes)

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
    return read(Order, {name: getattr(row, name) for name in Order.model_fields})
