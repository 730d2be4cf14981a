"""What a bot's executors do, written into the bot's own database while they do it.

Hummingbot writes an executor down once it is over, and held positions when the strategy stops. What lives in
between is lost with the process: filled entries would have no exit any more, and controllers would buy anew what
they hold already. Two tables beside hummingbot's keep every unfinished executor, what it made up when it began, how
it is, and its orders with what each is for; the orders are written before they are sent.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
from hummingbot.connector.markets_recorder import MarketsRecorder
from hummingbot.core.data_type.common import OrderType, PositionAction, TradeType
from hummingbot.core.event.events import MarketEvent
from hummingbot.model.order import Order
from hummingbot.model.position import Position
from hummingbot.model.trade_fill import TradeFill
from sqlalchemy import (
    Column,
    Float,
    Integer,
    MetaData,
    Table,
    Text,
    and_,
    create_engine,
    delete,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.orm import Session
from sqlalchemy.schema import CreateColumn

_METADATA = MetaData()

_CONTROLLERS = Table("AviaryController", _METADATA, Column("id", Text, primary_key=True))
"""Controllers that run, or ran when the process died."""

_EXECUTORS = Table(
    "AviaryExecutor",
    _METADATA,
    Column("id", Text, primary_key=True),
    Column("controller_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("config", Text, nullable=False),
    Column("notes", Text, nullable=False, server_default="{}"),
    Column("state", Text, nullable=False, server_default="{}"),
)

_ORDERS = Table(
    "AviaryExecutorOrder",
    _METADATA,
    Column("number", Integer, primary_key=True),
    Column("executor_id", Text, nullable=False, index=True),
    Column("client_order_id", Text),
    Column("connector_name", Text, nullable=False),
    Column("trading_pair", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("order_type", Text, nullable=False),
    Column("amount", Text, nullable=False),
    Column("price", Text, nullable=False),
    Column("position_action", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("role", Text, nullable=False, server_default=""),
)


ENDS = frozenset(
    event.name
    for event in (
        MarketEvent.BuyOrderCompleted,
        MarketEvent.SellOrderCompleted,
        MarketEvent.OrderCancelled,
        MarketEvent.OrderExpired,
        MarketEvent.OrderFailure,
    )
)
"""Last events of an order, as hummingbot's own table of orders names them."""


@dataclass(frozen=True, slots=True)
class ExecutorOrder:
    """An order of an executor."""

    connector_name: str
    trading_pair: str
    side: TradeType
    order_type: OrderType
    amount: Decimal
    price: Decimal
    """Not a number for a market order."""
    position_action: PositionAction
    created_at: float
    """Unix seconds."""
    role: str = ""
    """What it is for, in its executor's terms."""
    client_order_id: str = ""
    exchange_order_id: str | None = None
    ended: bool = False
    """Whether hummingbot heard of its end."""


@dataclass(frozen=True, slots=True)
class UnfinishedExecutor:
    """An executor that the end of its process cut off."""

    id: str
    controller_id: str
    type: str
    config: str
    """JSON."""
    orders: tuple[ExecutorOrder, ...]
    notes: dict[str, Any] = field(default_factory=dict)
    """What it made up when it began."""
    state: dict[str, str] = field(default_factory=dict)
    """How it was at last."""


class ExecutorRecord:
    """The tables of the running strategy's database. Every change is on disk when a method returns."""

    def __init__(self) -> None:
        self._sql = MarketsRecorder.get_instance().sql_manager
        _METADATA.create_all(self._sql.engine)
        self._add_columns()

    def controllers(self) -> frozenset[str]:
        """Ids of the controllers that did not stop in order."""
        with self._sql.get_new_session() as session:
            return frozenset(session.scalars(select(_CONTROLLERS.c.id)))

    def unfinished(self) -> tuple[UnfinishedExecutor, ...]:
        """The executors that began and did not end."""
        with self._sql.get_new_session() as session:
            rows = session.execute(select(_EXECUTORS)).all()
            return tuple(
                UnfinishedExecutor(
                    row.id,
                    row.controller_id,
                    row.type,
                    row.config,
                    self._orders(session, row.id),
                    orjson.loads(row.notes),
                    orjson.loads(row.state),
                )
                for row in rows
            )

    def begin(self, executor: UnfinishedExecutor) -> None:
        """An executor is about to start; in place of one of the same id, whose orders it takes over."""
        values = {
            "id": executor.id,
            "controller_id": executor.controller_id,
            "type": executor.type,
            "config": executor.config,
            "notes": orjson.dumps(executor.notes).decode(),
            "state": orjson.dumps(executor.state).decode(),
        }
        with self._sql.get_new_session() as session, session.begin():
            session.execute(delete(_EXECUTORS).where(_EXECUTORS.c.id == executor.id))
            session.execute(insert(_EXECUTORS).values(values))

    def note(self, executor_id: str, state: dict[str, str]) -> None:
        """How an executor is has changed."""
        change = update(_EXECUTORS).where(_EXECUTORS.c.id == executor_id)
        with self._sql.get_new_session() as session, session.begin():
            session.execute(change.values(state=orjson.dumps(state).decode()))

    def intend(self, executor_id: str, order: ExecutorOrder) -> int:
        """An order is about to be sent; answers its number."""
        values = {
            "executor_id": executor_id,
            "connector_name": order.connector_name,
            "trading_pair": order.trading_pair,
            "side": order.side.name,
            "order_type": order.order_type.name,
            "amount": str(order.amount),
            "price": str(order.price),
            "position_action": order.position_action.name,
            "created_at": order.created_at,
            "role": order.role,
        }
        with self._sql.get_new_session() as session, session.begin():
            return int(session.execute(insert(_ORDERS).values(values)).inserted_primary_key[0])

    def name(self, number: int, client_order_id: str) -> None:
        """An order got its id. It is sent only after this."""
        change = update(_ORDERS).where(_ORDERS.c.number == number).values(client_order_id=client_order_id)
        with self._sql.get_new_session() as session, session.begin():
            session.execute(change)

    def settle(self, ended: Iterable[str], controllers: Iterable[str], positions: Sequence[Position]) -> None:
        """Executors ended, and with them the positions that their controllers hold now."""
        gone = tuple(ended)
        with self._sql.get_new_session() as session, session.begin():
            session.execute(delete(_ORDERS).where(_ORDERS.c.executor_id.in_(gone)))
            session.execute(delete(_EXECUTORS).where(_EXECUTORS.c.id.in_(gone)))
            for controller in controllers:
                if not session.scalar(select(_CONTROLLERS.c.id).where(_CONTROLLERS.c.id == controller)):
                    session.execute(insert(_CONTROLLERS).values(id=controller))
            for position in positions:
                # Hummingbot's own rows are told apart by side: one that turned from long to short would stand
                # twice.
                session.execute(
                    delete(Position).where(
                        and_(
                            Position.controller_id == position.controller_id,
                            Position.connector_name == position.connector_name,
                            Position.trading_pair == position.trading_pair,
                        )
                    )
                )
            session.add_all(positions)

    def close(self) -> None:
        """The strategy stopped in order: the next start is a fresh one."""
        with self._sql.get_new_session() as session, session.begin():
            session.execute(delete(_CONTROLLERS))

    def _add_columns(self) -> None:
        """Bring tables of an earlier release up to date."""
        with self._sql.engine.begin() as connection:
            for table in _METADATA.tables.values():
                known = {column["name"] for column in inspect(connection).get_columns(table.name)}
                for column in table.columns:
                    if column.name not in known:
                        definition = CreateColumn(column).compile(connection)
                        connection.execute(text(f'ALTER TABLE "{table.name}" ADD COLUMN {definition}'))

    def _orders(self, session: Any, executor_id: str) -> tuple[ExecutorOrder, ...]:
        wanted = select(_ORDERS).where(
            and_(_ORDERS.c.executor_id == executor_id, _ORDERS.c.client_order_id.is_not(None))
        )
        orders = (_order_of(row) for row in session.execute(wanted.order_by(_ORDERS.c.number)).all())
        return tuple(_as_heard(session, order) for order in orders)


def _as_heard(session: Any, order: ExecutorOrder) -> ExecutorOrder:
    wanted = select(Order.exchange_order_id, Order.last_status).where(Order.id == order.client_order_id)
    heard = session.execute(wanted).first()
    if heard is None:
        return order
    return replace(order, exchange_order_id=heard.exchange_order_id, ended=heard.last_status in ENDS)


def _order_of(row: Any) -> ExecutorOrder:
    return ExecutorOrder(
        connector_name=row.connector_name,
        trading_pair=row.trading_pair,
        side=TradeType[row.side],
        order_type=OrderType[row.order_type],
        amount=Decimal(row.amount),
        price=Decimal(row.price),
        position_action=PositionAction[row.position_action],
        created_at=row.created_at,
        role=row.role,
        client_order_id=row.client_order_id,
    )


def left_position(controller_id: str, connector_name: str, trading_pair: str, signed: Decimal) -> dict[str, str]:
    """What a controller holds when its bot has stopped; base units, negative for sold ones."""
    return {
        "controller_id": controller_id,
        "connector_name": connector_name,
        "trading_pair": trading_pair,
        "side": "LONG" if signed > 0 else "SHORT",
        "amount": f"{abs(signed).normalize():f}",
    }


def left_by_the_dead(database: Path) -> list[dict[str, str]]:
    """What a life that did not stop in order holds, as far as it had heard; without hummingbot's own machinery."""
    if not database.exists():
        return []
    engine = create_engine(f"sqlite:///{database}")
    try:
        with Session(engine) as session:
            tables = set(inspect(engine).get_table_names())
            if not {"AviaryExecutorOrder", "TradeFill", "Position"} <= tables:
                return []
            nets: dict[tuple[str, str, str], Decimal] = {}
            fills = (
                select(
                    _EXECUTORS.c.controller_id,
                    _ORDERS.c.connector_name,
                    _ORDERS.c.trading_pair,
                    _ORDERS.c.side,
                    TradeFill.amount,
                )
                .join(_ORDERS, _ORDERS.c.executor_id == _EXECUTORS.c.id)
                .join(TradeFill, TradeFill.order_id == _ORDERS.c.client_order_id)
            )
            held = select(
                Position.controller_id,
                Position.connector_name,
                Position.trading_pair,
                Position.side,
                Position.amount,
            )
            for controller, connector, pair, side, amount in (*session.execute(fills), *session.execute(held)):
                market = controller, connector, pair
                nets[market] = nets.get(market, Decimal(0)) + (amount if side == "BUY" else -amount)
            return [left_position(*market, net) for market, net in nets.items() if net != 0]
    finally:
        engine.dispose()
