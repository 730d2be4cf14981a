"""What each credential held and was worth, moment by moment: fine at first, thinned out as it grows old."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, Literal

import orjson
import peewee
from aviary.persistence.fills import Fill
from aviary.persistence.tables import FillRow, PortfolioRow, Query
from aviary.persistence.values import Record

HOUR, DAY = 3_600, 86_400

FINE_KEPT = 7 * DAY
"""Seconds for which every snapshot is kept; then the last one of each hour."""

HOURLY_KEPT = 90 * DAY
"""Seconds for which one of each hour is kept; then the last one of each day, for ever."""

FINE, HOURLY, DAILY = 0, 1, 2
"""Grains: how thinned out a row's neighbourhood is."""

ROWS_AT_ONCE = 50


class Held(Record):
    """A token that was held. `price` is in the quote, `None` if nobody had one."""

    token: str
    units: Decimal
    available: Decimal
    price: Decimal | None
    stale: bool = False


class Snapshot(Record):
    """One credential at one moment, in whole Unix seconds.

    `value` is that of the tokens with a price. `profit` and `flow` (what came in less what went out) have
    summed up to it since the credential was first seen; `untold` is how much of the flow may be profit or
    loss instead. A credential that was removed ends with a snapshot that is `gone`.
    """

    at: int
    account: str
    connector: str
    state: Literal["known", "stale", "gone"]
    quote: str
    value: Decimal
    profit: Decimal
    flow: Decimal
    untold: Decimal
    holdings: tuple[Held, ...] = ()


@dataclass(frozen=True, slots=True)
class Point:
    """A snapshot without what was held. Plain: a stretch of time has tens of thousands."""

    at: int
    account: str
    connector: str
    value: Decimal
    profit: Decimal
    flow: Decimal
    untold: Decimal


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a credential held at a moment, as it is kept: see `Held` for the rows. Plain, as above."""

    at: int
    account: str
    connector: str
    quote: str
    holdings: tuple[Mapping[str, Any], ...]


class Chosen(Record):
    """Which credentials are meant; empty means all."""

    accounts: tuple[str, ...] = ()
    connectors: tuple[str, ...] = ()


EVERY = Chosen()


class PortfolioSnapshots:
    """The snapshots of one database."""

    def __init__(self, database: peewee.Database) -> None:
        self._database = database

    def add(self, snapshots: tuple[Snapshot, ...]) -> None:
        """Keep snapshots."""
        rows = [
            {
                **snapshot.model_dump(exclude={"holdings"}),
                "grain": FINE,
                "holdings": orjson.dumps([held.model_dump(mode="json") for held in snapshot.holdings]).decode(),
            }
            for snapshot in snapshots
        ]
        with self._database.atomic():
            for start in range(0, len(rows), ROWS_AT_ONCE):
                query: Query = PortfolioRow.insert_many(rows[start : start + ROWS_AT_ONCE])
                query.bind(self._database).execute()

    def latest(self, chosen: Chosen = EVERY, until: int | None = None) -> tuple[Snapshot, ...]:
        """The last snapshot of each credential, no later than `until`."""
        last: Query = PortfolioRow.select(peewee.fn.MAX(PortfolioRow.id))
        last = _of(last, chosen)
        if until is not None:
            last = last.where(PortfolioRow.at <= until)
        last = last.group_by(PortfolioRow.account, PortfolioRow.connector)
        query: Query = PortfolioRow.select().where(PortfolioRow.id.in_(last))
        query = query.order_by(PortfolioRow.account, PortfolioRow.connector)
        return tuple(_snapshot(row) for row in query.bind(self._database))

    def moments(
        self,
        chosen: Chosen,
        *,
        since: float | None,
        until: float | None,
        before: int | None,
        step: int | None,
        limit: int,
    ) -> tuple[int, ...]:
        """Moments with snapshots, newest first; with `step`, in seconds, the last of each such stretch.

        `before` is a moment of the page before this one.
        """
        query: Query = PortfolioRow.select(peewee.fn.MAX(PortfolioRow.at).alias("moment"))
        query = _of(query, chosen).where(PortfolioRow.state != "gone")
        if since is not None:
            query = query.where(PortfolioRow.at >= since)
        if until is not None:
            query = query.where(PortfolioRow.at <= until)
        if before is not None:
            # The stretch that the last page ended with has been shown.
            query = query.where(PortfolioRow.at < (before if step is None else before // step * step))
        stretch = PortfolioRow.at if step is None else PortfolioRow.at / step
        query = query.group_by(stretch).order_by(peewee.SQL("moment DESC")).limit(limit)
        return tuple(int(row[0]) for row in query.bind(self._database).tuples())

    def at(self, chosen: Chosen, moments: tuple[int, ...]) -> tuple[Sheet, ...]:
        """What was held at some moments, newest first."""
        row = PortfolioRow
        query: Query = _of(row.select(row.at, row.account, row.connector, row.quote, row.holdings), chosen)
        query = query.where(row.at.in_(moments), row.state != "gone")
        query = query.order_by(row.at.desc(), row.account, row.connector)
        return tuple(
            Sheet(int(at), account, connector, quote, tuple(orjson.loads(holdings)))
            for at, account, connector, quote, holdings in query.bind(self._database).tuples()
        )

    def points(
        self, chosen: Chosen, *, quote: str, since: float, until: float, step: int
    ) -> tuple[Point, ...]:
        """The last point of each credential in each stretch of `step` seconds, and its last one before, oldest first."""
        span: Query = PortfolioRow.select(peewee.fn.MAX(PortfolioRow.id))
        span = _of(span, chosen).where(
            PortfolioRow.quote == quote, PortfolioRow.at > since, PortfolioRow.at <= until
        )
        span = span.group_by(PortfolioRow.account, PortfolioRow.connector, PortfolioRow.at / step)
        before: Query = PortfolioRow.select(peewee.fn.MAX(PortfolioRow.id))
        before = _of(before, chosen).where(PortfolioRow.quote == quote, PortfolioRow.at <= since)
        before = before.group_by(PortfolioRow.account, PortfolioRow.connector)
        columns = [getattr(PortfolioRow, column.name) for column in fields(Point)]
        query: Query = PortfolioRow.select(*columns)
        query = query.where(PortfolioRow.id.in_(span) | PortfolioRow.id.in_(before))
        query = query.order_by(PortfolioRow.at, PortfolioRow.id)
        return tuple(Point(*row) for row in query.bind(self._database).tuples())

    def span(self, chosen: Chosen, quote: str) -> tuple[int, int] | None:
        """The first and the last moment with a snapshot in this quote."""
        query: Query = PortfolioRow.select(peewee.fn.MIN(PortfolioRow.at), peewee.fn.MAX(PortfolioRow.at))
        query = _of(query, chosen).where(PortfolioRow.quote == quote)
        first, last = next(iter(query.bind(self._database).tuples()))
        return None if first is None else (int(first), int(last))

    def fills(self, account: str, connector: str, after: float, until: float) -> tuple[Fill, ...]:
        """The fills of a credential in a stretch of time."""
        query: Query = FillRow.select().where(
            FillRow.account == account,
            FillRow.connector == connector,
            FillRow.timestamp > after,
            FillRow.timestamp <= until,
        )
        return tuple(
            Fill(**{name: getattr(row, name) for name in Fill.model_fields}) for row in query.bind(self._database)
        )

    def fees(self, chosen: Chosen, since: float, until: float) -> dict[tuple[str, str], dict[str, float]]:
        """Fees that were paid by credential and token."""
        paid = peewee.fn.SUM(FillRow.fee_paid.cast("DOUBLE PRECISION"))
        query: Query = FillRow.select(FillRow.account, FillRow.connector, FillRow.fee_currency, paid)
        if chosen.accounts:
            query = query.where(FillRow.account.in_(chosen.accounts))
        if chosen.connectors:
            query = query.where(FillRow.connector.in_(chosen.connectors))
        query = query.where(
            FillRow.timestamp > since, FillRow.timestamp <= until, FillRow.fee_currency.is_null(False)
        )
        query = query.group_by(FillRow.account, FillRow.connector, FillRow.fee_currency)
        found: dict[tuple[str, str], dict[str, float]] = {}
        for account, connector, token, amount in query.bind(self._database).tuples():
            if float(amount):
                found.setdefault((account, connector), {})[token] = float(amount)
        return found

    def thin(self, now: float) -> int:
        """Thin out what has grown old, each row once a grain; how many were removed."""
        with self._database.atomic():
            return self._thin(FINE, HOUR, now - FINE_KEPT) + self._thin(HOURLY, DAY, now - HOURLY_KEPT)

    def _thin(self, grain: int, step: int, edge: float) -> int:
        # Whole stretches only: one that is cut by the edge would leave two.
        end = int(edge) // step * step
        old = (PortfolioRow.grain == grain, PortfolioRow.at < end)
        last: Query = PortfolioRow.select(peewee.fn.MAX(PortfolioRow.id)).where(*old)
        last = last.group_by(PortfolioRow.account, PortfolioRow.connector, PortfolioRow.quote, PortfolioRow.at / step)
        surplus: Query = PortfolioRow.delete().where(*old, PortfolioRow.id.not_in(last))
        removed: int = surplus.bind(self._database).execute()
        kept: Query = PortfolioRow.update(grain=grain + 1).where(*old)
        kept.bind(self._database).execute()
        return removed


def _of(query: Query, chosen: Chosen) -> Query:
    if chosen.accounts:
        query = query.where(PortfolioRow.account.in_(chosen.accounts))
    if chosen.connectors:
        query = query.where(PortfolioRow.connector.in_(chosen.connectors))
    return query


def _snapshot(row: Query) -> Snapshot:
    plain = {name: getattr(row, name) for name in Snapshot.model_fields if name != "holdings"}
    return Snapshot(**plain, holdings=tuple(Held.model_validate(held) for held in orjson.loads(row.holdings)))
