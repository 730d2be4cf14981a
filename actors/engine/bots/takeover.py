"""What the unfinished executors of a dead life hold: its orders' fills, as the exchange tells them."""

# ruff: noqa: SLF001 - connectors have no public way to ask for one order

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from aviary.actors.engine.bots.orders import CONNECTOR_ERRORS, FIRST_DELAY, LAST_DELAY, REQUEST_TIMEOUT
from aviary.actors.engine.bots.sending import ON_ITS_WAY, unknown
from aviary.actors.engine.executors.record import ExecutorOrder, UnfinishedExecutor
from aviary.actors.engine.executors.resuming import PastOrder, amount_of
from hummingbot.connector.markets_recorder import MarketsRecorder
from hummingbot.core.data_type.in_flight_order import InFlightOrder, OrderState, TradeUpdate
from hummingbot.core.data_type.trade_fee import AddedToCostTradeFee, TradeFeeBase
from hummingbot.model.trade_fill import TradeFill
from sqlalchemy import select

AT_ONCE = 4
"""Orders that are asked about at the same time."""

FEW = 20
"""Orders of one executor up to which the exchange is asked about all of them. Of an executor with more, such as a grid,
those that had ended are taken as they were written down: asking would take minutes."""

ASK_AGAIN = 1.0
"""Seconds between two questions about an order that may be on its way."""

LATE_FILLS = 5
"""Questions after which what the fills of a filled order lack is taken to have traded at its price."""


@dataclass(frozen=True, slots=True)
class Fill:
    """A trade of one of an executor's orders."""

    order: ExecutorOrder
    trade: TradeUpdate


@dataclass(frozen=True, slots=True)
class ExecutorFills:
    """An unfinished executor and all that it traded."""

    executor: UnfinishedExecutor
    fills: tuple[Fill, ...]

    def past(self) -> tuple[PastOrder, ...]:
        """Its orders with what each traded, in the order in which they were sent."""
        trades: dict[ExecutorOrder, list[TradeUpdate]] = {order: [] for order in self.executor.orders}
        for fill in self.fills:
            trades.setdefault(fill.order, []).append(fill.trade)
        return tuple(PastOrder(order, tuple(found)) for order, found in trades.items())


async def fetch_fills(
    executors: Sequence[UnfinishedExecutor],
    connectors: Mapping[str, Any],
    say: Callable[[str], None],
    now: Callable[[], float],
) -> tuple[ExecutorFills, ...]:
    """What each executor traded. Tries until the exchange has answered; `say` is told what keeps it.

    `now` gives Unix seconds: an order that was just sent may still be on its way.
    """
    gate = asyncio.Semaphore(AT_ONCE)

    async def fills_of(order: ExecutorOrder, *, known: bool) -> tuple[Fill, ...]:
        connector = connectors.get(order.connector_name)
        async with gate:
            trades = _written_down(order) if known or connector is None else await _ask(connector, order, say, now)
        return tuple(Fill(order, trade) for trade in trades)

    async def executor_fills(executor: UnfinishedExecutor) -> ExecutorFills:
        many = len(executor.orders) > FEW
        fills = await asyncio.gather(*(fills_of(order, known=many and order.ended) for order in executor.orders))
        return ExecutorFills(executor, tuple(fill for one in fills for fill in one))

    return tuple(await asyncio.gather(*(executor_fills(executor) for executor in executors)))


async def _ask(
    connector: Any, order: ExecutorOrder, say: Callable[[str], None], now: Callable[[], float]
) -> Sequence[TradeUpdate]:
    delay, tries = FIRST_DELAY, 0
    while True:
        try:
            state, trades = await _question(connector, order)
        except CONNECTOR_ERRORS as error:
            if not unknown(connector, order, error):
                say(
                    f"{connector.name}: orders of an earlier life can't be asked about yet: {type(error).__name__}"
                )
            elif order.ended or not 0 <= now() - order.created_at < ON_ITS_WAY:
                return _written_down(order)
            else:
                say(f"{connector.name}: the last order of an earlier life may still be on its way")
                # Found soon if it is; there is no end to wait for but that of its way.
                delay = min(delay, ASK_AGAIN)
        else:
            if not is_over(state):
                say(f"{connector.name}: cancelling an order of an earlier life that arrived late")
            else:
                tries += 1
                missing = order.amount - amount_of(trades)
                if state is not OrderState.FILLED or missing <= 0:
                    return trades
                if tries >= LATE_FILLS and (price := _price_of(order, trades)) is not None:
                    return [*trades, _presumed(order, missing, price)]
                say(f"{connector.name}: the fills of an order of an earlier life are not listed yet")
        await asyncio.sleep(delay)
        delay = min(delay * 2, LAST_DELAY)


async def _question(connector: Any, order: ExecutorOrder) -> tuple[OrderState, list[TradeUpdate]]:
    shadow = shadow_of(order)
    async with asyncio.timeout(REQUEST_TIMEOUT):
        update = await connector._request_order_status(shadow)
        if update.exchange_order_id is not None:
            # Some connectors give a number here, and compare it with texts.
            shadow.update_exchange_order_id(str(update.exchange_order_id))
        if not is_over(update.new_state):
            await connector._place_cancel(order.client_order_id, shadow)
        return update.new_state, list(await connector._all_trade_updates_for_order(shadow))


def is_over(state: OrderState) -> bool:
    """Whether an order in this state can't trade any more."""
    return state in {OrderState.CANCELED, OrderState.FILLED, OrderState.FAILED, OrderState.COMPLETED}


def shadow_of(order: ExecutorOrder) -> InFlightOrder:
    """The order in hummingbot's form."""
    return InFlightOrder(
        client_order_id=order.client_order_id,
        exchange_order_id=order.exchange_order_id,
        trading_pair=order.trading_pair,
        order_type=order.order_type,
        trade_type=order.side,
        amount=order.amount,
        price=order.price,
        position=order.position_action,
        creation_timestamp=order.created_at,
    )


def _written_down(order: ExecutorOrder) -> tuple[TradeUpdate, ...]:
    """The fills that the dead life had heard of, for an order that the exchange does not know any more."""
    wanted = select(TradeFill).where(TradeFill.order_id == order.client_order_id)
    with MarketsRecorder.get_instance().sql_manager.get_new_session() as session:
        return tuple(_trade_of(row, order) for row in session.scalars(wanted))


def _price_of(order: ExecutorOrder, trades: Sequence[TradeUpdate]) -> Decimal | None:
    if order.price.is_finite():
        return order.price
    return trades[-1].fill_price if trades else None


def _presumed(order: ExecutorOrder, amount: Decimal, price: Decimal) -> TradeUpdate:
    return TradeUpdate(
        trade_id=f"presumed-{order.client_order_id}",
        client_order_id=order.client_order_id,
        exchange_order_id=order.exchange_order_id or "",
        trading_pair=order.trading_pair,
        fill_timestamp=order.created_at,
        fill_price=price,
        fill_base_amount=amount,
        fill_quote_amount=amount * price,
        fee=AddedToCostTradeFee(),
    )


def _trade_of(row: TradeFill, order: ExecutorOrder) -> TradeUpdate:
    return TradeUpdate(
        trade_id=row.exchange_trade_id,
        client_order_id=order.client_order_id,
        exchange_order_id=order.exchange_order_id or "",
        trading_pair=order.trading_pair,
        fill_timestamp=row.timestamp / 1000,
        fill_price=row.price,
        fill_base_amount=row.amount,
        fill_quote_amount=row.price * row.amount,
        fee=TradeFeeBase.from_json(row.trade_fee),
    )
