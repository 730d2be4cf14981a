"""Closing what an executor holds that can't go on: by one order, and by an executor that sees it through."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from aviary.actors.engine.executors.position import LastingPositionExecutor
from aviary.actors.engine.executors.record import UnfinishedExecutor
from aviary.actors.engine.executors.resuming import PastOrder
from hummingbot.core.data_type.common import TradeType
from hummingbot.strategy_v2.executors.position_executor.data_types import (
    PositionExecutorConfig,
    TripleBarrierConfig,
)

type Market = tuple[str, str]
"""Connector and pair."""


def nets(past: Sequence[PastOrder]) -> dict[Market, Decimal]:
    """Base units that some orders bought more than they sold, by market; none are left out."""
    found: dict[Market, Decimal] = {}
    for one in past:
        market = one.order.connector_name, one.order.trading_pair
        signed = one.amount if one.order.side == TradeType.BUY else -one.amount
        found[market] = found.get(market, Decimal(0)) + signed
    return found


def exposure(past: Sequence[PastOrder]) -> str:
    """What some orders hold together, in words."""
    return ", ".join(
        f"{net.normalize():f} {pair} on {name}" for (name, pair), net in nets(past).items() if net != 0
    )


def closing_executor(
    dead: UnfinishedExecutor, past: Sequence[PastOrder], market: Market, net: Decimal, **given: Any
) -> LastingPositionExecutor:
    """An executor of the dead one's id that closes what it holds on one market; `go_on` sets it off.

    `given` is what hummingbot's executors are made with, besides their configuration.
    """
    connector_name, trading_pair = market
    mine = [one for one in past if one.amount > 0 and (one.order.connector_name, one.order.trading_pair) == market]
    config = PositionExecutorConfig(
        id=dead.id,
        timestamp=mine[0].order.created_at,
        controller_id=dead.controller_id,
        connector_name=connector_name,
        trading_pair=trading_pair,
        side=TradeType.BUY if net > 0 else TradeType.SELL,
        amount=abs(net),
        entry_price=mine[0].filled().price,
        triple_barrier_config=TripleBarrierConfig(),
    )
    executor = LastingPositionExecutor(config=config, **given)
    closing = UnfinishedExecutor(dead.id, dead.controller_id, config.type, "", (), {}, {"closing": "EARLY_STOP"})
    executor.resume(closing, past)
    return executor
