"""What the unfinished executors of a dead life hold: its orders' fills, as the exchange tells them."""

# ruff: noqa: SLF001 - connectors have no public way to ask for one order

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from aviary.actors.engine.bot_orders import CONNECTOR_ERRORS, FIRST_DELAY, LAST_DELAY, REQUEST_TIMEOUT
from aviary.actors.engine.bot_record import ExecutorOrder, UnfinishedExecutor
from hummingbot.connector.markets_recorder import MarketsRecorder
from hummingbot.core.data_type.common import PositionAction, TradeType
from hummingbot.core.data_type.in_flight_order import InFlightOrder, OrderState, TradeUpdate
from hummingbot.core.data_type.trade_fee import AddedToCostTradeFee, TokenAmount, TradeFeeBase
from hummingbot.model.trade_fill import TradeFill
from hummingbot.strategy_v2.executors.position_executor.data_types import PositionExecutorConfig
from sqlalchemy import select

AT_ONCE = 4
"""Orders that are asked about at the same time."""

FEW = 20
"""Orders of one executor up to which the exchange is asked about all of them. Of an executor with more, such as a grid,
those that had ended are taken as they were written down: asking would take minutes."""

LATE_FILLS = 5
"""Questions after which what the fills of a filled order lack is taken to have traded at its price."""


@dataclass(frozen=True, slots=True)
class Fill:
    """A trade of one of an executor's orders."""

    order: ExecutorOrder
    trade: TradeUpdate


@dataclass(frozen=True, slots=True)
class Estate:
    """An unfinished executor and all that it traded."""

    executor: UnfinishedExecutor
    fills: tuple[Fill, ...]

    def traded(self, side: TradeType) -> tuple[TradeUpdate, ...]:
        """The trades on one side."""
        return tuple(fill.trade for fill in self.fills if fill.order.side == side)


async def estates(
    executors: Sequence[UnfinishedExecutor], connectors: Mapping[str, Any], say: Callable[[str], None]
) -> tuple[Estate, ...]:
    """What each executor traded. Tries until the exchange has answered; `say` is told what keeps it."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def fills_of(order: ExecutorOrder, *, known: bool) -> tuple[Fill, ...]:
        connector = connectors.get(order.connector_name)
        async with gate:
            trades = _written_down(order) if known or connector is None else await _ask(connector, order, say)
        return tuple(Fill(order, trade) for trade in trades)

    async def estate_of(executor: UnfinishedExecutor) -> Estate:
        many = len(executor.orders) > FEW
        fills = await asyncio.gather(*(fills_of(order, known=many and order.ended) for order in executor.orders))
        return Estate(executor, tuple(fill for one in fills for fill in one))

    return tuple(await asyncio.gather(*(estate_of(executor) for executor in executors)))


async def _ask(connector: Any, order: ExecutorOrder, say: Callable[[str], None]) -> Sequence[TradeUpdate]:
    delay, tries = FIRST_DELAY, 0
    while True:
        try:
            state, trades = await _question(connector, order)
        except CONNECTOR_ERRORS as error:
            if _is_unknown(connector, order, error):
                return _written_down(order)
            say(f"{connector.name}: orders of an earlier life can't be asked about yet: {type(error).__name__}")
        else:
            tries += 1
            missing = order.amount - _amount(trades)
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
        return update.new_state, list(await connector._all_trade_updates_for_order(shadow))


def _is_unknown(connector: Any, order: ExecutorOrder, error: Exception) -> bool:
    if isinstance(error, OSError) and not isinstance(error, TimeoutError):
        return bool(connector._is_order_not_found_during_status_update_error(error))
    # Exchanges that know orders by their own ids only can't be asked about one that never got any.
    return isinstance(error, TimeoutError) and order.exchange_order_id is None


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


def open_entry(
    config: PositionExecutorConfig, estate: Estate, connector: Any, created_at: float
) -> InFlightOrder | None:
    """The part of a position executor's entry that has no exit yet, as one filled order.

    `None` if it is too small to be closed by the exchange's rules.
    """
    base = config.trading_pair.split("-")[0]
    entered = estate.traded(config.side)
    bought = _amount(entered) - _fees_in(base, entered)
    if bought <= 0:
        return None
    exited = _amount(estate.traded(TradeType.SELL if config.side == TradeType.BUY else TradeType.BUY))
    share = 1 - exited / bought
    price = sum((one.fill_quote_amount for one in entered), Decimal(0)) / _amount(entered)
    rules = connector.trading_rules[config.trading_pair]
    left = connector.quantize_order_amount(config.trading_pair, bought * max(share, Decimal(0)))
    if left < rules.min_order_size or left * price < rules.min_notional_size:
        return None
    # Under a name of its own: what the connector still says of the real orders must not touch it.
    name = f"taken-over-{config.id}"
    order = InFlightOrder(
        client_order_id=name,
        exchange_order_id=name,
        trading_pair=config.trading_pair,
        order_type=config.triple_barrier_config.open_order_type,
        trade_type=config.side,
        amount=_amount(entered) * share,
        price=price,
        position=PositionAction.OPEN,
        creation_timestamp=created_at,
        initial_state=OrderState.FILLED,
    )
    order.order_fills = {one.trade_id: _part_of(one, share, config.trading_pair) for one in entered}
    order.executed_amount_base, order.executed_amount_quote = order.amount, order.amount * price
    return order


def filled_orders(estate: Estate) -> Iterator[tuple[ExecutorOrder, InFlightOrder]]:
    """Each order that traded, with its fills, in hummingbot's form; in the order in which they were sent."""
    fills: dict[ExecutorOrder, list[TradeUpdate]] = {}
    for fill in estate.fills:
        fills.setdefault(fill.order, []).append(fill.trade)
    for order, trades in fills.items():
        filled = shadow_of(order)
        filled.order_fills = {one.trade_id: one for one in trades}
        filled.executed_amount_base = _amount(trades)
        filled.executed_amount_quote = sum((one.fill_quote_amount for one in trades), Decimal(0))
        yield order, filled


def _part_of(trade: TradeUpdate, share: Decimal, trading_pair: str) -> TradeUpdate:
    fees = [TokenAmount(token=fee.token, amount=fee.amount * share) for fee in trade.fee.flat_fees]
    return trade._replace(
        trading_pair=trading_pair,
        fill_base_amount=trade.fill_base_amount * share,
        fill_quote_amount=trade.fill_quote_amount * share,
        fee=replace(trade.fee, flat_fees=fees),
    )


def _amount(trades: Sequence[TradeUpdate]) -> Decimal:
    return sum((one.fill_base_amount for one in trades), Decimal(0))


def _fees_in(token: str, trades: Sequence[TradeUpdate]) -> Decimal:
    return sum((fee.amount for one in trades for fee in one.fee.flat_fees if fee.token == token), Decimal(0))
