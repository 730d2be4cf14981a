"""Configurations of deployed bots that are changed: what is good takes effect and is said, what is not changes nothing."""

import os
import signal
from typing import Any

import pytest
from aviary.actors.core.refusal import NotFound
from aviary.actors.messages.bots import (
    ChangeRefused,
    GetBotConfigs,
    StartBot,
    StopBot,
    UpdateBotConfig,
    UpdateStrategy,
)
from aviary.actors.messages.strategies import GetConfig
from bot_world import World, key_of, quotes

BOT = "tuned"


def change(world: World, **changes: Any) -> Any:
    return world.ask("bot-registry", UpdateBotConfig(bot_name=BOT, changes=changes), 60)


def config(world: World) -> dict[str, Any]:
    (found,) = world.ask("bot-registry", GetBotConfigs(bot_name=BOT))
    values: dict[str, Any] = found
    return values


def on_disk(world: World) -> dict[str, bytes]:
    """Everything that a next life would read of it."""
    folder = world.folders.of(BOT) / "conf"
    return {
        str(path): path.read_bytes()
        for path in sorted(folder.rglob("*.yml"))
        if "controllers" in str(path) or "next" in str(path)
    }


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"no_such_field": 5}, "no_such_field"),
        ({"stop_loss": "abc"}, "stop_loss"),
        ({"stop_loss": -1}, "stop_loss"),
        ({"leverage": 0}, "leverage"),
        ({"buy_spreads": "x"}, "buy_spreads"),
        ({"buy_amounts_pct": [1, 2, 3]}, "buy_amounts_pct"),
        ({"total_amount_quote": -5}, "total_amount_quote"),
        ({"connector_name": "not_a_connector"}, "not_a_connector"),
        ({"position_mode": "DIAGONAL"}, "position_mode"),
        ({"id": "other"}, "id"),
        ({"controller_name": "other"}, "controller_name"),
        ({"id": None}, "id"),
        ({"stop_loss": 0.1, "no_such_field": 5}, "no_such_field"),
    ],
)
def test_a_change_that_no_bot_could_run_by_is_refused_and_nothing_is_written(
    world: World, changes: dict[str, Any], word: str
) -> None:
    world.have(BOT, quotes())
    before = on_disk(world)

    with pytest.raises(ChangeRefused, match=word) as refused:
        change(world, **changes)

    assert on_disk(world) == before
    assert set(refused.value.fields) == set(changes)
    assert "applied" not in refused.value.fields.values()
    assert world.status(BOT).state == "running"


def test_what_the_strategy_takes_over_is_in_effect_when_it_is_said_to_be(world: World) -> None:
    world.have(BOT, quotes())

    answer = change(world, manual_kill_switch=True, stop_loss=0.35, cooldown_time=config(world)["time_limit"])

    assert answer["message"] == f"Controller configuration for bot '{BOT}' updated successfully"
    assert answer["fields"] == dict.fromkeys(("manual_kill_switch", "stop_loss", "cooldown_time"), "applied")
    world.wait_for_orders(0, key_of(BOT))
    change(world, manual_kill_switch=False)
    world.wait_for_orders(4, key_of(BOT))


def test_a_configuration_that_is_sent_back_whole_changes_only_what_differs(world: World) -> None:
    world.have(BOT, quotes())

    answer = change(world, **{**config(world), "stop_loss": 0.25})

    assert {field for field, told in answer["fields"].items() if told != "unchanged"} == {"stop_loss"}
    assert config(world)["stop_loss"] == 0.25


def test_what_means_the_same_as_before_stays_as_it_was_written(world: World) -> None:
    world.have(BOT, quotes())
    leverage, before = config(world)["leverage"], on_disk(world)

    answer = change(world, take_profit_order_type="LIMIT", leverage=str(leverage), buy_spreads="0.05,0.06")

    assert set(answer["fields"].values()) == {"unchanged"}
    assert on_disk(world) == before


def test_what_has_to_wait_for_a_start_waits_for_one_that_somebody_asks_for(world: World) -> None:
    pid = world.have(BOT, quotes())
    present = world.folders.config(BOT, f"{BOT}-quotes")
    world.folders.next_config(BOT, f"{BOT}-quotes").unlink(missing_ok=True)
    present.write_text(present.read_text().replace("leverage: 3", "leverage: 1").replace("0.04", "0.02"))

    answer = change(world, leverage=3, take_profit=0.03)

    assert answer["fields"] == {"leverage": "applies at next start", "take_profit": "applied"}
    assert (config(world)["leverage"], config(world)["_applies_at_next_start"]) == (3, ["leverage"])
    # A crash is no start that anybody has asked for.
    os.kill(pid, signal.SIGKILL)
    world.wait_until(BOT, lambda status: status.pid not in {None, pid} and status.state == "running")
    assert world.folders.config(BOT, f"{BOT}-quotes").read_text().count("leverage: 1") == 1
    assert change(world, take_profit=0.04)["fields"] == {"take_profit": "applied"}
    assert config(world)["_applies_at_next_start"] == ["leverage"]

    world.ask("bot-registry", StopBot(bot_name=BOT, async_backend=False), 90)
    world.ask("bot-registry", StartBot(bot_name=BOT))

    world.wait_until(BOT, lambda status: status.state == "running")
    assert "leverage: 3" in world.folders.config(BOT, f"{BOT}-quotes").read_text()
    assert "take_profit: 0.04" in world.folders.config(BOT, f"{BOT}-quotes").read_text()
    assert "_applies_at_next_start" not in config(world)


EAGER = """
from hummingbot.strategy_v2.controllers.controller_base import ControllerBase, ControllerConfigBase
from pydantic import Field

NOW = {"is_updatable": True}


class EagerConfig(ControllerConfigBase):
    controller_name: str = "eager"
    trading_pair: str = Field(default="BTC-USDT", json_schema_extra=NOW)
    leverage: int = Field(default=1, json_schema_extra=NOW)
    size: int = Field(default=1, json_schema_extra=NOW)
    stubborn: int = Field(default=1, json_schema_extra=NOW)

    def update_markets(self, markets):
        return markets.add_or_update("sandbox", self.trading_pair)


class Eager(ControllerBase):
    def update_config(self, new_config):
        self.config = self.config.model_copy(update={"size": new_config.size})

    async def update_processed_data(self):
        pass

    def determine_executor_actions(self):
        return []
"""
"""A controller that promises more than it does."""


def test_what_a_class_promises_and_does_not_do_is_never_called_applied(world: World) -> None:
    world.put_controller("eager", EAGER)
    world.add_account("eager", key_of("eager"))
    world.deploy("eager", {"id": "e", "controller_name": "eager", "controller_type": "generic"}, account="eager")
    world.wait_until("eager", lambda status: status.state == "running")

    changes = {"size": 2, "stubborn": 2, "leverage": 2, "trading_pair": "ETH-USDT"}
    answer = world.ask("bot-registry", UpdateBotConfig(bot_name="eager", changes=changes), 60)

    later = dict.fromkeys(("stubborn", "leverage", "trading_pair"), "applies at next start")
    assert answer["fields"] == {"size": "applied", **later}
    pid = world.status("eager").pid or 0
    os.kill(pid, signal.SIGKILL)
    world.wait_until("eager", lambda status: status.pid not in {None, pid} and status.state == "running")
    (found,) = world.ask("bot-registry", GetBotConfigs(bot_name="eager"))
    assert found["_applies_at_next_start"] == ["leverage", "stubborn", "trading_pair"]


def test_a_field_that_does_not_exist_can_be_taken_out_again(world: World) -> None:
    world.have(BOT, quotes())
    world.ask("bot-registry", StopBot(bot_name=BOT, async_backend=False), 90)
    file = world.folders.config(BOT, f"{BOT}-quotes")
    world.folders.next_config(BOT, f"{BOT}-quotes").unlink(missing_ok=True)
    good = file.read_text()
    # As a server that did not look at it has left it.
    file.write_text(good + "no_such_field: 5\n")

    with pytest.raises(ChangeRefused, match="no_such_field"):
        change(world, stop_loss=0.3)
    answer = change(world, stop_loss=0.3, no_such_field=None)

    assert answer["fields"] == {"stop_loss": "applies at next start"}
    world.ask("bot-registry", StartBot(bot_name=BOT))
    world.wait_until(BOT, lambda status: status.state == "running")
    assert "no_such_field" not in file.read_text()


def test_a_file_that_is_broken_by_hand_stops_no_ticks(world: World) -> None:
    world.have(BOT, quotes())
    file = world.folders.config(BOT, f"{BOT}-quotes")
    good = file.read_text()

    file.write_text(good + "no_such_field: 5\n")
    world.wait_until(BOT, lambda status: any("not taken over" in entry["msg"] for entry in status.error_logs))
    file.write_text(good.replace("manual_kill_switch: false", "manual_kill_switch: true"))

    assert change(world, manual_kill_switch=True)["fields"]["manual_kill_switch"] in {"unchanged", "applied"}
    world.wait_for_orders(0, key_of(BOT))
    change(world, manual_kill_switch=False)
    world.wait_for_orders(4, key_of(BOT))
    assert world.status(BOT).state == "running"


def test_a_saved_configuration_and_its_copies_are_changed_together_or_not_at_all(world: World) -> None:
    world.have(BOT, quotes())
    name = f"{BOT}-quotes"
    before, saved = on_disk(world), world.ask("strategy-library", GetConfig(kind="controller", config_name=name))

    for changes in ({"stop_loss": "abc"}, {"no_such_field": 1}):
        with pytest.raises(ChangeRefused):
            world.ask("bot-registry", UpdateStrategy(controller_id=name, changes=changes), 60)
    assert on_disk(world) == before
    assert world.ask("strategy-library", GetConfig(kind="controller", config_name=name)) == saved

    answer = world.ask("bot-registry", UpdateStrategy(controller_id=name, changes={"stop_loss": 0.15}), 60)
    assert answer["bots"] == [BOT]
    assert answer["fields"] == {BOT: {"stop_loss": "applied"}}
    assert world.ask("strategy-library", GetConfig(kind="controller", config_name=name))["stop_loss"] == 0.15


@pytest.mark.parametrize("name", ["nosuch", "a\0b", "x" * 5000, "../x", "", ".", "a/b"])
def test_names_that_are_none_find_nothing(world: World, name: str) -> None:
    world.have(BOT, quotes())

    with pytest.raises(NotFound):
        world.ask("bot-registry", UpdateBotConfig(bot_name=BOT, controller=name, changes={}))
    with pytest.raises(NotFound):
        world.ask("bot-registry", UpdateStrategy(controller_id=name, changes={}))
