"""Bots that can't start, or die again and again: told apart, told whole, and not tried for ever if that is in vain."""

import os
import signal
from typing import Any

import pytest
from aviary.actors.messages.bots import (
    ChangeRefused,
    GetBotConfigs,
    ListRuns,
    StartBot,
    StopBot,
    UpdateBotConfig,
)
from aviary.http.routes.bot_orchestration import status_view
from bot_world import BROKEN, World, key_of, quotes

PICKY = """
from pathlib import Path

from hummingbot.data_feed.candles_feed.data_types import CandlesConfig
from hummingbot.strategy_v2.controllers.controller_base import ControllerBase, ControllerConfigBase
from pydantic import Field


class PickyConfig(ControllerConfigBase):
    controller_name: str = "picky"
    feed: str | None = Field(default=None, json_schema_extra={"is_updatable": True})

    def update_markets(self, markets):
        return markets.add_or_update("sandbox", "BTC-USDT")


class Picky(ControllerBase):
    def __init__(self, config, *args, **kwargs):
        super().__init__(config, *args, **kwargs)
        if Path("data/launch.json").exists() and config.feed is None:
            CandlesConfig(connector=config.feed, trading_pair=config.feed)

    async def update_processed_data(self):
        pass

    def determine_executor_actions(self):
        return []
"""
"""A controller whose configuration is good to look at, and which can't be made of it in a bot."""

SUICIDAL = """
import os
import signal
from pathlib import Path

from hummingbot.strategy_v2.controllers.controller_base import ControllerBase, ControllerConfigBase

if Path("data/launch.json").exists():
    os.kill(os.getpid(), signal.SIGKILL)


class SuicidalConfig(ControllerConfigBase):
    controller_name: str = "suicidal"

    def update_markets(self, markets):
        return markets.add_or_update("sandbox", "BTC-USDT")


class Suicidal(ControllerBase):
    pass
"""
"""A controller that takes its bot with it, and no inspection."""


def generic(name: str, **values: Any) -> dict[str, Any]:
    return {"id": name, "controller_name": name, "controller_type": "generic", **values}


def test_a_bot_that_can_never_start_fails_after_a_few_tries_and_says_all(world: World) -> None:
    world.put_controller("picky", PICKY)
    world.deploy("picky", generic("picky"))

    status = world.wait_until("picky", lambda s: s.state == "failed", 60)

    for told in (status.reason, " ".join(entry["msg"] for entry in status.error_logs)):
        assert "2 validation errors for CandlesConfig" in told
        assert "connector\n" in told
        assert "trading_pair\n" in told
    assert "CandlesConfig" in world.alarm("bot/picky")
    assert status_view(status)["status"] == "error"
    assert status.pid is None
    (run,) = world.ask("bot-registry", ListRuns(bot_name="picky"))["data"]
    assert run["run_status"] == "ERROR"
    assert "CandlesConfig" in run["error_message"]
    assert world.status("picky").restarts == 2


def test_a_failed_bot_stays_failed_over_a_restart_of_the_server_and_comes_back_when_it_is_mended(
    world: World,
) -> None:
    world.put_controller("picky", PICKY)
    world.add_account("mended", key_of("mended"))
    world.deploy("mended", generic("picky"), account="mended")
    world.wait_until("mended", lambda s: s.state == "failed", 60)

    world.kill_tree()
    world.start_tree()

    status = world.wait_until("mended", lambda s: s.state == "failed" and s.incarnation > 0)
    assert "CandlesConfig" in status.reason
    assert status.incarnation == 1
    assert "CandlesConfig" in world.alarm("bot/mended")
    change = UpdateBotConfig(bot_name="mended", controller="mended-picky", changes={"feed": "sandbox"})
    answer = world.ask("bot-registry", change, 60)
    assert answer["fields"] == {"feed": "applies at next start"}
    world.wait_until("mended", lambda s: s.state == "running")


def test_a_configuration_that_is_torn_can_be_replaced(world: World) -> None:
    world.have("torn", quotes())
    pid = world.status("torn").pid
    assert pid is not None
    world.folders.config("torn", "torn-quotes").write_text("][")
    os.kill(pid, signal.SIGKILL)
    world.wait_until("torn", lambda s: s.state == "failed", 60)

    (told,) = world.ask("bot-registry", GetBotConfigs(bot_name="torn"))
    assert "not YAML" in told["error"]
    with pytest.raises(ChangeRefused):
        world.ask("bot-registry", UpdateBotConfig(bot_name="torn", changes={"stop_loss": 0.1}), 60)
    world.ask("bot-registry", UpdateBotConfig(bot_name="torn", changes=quotes()), 60)

    world.wait_until("torn", lambda s: s.state == "running")
    world.wait_for_orders(4, key_of("torn"))


def test_a_failed_bot_can_be_stopped_and_tried_again(world: World) -> None:
    world.put_controller("broken", BROKEN)
    world.deploy("broken", generic("broken"))
    status = world.wait_until("broken", lambda s: s.state == "failed", 60)
    assert "the roof is missing" in status.reason

    stopped = world.ask("bot-registry", StopBot(bot_name="broken", async_backend=False), 90)
    assert stopped["state"] == "stopped"
    assert world.alarm("bot/broken") == ""
    world.ask("bot-registry", StartBot(bot_name="broken"))
    assert world.wait_until("broken", lambda s: s.state == "failed", 60).restarts >= 2


def test_a_bot_that_dies_again_and_again_raises_an_alarm_and_is_tried_on(world: World) -> None:
    world.put_controller("suicidal", SUICIDAL)
    world.deploy("suicidal", generic("suicidal"))

    world.wait_until("suicidal", lambda s: s.restarts >= 4 and s.state == "backing_off", 60)

    assert "in a row" in world.alarm("bot/suicidal")
    status = world.status("suicidal")
    if status.state == "backing_off":
        assert status_view(status)["status"] == "error"
        assert "signal 9" in status.reason
    world.ask("bot-registry", StopBot(bot_name="suicidal", async_backend=False), 90)
    assert world.alarm("bot/suicidal") == ""


def test_a_start_that_fails_while_the_exchange_is_away_is_tried_again(world: World) -> None:
    pid = world.have("patient", quotes())
    world.run(world.sandbox.faults("http_5xx", 6, market="spot", key=key_of("patient")))

    for _ in range(2):
        os.kill(pid, signal.SIGKILL)
        status = world.wait_until("patient", lambda s, pid=pid: s.pid not in {None, pid} and s.state != "failed")
        pid = status.pid or 0

    world.wait_until("patient", lambda s: s.state == "running")
    world.wait_for_orders(4, key_of("patient"))
