"""Desks that everybody uses, between neighbours that crash: whoever asked is told, and nobody else notices."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from aviary.actors.accounts.portfolio import Portfolio
from aviary.actors.accounts.trading import TradingService
from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.message import Message
from aviary.actors.core.refusal import NoAnswer
from aviary.actors.core.simulation import Simulation
from aviary.actors.messages.accounts import Connection, ListConnections
from aviary.actors.messages.connectors import GetBalances
from aviary.actors.messages.engine import NothingDone
from aviary.actors.messages.portfolio import GetPortfolioState
from aviary.actors.messages.trading import (
    CancelOrder,
    ClosePosition,
    GetPositions,
    ListPositions,
    NewOrderId,
    PlacedOrder,
    PlaceOrder,
    SetLeverage,
    SetPositionMode,
)
from aviary.supervisors.backoff import IMMEDIATE
from aviary.supervisors.boot import Tree
from aviary.supervisors.spec import ChildSpec, SupervisorSpec

PLACED = PlacedOrder(
    order_id="1",
    account_name="good",
    connector_name="sandbox_perpetual",
    trading_pair="BTC-USDT",
    trade_type="BUY",
    amount="1",
    order_type="MARKET",
    price=None,
    state="open",
)


class Registry(AsyncActor):
    """Three accounts with a connector each."""

    def receive(self, message: Any) -> Any:
        assert isinstance(message, ListConnections)
        return tuple(
            Connection(account_name=name, connector_name="sandbox_perpetual", address=name)
            for name in message.account_names or ("good", "bad")
        )


class Good(AsyncActor):
    """A connector that takes its time."""

    def receive(self, message: Any) -> Any:
        return self.defer(self._later(message))

    async def _later(self, message: Any) -> Any:

        await asyncio.sleep(5)
        answers: dict[type, Any] = {GetBalances: {}, GetPositions: (), NewOrderId: "1"}
        return answers.get(type(message), PLACED)


class Bad(AsyncActor):
    """A connector that nothing it has to do survives."""

    def receive(self, message: Any) -> Any:
        if isinstance(message, NewOrderId):
            return "lost-1"
        raise ValueError("it has a bad day")


class Silent(AsyncActor):
    """A connector that says nothing of what it does."""

    def receive(self, message: Any) -> Any:
        return "lost-2" if isinstance(message, NewOrderId) else self.defer(asyncio.Event().wait())


@pytest.fixture
def sim() -> Iterator[Simulation]:
    with Simulation(seed=1) as sim:
        actors = {
            "trading": TradingService,
            "portfolio": Portfolio,
            "account-registry": Registry,
            "good": Good,
            "bad": Bad,
            "silent": Silent,
        }
        children = tuple(ChildSpec(name, make, backoff=IMMEDIATE) for name, make in actors.items())
        tree = Tree(sim.system, SupervisorSpec(intensity=None, children=children))
        sim.run(tree.start())
        yield sim


def order(account: str) -> PlaceOrder:
    return PlaceOrder.model_validate(
        {
            "account_name": account,
            "connector_name": "sandbox_perpetual",
            "trading_pair": "BTC-USDT",
            "trade_type": "BUY",
            "amount": 1,
            "order_type": "MARKET",
        }
    )


def test_the_crash_of_one_account_s_connector_is_nobody_else_s(sim: Simulation) -> None:
    ask = sim.system.ask
    waiting = sim.loop.create_task(ask("trading", order("good"), timeout=20))
    sim.settle()

    cancel = CancelOrder(account_name="bad", connector_name="sandbox_perpetual", client_order_id="1")
    for message in (order("bad"), order("bad"), order("bad"), cancel):
        with pytest.raises(NoAnswer, match="bad crashed"):
            sim.run(ask("trading", message, timeout=20))
        sim.settle()

    async def wait() -> PlacedOrder:
        return await waiting

    assert sim.run(wait()) == PLACED
    assert sim.run(ask("trading", order("good"), timeout=20)) == PLACED
    cell = sim.system.cell("trading")
    assert cell is not None
    assert (cell.incarnation, cell.restarts, cell.poison) == (1, 0, {})


SWAPS = {"connector_name": "sandbox_perpetual"}


@pytest.mark.parametrize(
    ("message", "known"),
    [
        (order("bad"), {"order_id": "lost-1"}),
        (order("silent"), {"order_id": "lost-2"}),
        (CancelOrder(account_name="bad", **SWAPS, client_order_id="1"), {"order_id": "1"}),
        (CancelOrder(account_name="silent", **SWAPS, client_order_id="1"), {"order_id": "1"}),
        (SetLeverage(account_name="bad", **SWAPS, trading_pair="BTC-USDT", leverage=2), {}),
        (SetPositionMode(account_name="silent", **SWAPS, position_mode="HEDGE"), {}),
    ],
    ids=lambda value: f"{type(value).__name__}-{value.account_name}" if isinstance(value, Message) else "",
)
def test_what_may_have_been_done_is_told_as_such_with_what_is_known_of_it(
    sim: Simulation, message: Message[Any], known: dict[str, str]
) -> None:
    """A client that was told to come again would do it a second time."""
    with pytest.raises(NoAnswer, match="it may have been done") as silence:
        sim.run(sim.system.ask("trading", message, timeout=30))

    assert silence.value.known == {**known, "state": "unresolved"}


def test_what_fails_before_the_exchange_is_asked_may_be_asked_again(sim: Simulation) -> None:
    for account in ("bad", "silent"):
        close = ClosePosition(account_name=account, **SWAPS, trading_pair="BTC-USDT")

        with pytest.raises(NothingDone):
            sim.run(sim.system.ask("trading", close, timeout=30))


def test_views_of_all_accounts_leave_out_the_one_that_crashes(sim: Simulation) -> None:
    positions = sim.run(sim.system.ask("trading", ListPositions(), timeout=60))
    state = sim.run(sim.system.ask("portfolio", GetPortfolioState(), timeout=60))

    assert "bad/sandbox_perpetual" in positions.unavailable
    assert state["bad"] == {"sandbox_perpetual": ()}
