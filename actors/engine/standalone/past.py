"""The orders of earlier lives, as the server has written them down."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from aviary.actors.engine.executors.record import ExecutorOrder, UnfinishedExecutor
from aviary.actors.engine.executors.resuming import PastOrder
from hummingbot.core.data_type.common import OrderType, PositionAction, TradeType
from hummingbot.core.data_type.in_flight_order import TradeUpdate
from hummingbot.core.data_type.trade_fee import AddedToCostTradeFee, TokenAmount


def unfinished(executor_id: str, controller_id: str, life: Mapping[str, Any]) -> UnfinishedExecutor:
    """An executor as its last life left it."""
    return UnfinishedExecutor(
        executor_id, controller_id, life["type"], life["config"], (), dict(life["notes"]), dict(life["state"])
    )


def past_order(facts: Mapping[str, Any]) -> PastOrder:
    """An order that has ended, with its trades."""
    order = ExecutorOrder(
        connector_name=facts["connector_name"],
        trading_pair=facts["trading_pair"],
        side=TradeType[facts["side"]],
        order_type=OrderType[facts["order_type"]],
        amount=Decimal(facts["amount"]),
        price=Decimal(facts["price"] or "NaN"),
        position_action=PositionAction[facts["position_action"]],
        created_at=facts["created_at"],
        role=facts["role"],
        client_order_id=facts["client_order_id"],
        exchange_order_id=facts["exchange_order_id"],
        ended=True,
    )
    return PastOrder(order, _trades(order, facts["trades"], Decimal(facts["filled_amount"])))


def _trades(order: ExecutorOrder, rows: Sequence[Mapping[str, Any]], filled: Decimal) -> tuple[TradeUpdate, ...]:
    trades = [_trade(order, one) for one in rows]
    missing = filled - sum((one.fill_base_amount for one in trades), Decimal(0))
    if missing > 0:
        # What the exchange says was filled and lists no trades of.
        price = order.price if order.price.is_finite() else trades[-1].fill_price if trades else Decimal(0)
        trade = {"trade_id": f"presumed-{order.client_order_id}", "amount": missing, "price": price}
        trades.append(_trade(order, {**trade, "fee_paid": 0, "fee_currency": None, "timestamp": order.created_at}))
    return tuple(trades)


def _trade(order: ExecutorOrder, row: Mapping[str, Any]) -> TradeUpdate:
    amount, price, fee = Decimal(row["amount"]), Decimal(row["price"]), Decimal(row["fee_paid"])
    flat = [TokenAmount(token=row["fee_currency"], amount=fee)] if row["fee_currency"] and fee else []
    return TradeUpdate(
        trade_id=row["trade_id"],
        client_order_id=order.client_order_id,
        exchange_order_id=order.exchange_order_id or "",
        trading_pair=order.trading_pair,
        fill_timestamp=row["timestamp"],
        fill_price=price,
        fill_base_amount=amount,
        fill_quote_amount=amount * price,
        fee=AddedToCostTradeFee(flat_fees=flat),
    )
