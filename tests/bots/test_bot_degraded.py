"""Bots that run and could not trade: said, with the reason, and an alarm."""

from typing import Any

from aviary.actors.messages.bots import UpdateBotConfig
from aviary.http.routes.bot_orchestration import status_view
from bot_world import World, key_of, quotes

THROWING = """
from hummingbot.strategy_v2.controllers.controller_base import ControllerBase, ControllerConfigBase
from pydantic import Field


class ThrowingConfig(ControllerConfigBase):
    controller_name: str = "throwing"
    good: bool = Field(default=False, json_schema_extra={"is_updatable": True})

    def update_markets(self, markets):
        return markets.add_or_update("sandbox", "BTC-USDT")


class Throwing(ControllerBase):
    async def update_processed_data(self):
        if not self.config.good:
            raise KeyError("BBP_20_2.0")

    def determine_executor_actions(self):
        return []
"""
"""A controller that fails at every tick until it is told better."""

FAILING = """
from decimal import Decimal

from hummingbot.core.data_type.common import OrderType, TradeType
from hummingbot.strategy_v2.controllers.controller_base import ControllerBase, ControllerConfigBase
from hummingbot.strategy_v2.executors.position_executor.data_types import PositionExecutorConfig, TripleBarrierConfig
from hummingbot.strategy_v2.models.executor_actions import CreateExecutorAction


class FailingConfig(ControllerConfigBase):
    controller_name: str = "failing"

    def update_markets(self, markets):
        return markets.add_or_update("sandbox", "BTC-USDT")


class Failing(ControllerBase):
    async def update_processed_data(self):
        pass

    def determine_executor_actions(self):
        if any(one.is_active for one in self.executors_info):
            return []
        config = PositionExecutorConfig(
            timestamp=self.market_data_provider.time(),
            connector_name="sandbox",
            trading_pair="BTC-USDT",
            side=TradeType.BUY,
            amount=Decimal(10) ** 6,
            entry_price=Decimal(1000),
            triple_barrier_config=TripleBarrierConfig(open_order_type=OrderType.LIMIT),
        )
        return [CreateExecutorAction(controller_id=self.config.id, executor_config=config)]
"""
"""A controller whose executors ask for more than there is."""


def generic(name: str, **values: Any) -> dict[str, Any]:
    return {"id": name, "controller_name": name, "controller_type": "generic", **values}


def test_a_controller_that_fails_at_every_tick_is_degraded_until_it_does_not(world: World) -> None:
    world.put_controller("throwing", THROWING)
    world.add_account("throwing", key_of("throwing"))
    world.deploy("throwing", generic("throwing"), account="throwing")

    status = world.wait_until("throwing", lambda s: s.state == "degraded")

    assert "BBP_20_2.0" in status.reason
    assert "BBP_20_2.0" in world.alarm("bot/throwing")
    assert status_view(status)["status"] == "running"
    status = world.wait_until("throwing", lambda s: any(e["count"] >= 3 for e in s.error_logs))
    traces = [entry for entry in status.error_logs if "BBP_20_2.0" in entry["msg"]]
    assert len(traces) == 1

    world.ask("bot-registry", UpdateBotConfig(bot_name="throwing", changes={"good": True}), 60)
    world.wait_until("throwing", lambda s: s.state == "running")
    assert world.alarm("bot/throwing") == ""


def test_it_is_degraded_still_when_another_server_adopts_it(world: World) -> None:
    world.put_controller("throwing", THROWING)
    world.add_account("adopted", key_of("adopted"))
    world.deploy("adopted", generic("throwing"), account="adopted")
    world.wait_until("adopted", lambda s: s.state == "degraded")

    world.kill_tree()
    world.start_tree()

    status = world.wait_until("adopted", lambda s: s.state == "degraded")
    assert "BBP_20_2.0" in status.reason
    assert "BBP_20_2.0" in world.alarm("bot/adopted")


def test_executors_that_all_fail_are_trouble(world: World) -> None:
    world.put_controller("failing", FAILING)
    world.add_account("failing", key_of("failing"))
    world.deploy("failing", generic("failing"), account="failing")

    status = world.wait_until("failing", lambda s: s.state == "degraded", 60)

    assert "executors" in status.reason
    assert "executors" in world.alarm("bot/failing")


def test_a_bot_that_waits_for_a_market_that_never_comes_is_degraded(world: World) -> None:
    world.add_account("waiting", key_of("waiting"))
    world.deploy("waiting", quotes(trading_pair="NOPE-USDT"), account="waiting")

    status = world.wait_until("waiting", lambda s: s.state == "degraded", 90)

    assert "NOPE-USDT" in status.reason
    assert "NOPE-USDT" in world.alarm("bot/waiting")
