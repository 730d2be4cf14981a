"""Works out what is taken over of dead executors, in a process with hummingbot: cases in, results out, as JSON.

python takeover_cases.py FOLDER < cases
"""

# ruff: noqa: E402 - hummingbot's root has to be settled before anything else of it is imported

import asyncio
import json
import logging
import sys
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

from aviary.actors.engine.processes.hummingbot_home import use_home

use_home(Path(sys.argv[1]))

from aviary.actors.engine.bots.orchestrator import RecordingOrchestrator
from aviary.actors.engine.bots.takeover import ExecutorFills, fetch_fills
from aviary.actors.engine.executors.kinds import LASTING
from aviary.actors.engine.executors.record import ExecutorOrder, ExecutorRecord, UnfinishedExecutor
from aviary.actors.engine.executors.resuming import PastOrder
from hummingbot.connector.markets_recorder import MarketsRecorder
from hummingbot.core.data_type.common import OrderType, PositionAction, PositionMode, TradeType
from hummingbot.core.data_type.in_flight_order import InFlightOrder, OrderState, OrderUpdate, TradeUpdate
from hummingbot.core.data_type.trade_fee import AddedToCostTradeFee, TokenAmount
from hummingbot.model import HummingbotBase
from hummingbot.strategy_v2.models.base import RunnableStatus
from hummingbot.strategy_v2.models.executor_actions import StopExecutorAction
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

PAIR = "BTC-USDT"
NOW = 1000.0


class Rules:
    """An exchange's rules for the pair."""

    min_order_size = Decimal("0.01")
    min_notional_size = Decimal(5)
    min_base_amount_increment = Decimal("0.01")
    min_price_increment = Decimal("0.1")


class Exchange:
    """A connector that has trading rules, and answers about one order as it is told to."""

    name = "exchange"
    trading_rules: ClassVar = {PAIR: Rules()}
    position_mode = PositionMode.ONEWAY
    trading_pairs: ClassVar = [PAIR]

    def __init__(self, answers: list[Any], price: str = "100") -> None:
        self._answers = answers
        self._price = Decimal(price)
        self.asked: list[str | None] = []
        self.cancelled: list[str] = []
        self.known: dict[str, InFlightOrder] = {}
        self._order_tracker = SimpleNamespace(fetch_order=self._fetch)

    def quantize_order_amount(self, trading_pair: str, amount: Decimal) -> Decimal:
        assert trading_pair == PAIR
        return amount // Rules.min_order_size * Rules.min_order_size

    def get_price_by_type(self, trading_pair: str, kind: Any) -> Decimal:
        assert trading_pair == PAIR
        del kind
        return self._price

    def _fetch(self, client_order_id: str) -> InFlightOrder | None:
        return self.known.get(client_order_id)

    def supported_order_types(self) -> list[OrderType]:
        return [OrderType.LIMIT, OrderType.MARKET]

    @property
    def budget_checker(self) -> Any:
        return SimpleNamespace(adjust_candidates=lambda candidates: candidates)

    def cancel(self, trading_pair: str, order_id: str) -> None:
        """What rests is gone at once."""
        assert trading_pair == PAIR
        if order_id in self.known:
            order = self.known[order_id]
            order.current_state, order.last_update_timestamp = OrderState.CANCELED, 0.0

    # As much of Gateway as a position in a pool needs

    positions: ClassVar[list[str]] = []
    pool: ClassVar[list[list[str]]] = []

    def create_market_order_id(self, *given: Any) -> str:
        return "pool-order"

    async def get_user_positions(self, **given: Any) -> list[Any]:
        return [SimpleNamespace(address=name, lower_price=90, upper_price=110) for name in self.positions]

    async def get_position_info_fresh(self, **given: Any) -> Any:
        amounts = dict.fromkeys(
            ("base_token_amount", "quote_token_amount", "base_fee_amount", "quote_fee_amount"), 1
        )
        return SimpleNamespace(lower_price=90, upper_price=110, price=100, **amounts)

    async def _clmm_add_liquidity(self, **given: Any) -> str:
        self.pool.append(["OPEN", given["pool_address"]])
        raise ConnectionResetError("gone")

    async def _clmm_close_position(self, **given: Any) -> str:
        self.pool.append(["CLOSE", given["position_address"]])
        raise ConnectionResetError("gone")

    def add_listener(self, *given: Any) -> None:
        pass

    remove_listener = add_listener

    async def _request_order_status(self, order: Any) -> OrderUpdate:
        if self._answers[0] in ("lost", "unknown"):
            raise ConnectionResetError(self._answers.pop(0))
        state = OrderState.OPEN if self._answers[0] == "open" else OrderState.FILLED
        return OrderUpdate(PAIR, 1.0, state, order.client_order_id, 77)  # type: ignore[arg-type]

    async def _all_trade_updates_for_order(self, order: Any) -> list[TradeUpdate]:
        self.asked.append(order.exchange_order_id)
        answer = self._answers[0] if len(self._answers) == 1 else self._answers.pop(0)
        return [] if answer == "open" else [trade("0", *one) for one in answer]

    async def _place_cancel(self, client_order_id: str, order: Any) -> None:
        del order
        self.cancelled.append(client_order_id)

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


def order(side: str, amount: str = "1", price: str = "100", **more: Any) -> ExecutorOrder:
    given: dict[str, Any] = {
        "connector_name": "exchange",
        "trading_pair": PAIR,
        "side": TradeType[side],
        "order_type": OrderType[more.pop("type", "LIMIT")],
        "amount": Decimal(amount),
        "price": Decimal(price),
        "position_action": PositionAction.OPEN,
        "created_at": 1.0,
        "client_order_id": "x",
        **more,
    }
    return ExecutorOrder(**given)


class Strategy:
    """As much of a strategy as executors need, and the orders that they place with it."""

    current_timestamp = NOW

    def __init__(self, exchanges: dict[str, Exchange]) -> None:
        self.connectors = exchanges
        self.placed: list[list[str]] = []

    def place(self, executor: Any, **sent: Any) -> str:
        """Market orders are filled at once, others rest."""
        name = f"new-{len(self.placed)}"
        market = sent["order_type"] == OrderType.MARKET
        amount = self.connectors[sent["connector_name"]].quantize_order_amount(PAIR, sent["amount"])
        self.placed.append([sent["side"].name, sent["order_type"].name, plain(amount), executor.role])
        new = InFlightOrder(
            name, PAIR, sent["order_type"], sent["side"], amount, NOW, Decimal(100), name, OrderState.OPEN
        )
        if market:
            update = trade("1", str(amount), "100", token="USDT")._replace(client_order_id=name)
            new.update_with_trade_update(update)
            new.current_state = OrderState.FILLED
        self.connectors[sent["connector_name"]].known[name] = new
        return name


def plain(number: Decimal) -> str:
    return f"{round(number, 6).normalize():f}"


async def resumed(case: dict[str, Any]) -> dict[str, Any]:
    """What an executor is and does after its earlier orders were put back: orders placed by its next steps."""
    exchanges = {name: Exchange([], case.get("price", "100")) for name in ("exchange", "perpetual")}
    strategy = Strategy(exchanges)
    kind = LASTING[case["type"]]
    config = kind.config_class.model_validate({"timestamp": NOW - 100, **case["config"]})
    executor = kind(strategy=strategy, config=config, update_interval=1.0)
    executor.place_order = lambda **sent: strategy.place(executor, **sent)

    async def sleep(delay: float) -> None:
        del delay

    async def no_pool() -> None:
        pass

    executor._sleep = sleep  # type: ignore[method-assign]
    executor.update_pool_info = no_pool
    Exchange.positions[:], Exchange.pool[:] = case.get("positions", []), []
    past = []
    for number, (role, side, traded, *rest) in enumerate(case["orders"]):
        more = dict(rest[0]) if rest else {}
        price = more.pop("price", "100")
        fee, token = more.pop("fee", "0"), more.pop("token", "USDT")
        sent = order(side, more.pop("of", traded), price, role=role, client_order_id=f"old-{number}", **more)
        trades = (trade(str(number), traded, price, fee, token),) if Decimal(traded) else ()
        past.append(PastOrder(sent, trades))
    notes = case.get("notes", executor.notes())
    executor.resume(UnfinishedExecutor("e", "c", case["type"], "", (), notes, case.get("state", {})), past)
    over = executor.is_over()
    closing = executor.close_type
    active = None
    if not over:
        executor._status = RunnableStatus.SHUTTING_DOWN if closing else RunnableStatus.RUNNING
        active = executor.is_active
        for _ in range(case.get("steps", 4)):
            await executor.control_task()
    else:
        executor.go_on()
    return {
        "placed": strategy.placed,
        "over": over,
        "active": active,
        "end": executor.close_type.name if executor.close_type else None,
        "status": executor.status.name,
        "pnl": "" if case["type"] == "lp_executor" else plain(executor.get_net_pnl_quote()),
        "pool": list(Exchange.pool),
    }


def held(case: dict[str, Any]) -> list[str]:
    """Net amount, average price and quote fees of a position made of an executor's orders."""
    orchestrator = RecordingOrchestrator.__new__(RecordingOrchestrator)
    orchestrator.positions_held = {"pmm": []}
    for number, (side, *rest) in enumerate(case["fills"]):
        past = PastOrder(order(side, client_order_id=f"x-{number}"), (trade(str(number), *rest),))
        orchestrator.hold("pmm", "exchange", PAIR, past.filled())
    [hold] = orchestrator.positions_held["pmm"]
    numbers = (hold.net_amount_base, hold.avg_entry_price, hold.cum_fees_quote)
    return [plain(value) for value in numbers]


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
    sent = order("BUY", case["amount"])
    executor = UnfinishedExecutor("e", "pmm", "position_executor", "{}", (sent,))
    [fills] = await fetch_fills(
        (executor,), {"exchange": exchange}, said.append, lambda: case.get("age", 60.0) + 1.0
    )
    assert isinstance(fills, ExecutorFills)
    [past] = fills.past()
    fills = [[str(one.fill_base_amount), str(one.fill_price)] for one in past.trades]
    return {
        "ids": sorted(set(map(str, exchange.asked))),
        "said": len(said),
        "fills": fills,
        "cancelled": bool(exchange.cancelled),
    }


def reads_an_old_record() -> list[Any]:
    """An executor that an earlier release wrote down, as this one reads it."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    with engine.begin() as connection:
        connection.execute(
            text("CREATE TABLE AviaryExecutor (id TEXT, controller_id TEXT, type TEXT, config TEXT)")
        )
        connection.execute(
            text(
                "CREATE TABLE AviaryExecutorOrder (number INTEGER, executor_id TEXT, client_order_id TEXT,"
                " connector_name TEXT, trading_pair TEXT, side TEXT, order_type TEXT, amount TEXT, price TEXT,"
                " position_action TEXT, created_at FLOAT)"
            )
        )
        connection.execute(text("INSERT INTO AviaryExecutor VALUES ('e', 'c', 'grid_executor', '{}')"))
        connection.execute(
            text(
                "INSERT INTO AviaryExecutorOrder"
                " VALUES (1, 'e', 'x', 'exchange', 'BTC-USDT', 'BUY', 'LIMIT', '1', '100', 'OPEN', 1.0)"
            )
        )
    HummingbotBase.metadata.create_all(engine)
    MarketsRecorder._shared_instance = SimpleNamespace(
        sql_manager=SimpleNamespace(engine=engine, get_new_session=lambda: Session(engine))
    )
    [executor] = ExecutorRecord().unfinished()
    return [executor.notes, executor.state, [one.role for one in executor.orders]]


logging.disable()
cases = json.loads(sys.stdin.read())
print(
    json.dumps(
        {
            "resumed": [asyncio.run(resumed(case)) for case in cases["resumed"]],
            "held": [held(case) for case in cases["held"]],
            "acts early": acts_early(),
            "old record": reads_an_old_record(),
            "asked": [asyncio.run(asked(case)) for case in cases["asked"]],
        }
    )
)
