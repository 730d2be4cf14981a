"""Desks that everybody uses, between neighbours that crash: whoever asked is told, and nobody else notices."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from aviary.actors.accounts.portfolio import Portfolio
from aviary.actors.accounts.trading import TradingService
from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.refusal import ActorCrashed
from aviary.actors.core.simulation import Simulation
from aviary.actors.messages.accounts import Connection, ListConnections
from aviary.actors.messages.connectors import GetBalances
from aviary.actors.messages.portfolio import GetPortfolioState
from aviary.actors.messages.trading import CancelOrder, GetPositions, ListPositions, PlacedOrder, PlaceOrder
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
    """Two accounts with a connector each."""

    def receive(self, message: Any) -> Any:
        assert isinstance(message, ListConnections)
        return tuple(
            Connection(account_name=name, connector_name="sandbox_perpetual", address=name)
            for name in ("good", "bad")
            if name in (message.account_names or ("good", "bad"))
        )


class Good(AsyncActor):
    """A connector that takes its time."""

    def receive(self, message: Any) -> Any:
        return self.defer(self._later(message))

    async def _later(self, message: Any) -> Any:

        await asyncio.sleep(5)
        return {GetBalances: {}, GetPositions: ()}.get(type(message), PLACED)


class Bad(AsyncActor):
    """A connector that no message survives."""

    def receive(self, message: Any) -> Any:
        raise ValueError("it has a bad day")


@pytest.fixture
def sim() -> Iterator[Simulation]:
    with Simulation(seed=1) as sim:
        actors = {
            "trading": TradingService,
            "portfolio": Portfolio,
            "account-registry": Registry,
            "good": Good,
            "bad": Bad,
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

    for message in (order("bad"),) * 3 + (
        CancelOrder(account_name="bad", connector_name="sandbox_perpetual", client_order_id="1"),
    ):
        with pytest.raises(ActorCrashed) as crashed:
            sim.run(ask("trading", message, timeout=20))
        assert crashed.value.address == "bad"
        sim.settle()

    async def wait() -> PlacedOrder:
        return await waiting

    assert sim.run(wait()) == PLACED
    assert sim.run(ask("trading", order("good"), timeout=20)) == PLACED
    cell = sim.system.cell("trading")
    assert cell is not None
    assert (cell.incarnation, cell.restarts, cell.poison) == (1, 0, {})


def test_views_of_all_accounts_leave_out_the_one_that_crashes(sim: Simulation) -> None:
    positions = sim.run(sim.system.ask("trading", ListPositions(), timeout=60))
    state = sim.run(sim.system.ask("portfolio", GetPortfolioState(), timeout=60))

    assert "bad/sandbox_perpetual" in positions.unavailable
    assert state["bad"] == {"sandbox_perpetual": ()}
