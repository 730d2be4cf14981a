"""The library of controllers, scripts and configurations, with real inspections in processes of their own."""

import asyncio
from typing import Any

import pytest
from aviary.actors.core.refusal import Invalid, NotFound, Refusal, Unavailable
from aviary.actors.messages.bots import DeployBot, GetBotConfigs, ListRuns, UpdateBotConfig
from aviary.actors.messages.strategies import (
    DeleteConfig,
    DeleteController,
    GetConfig,
    GetController,
    GetControllerTemplate,
    GetScriptTemplate,
    ListConfigs,
    ListControllers,
    ListScripts,
    SaveConfig,
    SaveController,
    SaveScript,
    SourceUpload,
    StrategyKind,
    ValidateControllerConfig,
)
from aviary.actors.strategies import inspector
from bot_world import World, quotes
from poison import KILLS, assert_nothing_is_set_aside
from pydantic import ValidationError

LIBRARY = "strategy-library"

EVIL = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"


def ask(world: World, message: Any) -> Any:
    return world.ask(LIBRARY, message)


def test_what_is_shipped_is_listed_and_can_be_read(world: World) -> None:
    assert "pmm_simple" in ask(world, ListControllers())["market_making"]
    assert "v2_with_controllers" in ask(world, ListScripts())
    source = ask(world, GetController(controller_type="market_making", controller_name="pmm_simple"))
    assert "class PMMSimple" in source.content


def test_a_template_names_default_type_and_whether_it_is_required(world: World) -> None:
    fields = ask(world, GetControllerTemplate(controller_type="market_making", controller_name="pmm_simple"))
    assert fields["id"] == {"default": "PydanticUndefined", "type": "<class 'str'>", "required": True}
    assert fields["controller_name"]["default"] == "pmm_simple"
    assert fields["total_amount_quote"] == {
        "default": "100",
        "type": "<class 'decimal.Decimal'>",
        "required": False,
    }
    script = ask(world, GetScriptTemplate(script_name="v2_with_controllers"))
    assert script["script_file_name"] == "v2_with_controllers.py"
    assert "max_global_drawdown_quote" in script


def test_a_configuration_is_validated_by_the_controller_s_own_class(world: World) -> None:
    def validate(config: dict[str, Any]) -> Any:
        return ask(
            world,
            ValidateControllerConfig(controller_type="market_making", controller_name="pmm_simple", config=config),
        )

    assert validate({"id": "x", "buy_spreads": [0.01]}).message == "Configuration is valid"
    with pytest.raises(Invalid, match="leverage"):
        validate({"id": "x", "leverage": "much"})
    with pytest.raises(Invalid, match="InvalidOperation"):
        validate({"id": "x", "stop_loss": "much"})


def test_code_that_kills_whoever_imports_it_kills_only_its_inspection(world: World) -> None:
    save = SaveController(controller_type="generic", controller_name="evil", source=SourceUpload(content=EVIL))
    ask(world, save)
    for _ in range(KILLS):
        with pytest.raises(Invalid, match="ends the process"):
            ask(world, GetControllerTemplate(controller_type="generic", controller_name="evil"))
    assert_nothing_is_set_aside(world.system)
    ask(world, DeleteController(controller_type="generic", controller_name="evil"))
    with pytest.raises(NotFound, match="not found in 'generic'"):
        ask(world, GetController(controller_type="generic", controller_name="evil"))


def test_code_that_never_ends_keeps_nobody_else_from_an_answer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspector, "INSPECTION_TIMEOUT", 3.0)
    endless = SourceUpload(content="while True:\n    pass\n")
    for number in range(3):
        save = SaveController(controller_type="generic", controller_name=f"endless_{number}", source=endless)
        ask(world, save)

    async def many() -> list[Any]:
        questions = [
            GetControllerTemplate(controller_type="generic", controller_name=f"endless_{number % 3}")
            for number in range(12)
        ]
        good = GetControllerTemplate(controller_type="market_making", controller_name="pmm_simple")
        asked = (world.system.ask(LIBRARY, one, timeout=60) for one in (*questions, good))
        return list(await asyncio.gather(*asked, return_exceptions=True))

    *hung, good = world.run(many(), 90)

    assert all(isinstance(one, Unavailable) for one in hung), hung
    assert "id" in good
    cell = world.system.cell(LIBRARY)
    assert cell is not None
    assert (cell.incarnation, cell.poison) == (1, {})
    for number in range(3):
        ask(world, DeleteController(controller_type="generic", controller_name=f"endless_{number}"))


@pytest.mark.parametrize("field", ["controller_name", "controller_type", "script_file_name"])
@pytest.mark.parametrize(
    "value", ["x" * 300, "a\0b", "../x", "a/b", "", ["x"], {"a": 1}, 7, None, "class", "__init__"]
)
def test_names_of_code_that_are_none_are_refused(world: World, field: str, value: Any) -> None:
    base = {"controller_type": "market_making", "controller_name": "pmm_simple", "id": "x"}
    kind: StrategyKind = "script" if field == "script_file_name" else "controller"
    config = {field: value} if kind == "script" else {**base, field: value}

    with pytest.raises(Refusal):
        ask(world, SaveConfig(kind=kind, config_name="odd", config=config))
    world.put_config("odd-code", config, kind)
    deploy = {"controller": "odd-code"} if kind == "controller" else {"script_config": "odd-code"}
    with pytest.raises(Refusal):
        world.ask("bot-registry", DeployBot.model_validate({"credentials_profile": "desk", **deploy}))


def test_what_is_no_python_is_refused(world: World) -> None:
    with pytest.raises(Invalid, match="not Python, line 1"):
        ask(
            world,
            SaveController(controller_type="generic", controller_name="bad", source=SourceUpload(content="def (")),
        )


@pytest.mark.parametrize("name", ["../x", "a/b", "a\0b", "", ".hidden", "x" * 300])
def test_names_that_lead_elsewhere_are_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        SaveConfig(kind="controller", config_name=name, config={})
    with pytest.raises(ValidationError):
        GetController(controller_type="generic", controller_name=name)
    with pytest.raises(ValidationError):
        DeployBot(instance_name=name, controllers_config=("x",))
    with pytest.raises(ValidationError):
        DeployBot(credentials_profile=name, controllers_config=("x",))


def test_configurations_are_saved_listed_and_deleted(world: World) -> None:
    config = {"controller_name": "pmm_simple", "controller_type": "market_making"}
    ask(world, SaveConfig(kind="controller", config_name="mine", config=config))
    assert ask(world, GetConfig(kind="controller", config_name="mine")) == {**config, "id": "mine"}
    assert "mine" in [config["id"] for config in ask(world, ListConfigs(kind="controller"))]
    ask(world, DeleteConfig(kind="controller", config_name="mine"))
    with pytest.raises(NotFound, match="Configuration 'mine' not found"):
        ask(world, DeleteConfig(kind="controller", config_name="mine"))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"controller_name": "nosuch"}, "nosuch"),
        ({"controller_name": ["x"]}, "controller_name"),
        ({"controller_name": "__init__"}, "__init__"),
        ({"controller_type": "nosuch"}, "controller_type"),
        ({"controller_type": {}}, "controller_type"),
        ({"buy_spreads": "abc"}, "buy_spreads"),
        ({"stop_loss": "much"}, "stop_loss"),
        ({"no_such_field": 5}, "no_such_field"),
        ({"leverage": 0}, "leverage"),
        ({"leverage": 126}, "leverage"),
        ({"total_amount_quote": -5}, "total_amount_quote"),
        ({"total_amount_quote": "NaN"}, "total_amount_quote"),
        ({"markets": {"sandbox": ["BTC-USDT"]}}, "markets"),
        ({"id": 7}, "id"),
        ({"leverage": 10**30}, "leverage"),
    ],
)
def test_a_configuration_that_no_bot_could_run_is_not_saved(
    world: World, change: dict[str, Any], word: str
) -> None:
    with pytest.raises(Refusal, match=word):
        ask(world, SaveConfig(kind="controller", config_name="unsaved", config=quotes(**change)))

    with pytest.raises(NotFound):
        ask(world, GetConfig(kind="controller", config_name="unsaved"))


HEDGING = """
from decimal import Decimal

from hummingbot.strategy_v2.controllers import ControllerBase, ControllerConfigBase


class HedgingConfig(ControllerConfigBase):
    controller_name: str = "hedging"
    total_amount_quote: Decimal = Decimal(0)
    leverage: int = 0


class Hedging(ControllerBase):
    def __init__(self, config, *args, **kwargs):
        super().__init__(config, *args, **kwargs)
        self.market_data_provider.get_connector("sandbox").set_leverage(1)
"""
"""A controller with amounts of its own, which asks for a connector while it is made."""


def test_what_a_class_proposes_itself_is_taken(world: World) -> None:
    save = SaveController(
        controller_type="generic", controller_name="hedging", source=SourceUpload(content=HEDGING)
    )
    ask(world, save)
    config = {"controller_type": "generic", "controller_name": "hedging"}

    saved = ask(world, SaveConfig(kind="controller", config_name="hedging", config=config))

    assert "get_connector" in saved.warnings[0]
    with pytest.raises(Invalid, match="leverage"):
        ask(world, SaveConfig(kind="controller", config_name="hedging", config={**config, "leverage": -1}))


LISTENING = """
from hummingbot.remote_iface.mqtt import EEventQueueFactory
from hummingbot.strategy.strategy_v2_base import StrategyV2Base, StrategyV2ConfigBase


class ListeningConfig(StrategyV2ConfigBase):
    script_file_name: str = "listening.py"


class Listening(StrategyV2Base):
    markets = {"sandbox": {"BTC-USDT"}}
    queue = EEventQueueFactory.create("*")

    @classmethod
    def init_markets(cls, config):
        pass
"""
"""A script that speaks to the broker as soon as it is imported, which an inspection has not."""


def test_what_only_a_bot_can_find_out_is_warned_of_and_not_refused(world: World) -> None:
    ask(world, SaveScript(script_name="listening", source=SourceUpload(content=LISTENING)))

    saved = ask(
        world, SaveConfig(kind="script", config_name="listening", config={"script_file_name": "listening.py"})
    )

    assert "MQTTGateway is offline" in saved.warnings[0]
    message = DeployBot(instance_name="listening", script_config="listening", credentials_profile="desk")
    assert "MQTTGateway is offline" in world.ask("bot-registry", message, 60)["warnings"][0]
    world.wait_until("listening", lambda status: status.state == "running")


@pytest.mark.parametrize("name", ["__init__", "__main__", "class", "None"])
def test_names_that_mean_something_to_python_are_refused(name: str) -> None:
    with pytest.raises(ValidationError, match=name):
        SaveController(controller_type="generic", controller_name=name, source=SourceUpload(content="x = 1"))
    with pytest.raises(ValidationError, match=name):
        SaveScript(script_name=name, source=SourceUpload(content="x = 1"))


def test_a_deployment_without_keys_or_account_or_configuration_is_refused_and_leaves_nothing(world: World) -> None:
    def deploy(**fields: Any) -> Any:
        return world.ask("bot-registry", DeployBot(instance_name="nobody", **fields))

    kraken = {
        "id": "elsewhere",
        "connector_name": "kraken",
        "controller_type": "market_making",
        "controller_name": "pmm_simple",
    }
    world.put_config("elsewhere", kraken)
    world.put_config("empty", {"id": "empty"})
    world.put_config("unknown", {"controller_type": "generic", "controller_name": "nosuch"})
    with pytest.raises(Invalid, match="'empty' names no controller"):
        deploy(controllers_config=("empty",), credentials_profile="desk")
    with pytest.raises(NotFound, match="Controller 'nosuch' not found in 'generic'"):
        deploy(controllers_config=("unknown",), credentials_profile="desk")
    with pytest.raises(NotFound, match="Configuration 'nosuch' not found"):
        deploy(controllers_config=("nosuch",), credentials_profile="desk")
    with pytest.raises(NotFound, match="Account 'nosuch' not found"):
        deploy(controllers_config=("elsewhere",), credentials_profile="nosuch")
    with pytest.raises(Invalid, match="no credentials for kraken"):
        deploy(controllers_config=("elsewhere",), credentials_profile="desk")
    with pytest.raises(Invalid, match="either controllers or a script"):
        deploy(credentials_profile="desk")
    assert world.ask("bot-registry", ListRuns(bot_name="nobody"))["total"] == 0
    with pytest.raises(NotFound, match="Bot 'nobody' not found"):
        world.ask("bot-registry", GetBotConfigs(bot_name="nobody"))
    with pytest.raises(NotFound, match="Bot 'nobody' not found"):
        world.ask("bot-registry", UpdateBotConfig(bot_name="nobody", changes={}))
