"""Works out what is taken over of dead executors, in a process with hummingbot: cases in, results out, as JSON.

python takeover_cases.py FOLDER < cases
"""

# ruff: noqa: E402 - hummingbot's root has to be settled before anything else of it is imported

import asyncio
import json
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

from aviary.actors.engine.roots import settle_in

settle_in(Path(sys.argv[1]))

from aviary.actors.engine.bot_orchestrator import RecordingOrchestrator
from aviary.actors.engine.bot_record import ExecutorOrder, UnfinishedExecutor
from aviary.actors.engine.bot_takeover import Estate, Fill, estates, open_entry
from hummingbot.core.data_type.common import OrderType, PositionAction, TradeType
from hummingbot.core.data_type.in_flight_order import OrderState, OrderUpdate, TradeUpdate
from hummingbot.core.data_type.trade_fee import AddedToCostTradeFee, TokenAmount
from hummingbot.strategy_v2.executors.position_executor.data_types import PositionExecutorConfig
from hummingbot.strategy_v2.models.executor_actions import StopExecutorAction

PAIR = "BTC-USDT"


class Rules:
    """An exchange's rules for the pair."""

    min_order_size = Decimal("0.01")
    min_notional_size = Decimal(5)


class Exchange:
    """A connector that has trading rules, and answers about one order as it is told to."""

    name = "exchange"
    trading_rules: ClassVar = {PAIR: Rules()}

    def __init__(self, answers: list[Any]) -> None:
        self._answers = answers
        self.asked: list[str | None] = []

    def quantize_order_amount(self, trading_pair: str, amount: Decimal) -> Decimal:
        assert trading_pair == PAIR
        return amount // Rules.min_order_size * Rules.min_order_size

    async def _request_order_status(self, order: Any) -> OrderUpdate:
        if self._answers[0] == "lost":
            self._answers.pop(0)
            raise ConnectionResetError("gone")
        return OrderUpdate(PAIR, 1.0, OrderState.FILLED, order.client_order_id, 77)  # type: ignore[arg-type]

    async def _all_trade_updates_for_order(self, order: Any) -> list[TradeUpdate]:
        self.asked.append(order.exchange_order_id)
        answer = self._answers[0] if len(self._answers) == 1 else self._answers.pop(0)
        return [trade("0", *one) for one in answer]

    def _is_order_not_found_during_status_update_error(self, error: Exception) -> bool:
        return "unknown" in str(error)


def trade(number: str, amount: str, price: str, fee: str = "0", token: str = "BTC") -> TradeUpdate:
    return TradeUpdate(
        trade_id=number,
        client_order_id="x",
        exchange_order_id="77",
        trading_pair="BTCUSDT",
        fill_timestamp=1.0,
        fill_price=Decimal(price),
        fill_base_amount=Decimal(amount),
        fill_quote_amount=Decimal(amount) * Decimal(price),
        fee=AddedToCostTradeFee(flat_fees=[TokenAmount(token, Decimal(fee))]),
    )


def order(side: str, amount: str = "1", price: str = "100") -> ExecutorOrder:
    return ExecutorOrder(
        connector_name="exchange",
        trading_pair=PAIR,
        side=TradeType[side],
        order_type=OrderType.LIMIT,
        amount=Decimal(amount),
        price=Decimal(price),
        position_action=PositionAction.OPEN,
        created_at=1.0,
        client_order_id="x",
    )


def entry(case: dict[str, Any]) -> list[str] | None:
    """Amount, average price and base fees of what is taken over."""
    config = PositionExecutorConfig(
        timestamp=1.0,
        connector_name="exchange",
        trading_pair=PAIR,
        side=TradeType[case["side"]],
        amount=Decimal(1),
    )
    executor = UnfinishedExecutor(config.id, "pmm", "position_executor", config.model_dump_json(), ())
    fills = tuple(Fill(order(side), trade(str(n), *rest)) for n, (side, *rest) in enumerate(case["fills"]))
    found = open_entry(config, Estate(executor, fills), Exchange([]), 2.0)
    if found is None:
        return None
    assert found.is_filled
    price = found.average_executed_price
    assert price is not None
    fees = sum((fee.amount for one in found.order_fills.values() for fee in one.fee.flat_fees), Decimal(0))
    return [f"{value.normalize():f}" for value in (found.executed_amount_base, price, fees)]


def held(case: dict[str, Any]) -> list[str]:
    """Net amount, average price and quote fees of a position made of an executor's orders."""
    orders = [order(side) for side, *_ in case["fills"]]
    fills = tuple(
        Fill(replace(one, client_order_id=f"x-{n}"), trade(str(n), *rest))
        for n, (one, (_, *rest)) in enumerate(zip(orders, case["fills"], strict=True))
    )
    executor = UnfinishedExecutor("e", "pmm", "order_executor", "{}", ())
    orchestrator = RecordingOrchestrator.__new__(RecordingOrchestrator)
    orchestrator.positions_held = {"pmm": []}
    orchestrator._hold(Estate(executor, fills))
    [hold] = orchestrator.positions_held["pmm"]
    numbers = (hold.net_amount_base, hold.avg_entry_price, hold.cum_fees_quote)
    return [f"{round(value, 6).normalize():f}" for value in numbers]


def acts_early() -> bool:
    """Whether an action of a controller does anything before the dead life has been taken over."""
    orchestrator = RecordingOrchestrator.__new__(RecordingOrchestrator)
    orchestrator._taken_over = False
    orchestrator.active_executors = orchestrator.positions_held = orchestrator.cached_performance = {}
    orchestrator.execute_action(StopExecutorAction(controller_id="pmm", executor_id="e"))
    return bool(orchestrator.active_executors)


async def asked(case: dict[str, Any]) -> dict[str, Any]:
    """What the exchange was asked, and the fills that came of it."""
    exchange = Exchange(case["answers"])
    said: list[str] = []
    executor = UnfinishedExecutor("e", "pmm", "position_executor", "{}", (order("BUY", case["amount"]),))
    [estate] = await estates((executor,), {"exchange": exchange}, said.append)
    fills = [[str(one.trade.fill_base_amount), str(one.trade.fill_price)] for one in estate.fills]
    return {"ids": sorted(set(map(str, exchange.asked))), "said": len(said), "fills": fills}


cases = json.loads(sys.stdin.read())
print(
    json.dumps(
        {
            "entries": [entry(case) for case in cases["entries"]],
            "held": [held(case) for case in cases["held"]],
            "acts early": acts_early(),
            "asked": [asyncio.run(asked(case)) for case in cases["asked"]],
        }
    )
)
