"""Fills: trades of our orders, each counted once however often it is reported."""

from decimal import Decimal
from typing import Literal

import peewee
from aviary.persistence.order_states import may_follow
from aviary.persistence.orders import Order, Orders
from aviary.persistence.tables import FillRow, OrderRow, Query
from aviary.persistence.values import Page, Record, cursor_of, place_of


class Fill(Record):
    """A trade of one of our orders. Amount in base, price in quote units, time in Unix seconds."""

    trade_id: str
    client_order_id: str
    account: str
    connector: str
    trading_pair: str
    side: Literal["BUY", "SELL"]
    amount: Decimal
    price: Decimal
    fee_paid: Decimal = Decimal(0)
    fee_currency: str | None = None
    timestamp: float


class Fills:
    """The fills of one database."""

    def __init__(self, database: peewee.Database) -> None:
        self._database = database
        self._orders = Orders(database)

    def record(self, fill: Fill, *, at: float) -> Order | None:
        """Write a fill and count it in its order, in one transaction.

        Answers the order as it then is; `None` if the fill was known already or its order is not.
        """
        with self._database.atomic():
            insert: Query = FillRow.insert(**fill.model_dump()).on_conflict_ignore()
            before = self._count(fill)
            insert.bind(self._database).execute()
            if before:
                return None
            order = self._orders.get(fill.account, fill.connector, fill.client_order_id)
            return None if order is None else self._count_in(order, fill, at)

    def _count(self, fill: Fill) -> int:
        query: Query = FillRow.select().where(
            FillRow.account == fill.account,
            FillRow.connector == fill.connector,
            FillRow.trading_pair == fill.trading_pair,
            FillRow.trade_id == fill.trade_id,
        )
        count: int = query.bind(self._database).count()
        return count

    def _count_in(self, order: Order, fill: Fill, at: float) -> Order:
        filled = order.filled_amount + fill.amount
        state = "filled" if filled >= order.amount else "partially_filled"
        changes: dict[str, object] = {
            "filled_amount": filled,
            "filled_quote": order.filled_quote + fill.amount * fill.price,
            "fee_paid": (order.fee_paid or Decimal(0)) + fill.fee_paid,
            "fee_currency": order.fee_currency or fill.fee_currency,
            "updated_at": at,
        }
        if may_follow(order.state, state):  # type: ignore[arg-type]
            changes["state"] = state
        query: Query = OrderRow.update(**changes).where(
            OrderRow.account == order.account,
            OrderRow.connector == order.connector,
            OrderRow.client_order_id == order.client_order_id,
        )
        query.bind(self._database).execute()
        return order.model_copy(update=changes)

    def of_order(self, account: str, connector: str, client_order_id: str) -> tuple[Fill, ...]:
        """The fills of one order, oldest first."""
        query: Query = (
            FillRow.select()
            .where(
                FillRow.account == account,
                FillRow.connector == connector,
                FillRow.client_order_id == client_order_id,
            )
            .order_by(FillRow.id)
        )
        return tuple(_value(row) for row in query.bind(self._database))

    def search(
        self,
        *,
        accounts: tuple[str, ...] = (),
        connectors: tuple[str, ...] = (),
        trading_pairs: tuple[str, ...] = (),
        sides: tuple[str, ...] = (),
        since: float | None = None,
        until: float | None = None,
        limit: int,
        cursor: str | None = None,
    ) -> Page[Fill]:
        """A page of fills, newest first; an empty tuple means all, times are Unix seconds."""
        query: Query = FillRow.select()
        for column, values in (
            (FillRow.account, accounts),
            (FillRow.connector, connectors),
            (FillRow.trading_pair, trading_pairs),
            (FillRow.side, sides),
        ):
            if values:
                query = query.where(column.in_(values))
        if since is not None:
            query = query.where(FillRow.timestamp >= since)
        if until is not None:
            query = query.where(FillRow.timestamp <= until)
        total = query.bind(self._database).count()
        place = place_of(cursor)
        if place is not None:
            at, number = place
            query = query.where((FillRow.timestamp < at) | ((FillRow.timestamp == at) & (FillRow.id < number)))
        query = query.order_by(FillRow.timestamp.desc(), FillRow.id.desc()).limit(limit + 1)
        rows = list(query.bind(self._database))
        more = len(rows) > limit
        rows = rows[:limit]
        return Page[Fill](
            data=tuple(_value(row) for row in rows),
            limit=limit,
            has_more=more,
            next_cursor=cursor_of(rows[-1].timestamp, rows[-1].id) if more else None,
            total_count=total,
        )


def _value(row: Query) -> Fill:
    return Fill(**{name: getattr(row, name) for name in Fill.model_fields})
