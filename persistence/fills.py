"""Fills: trades of our orders, each counted once in each of its orders, however often it is reported."""

from decimal import Decimal
from typing import Literal

import peewee
from aviary.persistence.orders import Order, Orders
from aviary.persistence.paging import newest_first
from aviary.persistence.tables import FillRow, Query
from aviary.persistence.values import Page, Record


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

        Answers the order as it then is; `None` if the fill was known already or its order is not. A
        fill without its order is kept, and counted as soon as the order is adopted.
        """
        with self._database.atomic():
            if self._known(fill):
                return None
            insert: Query = FillRow.insert(**fill.model_dump())
            insert.bind(self._database).execute()
            order = self._orders.get(fill.account, fill.connector, fill.client_order_id)
            return None if order is None else self._orders.count_fills(order, at=at)

    def _known(self, fill: Fill) -> bool:
        query: Query = FillRow.select().where(
            FillRow.account == fill.account,
            FillRow.connector == fill.connector,
            FillRow.client_order_id == fill.client_order_id,
            FillRow.trade_id == fill.trade_id,
        )
        known: bool = query.bind(self._database).exists()
        return known

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
        return newest_first(
            self._database,
            query,
            at=FillRow.timestamp,
            number=FillRow.id,
            limit=limit,
            cursor=cursor,
            value=_value,
        )


def _value(row: Query) -> Fill:
    return Fill(**{name: getattr(row, name) for name in Fill.model_fields})
