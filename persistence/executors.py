"""Executors: what was asked for, their orders, what a later life needs to go on, and how they ended."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import orjson
import peewee
from aviary.persistence.fills import Fill, Fills
from aviary.persistence.orders import Order, Orders
from aviary.persistence.paging import newest_first
from aviary.persistence.tables import ExecutorLogRow, ExecutorOrderRow, ExecutorRow, FillRow, Query
from aviary.persistence.values import Page, Record
from pydantic import Field

type AfterCrash = Literal["resume", "flatten"]
type Stop = Literal["close", "keep"]

LOGS_KEPT = 1_000
"""Lines kept of one executor; the oldest go first."""

JSON_COLUMNS = frozenset({"config", "life", "report"})

RESULTS = ("net_pnl_quote", "net_pnl_pct", "cum_fees_quote", "filled_amount_quote")


class DuplicateExecutor(Exception):
    """There is, or was, an executor of this id."""


class KeptExecutor(Record):
    """An executor. Times are Unix seconds, results in quote units or fractions."""

    executor_id: str
    account: str
    controller_id: str
    type: str
    connector_name: str
    trading_pair: str
    side: str | None
    after_crash: AfterCrash = "resume"
    config: dict[str, Any]
    """As asked for, with all defaults."""
    life: dict[str, Any]
    """What the next life needs: type, config, notes and state, as the last one wrote them."""
    stop: Stop | None = None
    """That it was told to stop, and whether it keeps what it holds."""
    status: str = "NOT_STARTED"
    close_type: str | None = None
    report: dict[str, Any] = Field(default_factory=dict)
    """What it said of itself at last, where no column has it."""
    net_pnl_quote: float = 0.0
    net_pnl_pct: float = 0.0
    cum_fees_quote: float = 0.0
    filled_amount_quote: float = 0.0
    error_count: int = 0
    last_error: str | None = None
    settled: bool = False
    """Whether it has ended and every order of it is accounted for."""
    held: bool = False
    """Whether what it traded is held as a position."""
    created_at: float
    closed_at: float | None = None


class ExecutorOrder(Record):
    """An order of an executor, with all that it traded."""

    order: Order
    role: str
    fills: tuple[Fill, ...]


class LogLine(Record):
    """A line that an executor logged. `at` is Unix seconds."""

    at: float
    level: str
    message: str
    exc_info: str | None = None


class ExecutorFilter(Record):
    """Which executors; an empty tuple means all."""

    ids: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    connectors: tuple[str, ...] = ()
    trading_pairs: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    controllers: tuple[str, ...] = ()
    active: bool | None = None
    """Whether it must not, or must, have ended."""


class Results(Record):
    """Executors of one type, status and close type, added up."""

    type: str
    status: str
    close_type: str | None
    count: int
    wins: int
    """Those with a profit."""
    net_pnl_quote: float
    net_pnl_squares: float
    net_pnl_pct: float
    cum_fees_quote: float
    filled_amount_quote: float


class Executors:
    """The executors of one database."""

    def __init__(self, database: peewee.Database) -> None:
        self._database = database
        self._orders = Orders(database)
        self._fills = Fills(database)

    # Executors

    def add(self, executor: KeptExecutor) -> None:
        """Write an executor down before anything of it is placed. Raises `DuplicateExecutor`."""
        try:
            with self._database.atomic():
                self._run(ExecutorRow.insert(**_columns(executor.model_dump())))
        except peewee.IntegrityError:
            raise DuplicateExecutor(executor.executor_id) from None

    def change(self, executor_id: str, **changes: object) -> None:
        """Change columns of an executor."""
        if changes:
            self._run(ExecutorRow.update(**_columns(changes)).where(ExecutorRow.executor_id == executor_id))

    def remove(self, executor_id: str) -> None:
        """Forget an executor of which nothing was ever placed."""
        self._run(ExecutorRow.delete().where(ExecutorRow.executor_id == executor_id))

    def get(self, executor_id: str) -> KeptExecutor | None:
        """One executor."""
        return next(self._fetch(ExecutorRow.select().where(ExecutorRow.executor_id == executor_id)), None)

    def unsettled(self) -> tuple[KeptExecutor, ...]:
        """Those that have not ended, or whose orders are not all accounted for; oldest first."""
        query: Query = ExecutorRow.select().where(ExecutorRow.settled == False)  # noqa: E712 - SQL
        return tuple(self._fetch(query.order_by(ExecutorRow.id)))

    def search(self, wanted: ExecutorFilter, *, limit: int, cursor: str | None = None) -> Page[KeptExecutor]:
        """A page of executors, newest first."""
        return newest_first(
            self._database,
            _matching(ExecutorRow.select(), wanted),
            at=ExecutorRow.created_at,
            number=ExecutorRow.id,
            limit=limit,
            cursor=cursor,
            value=_value,
        )

    def active(self) -> tuple[KeptExecutor, ...]:
        """Those that have not ended, newest first."""
        query = _matching(ExecutorRow.select(), ExecutorFilter(active=True))
        return tuple(self._fetch(query.order_by(ExecutorRow.id.desc())))

    def results(self, controller_id: str | None) -> tuple[Results, ...]:
        """Those that have ended, added up by type and close type; of one controller if it is named."""
        fn = peewee.fn
        squares = ExecutorRow.net_pnl_quote * ExecutorRow.net_pnl_quote
        query: Query = ExecutorRow.select(
            ExecutorRow.type,
            ExecutorRow.status,
            ExecutorRow.close_type,
            fn.COUNT(ExecutorRow.id).alias("count"),
            fn.SUM(peewee.Case(None, ((ExecutorRow.net_pnl_quote > 0, 1),), 0)).alias("wins"),
            fn.SUM(squares).alias("net_pnl_squares"),
            *(fn.SUM(getattr(ExecutorRow, name)).alias(name) for name in RESULTS),
        )
        controllers = () if controller_id is None else (controller_id,)
        query = _matching(query, ExecutorFilter(active=False, controllers=controllers))
        query = query.group_by(ExecutorRow.type, ExecutorRow.status, ExecutorRow.close_type)
        return tuple(
            Results(**{name: row[name] for name in Results.model_fields})
            for row in query.dicts().bind(self._database)
        )

    # Orders

    def intend(self, executor_id: str, order: Order, role: str) -> None:
        """An order of an executor is about to be sent. Raises `DuplicateOrder`."""
        with self._database.atomic():
            self._orders.record_intent(order)
            self._run(
                ExecutorOrderRow.insert(
                    executor_id=executor_id,
                    account=order.account,
                    connector=order.connector,
                    client_order_id=order.client_order_id,
                    role=role,
                )
            )

    def orders(self, executor_id: str) -> tuple[ExecutorOrder, ...]:
        """All orders of an executor in the order of their sending, with their fills."""
        query: Query = ExecutorOrderRow.select().where(ExecutorOrderRow.executor_id == executor_id)
        found = []
        for row in query.order_by(ExecutorOrderRow.id).bind(self._database):
            order = self._orders.get(row.account, row.connector, row.client_order_id)
            if order is not None:
                fills = self._fills.of_order(row.account, row.connector, row.client_order_id)
                found.append(ExecutorOrder(order=order, role=row.role, fills=fills))
        return tuple(found)

    def has_orders(self, executor_id: str) -> bool:
        """Whether an order of it was ever about to be sent."""
        query: Query = ExecutorOrderRow.select().where(ExecutorOrderRow.executor_id == executor_id)
        found: bool = query.bind(self._database).exists()
        return found

    # Positions held

    def held(self, controller_id: str | None = None) -> tuple[tuple[KeptExecutor, Fill], ...]:
        """Every fill of executors whose trades are held, oldest executor first."""
        query: Query = ExecutorRow.select().where(ExecutorRow.held == True)  # noqa: E712 - SQL
        if controller_id is not None:
            query = query.where(ExecutorRow.controller_id == controller_id)
        executors = {one.executor_id: one for one in self._fetch(query.order_by(ExecutorRow.id))}
        found: list[tuple[KeptExecutor, Fill]] = []
        for some in _parts(list(executors)):
            fills: Query = (
                FillRow.select(FillRow, ExecutorOrderRow.executor_id)
                .join(
                    ExecutorOrderRow,
                    on=(
                        (ExecutorOrderRow.client_order_id == FillRow.client_order_id)
                        & (ExecutorOrderRow.account == FillRow.account)
                        & (ExecutorOrderRow.connector == FillRow.connector)
                    ),
                )
                .where(ExecutorOrderRow.executor_id.in_(some))
                .order_by(FillRow.id)
            )
            for row in fills.objects().bind(self._database):
                fill = Fill(**{name: getattr(row, name) for name in Fill.model_fields})
                found.append((executors[row.executor_id], fill))
        return tuple(found)

    def clear(self, executor_ids: Sequence[str]) -> None:
        """What these executors traded is held no longer."""
        for some in _parts(executor_ids):
            self._run(ExecutorRow.update(held=False).where(ExecutorRow.executor_id.in_(some)))

    # Logs

    def log(self, executor_id: str, lines: Sequence[LogLine]) -> None:
        """Keep lines, and not many more than `LOGS_KEPT` of one executor."""
        with self._database.atomic():
            for line in lines:
                self._run(ExecutorLogRow.insert(executor_id=executor_id, **line.model_dump()))
            of_it = ExecutorLogRow.executor_id == executor_id
            edge: Query = ExecutorLogRow.select(ExecutorLogRow.id).where(of_it).order_by(ExecutorLogRow.id.desc())
            for row in edge.offset(LOGS_KEPT).limit(1).bind(self._database):
                self._run(ExecutorLogRow.delete().where(of_it, ExecutorLogRow.id <= row.id))

    def logs(self, executor_id: str, level: str | None, limit: int) -> tuple[tuple[LogLine, ...], int]:
        """The newest lines of an executor, oldest first, and how many there are; of one level if it is named."""
        query: Query = ExecutorLogRow.select().where(ExecutorLogRow.executor_id == executor_id)
        if level is not None:
            query = query.where(ExecutorLogRow.level == level)
        total: int = query.bind(self._database).count()
        rows = list(query.order_by(ExecutorLogRow.id.desc()).limit(limit).bind(self._database))
        lines = (LogLine(**{name: getattr(row, name) for name in LogLine.model_fields}) for row in reversed(rows))
        return tuple(lines), total

    def _run(self, query: Query) -> None:
        query.bind(self._database).execute()

    def _fetch(self, query: Query) -> Iterator[KeptExecutor]:
        return (_value(row) for row in query.bind(self._database))


PART = 500
"""Ids that one question names: databases bound how many there may be."""


def _parts(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[start : start + PART] for start in range(0, len(names), PART))


def _matching(query: Query, wanted: ExecutorFilter) -> Query:
    for column, values in (
        (ExecutorRow.executor_id, wanted.ids),
        (ExecutorRow.account, wanted.accounts),
        (ExecutorRow.connector_name, wanted.connectors),
        (ExecutorRow.trading_pair, wanted.trading_pairs),
        (ExecutorRow.type, wanted.types),
        (ExecutorRow.status, wanted.statuses),
        (ExecutorRow.controller_id, wanted.controllers),
    ):
        if values:
            query = query.where(column.in_(values))
    if wanted.active is not None:
        ended = ExecutorRow.status == "TERMINATED"
        query = query.where(~ended if wanted.active else ended)
    return query


def _columns(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: orjson.dumps(value).decode() if name in JSON_COLUMNS and value is not None else value
        for name, value in values.items()
    }


def _value(row: Query) -> KeptExecutor:
    values = {name: getattr(row, name) for name in KeptExecutor.model_fields}
    for name in JSON_COLUMNS:
        if values[name] is not None:
            values[name] = orjson.loads(values[name])
    return KeptExecutor(**values)
