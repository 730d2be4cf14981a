"""Ways to deploy a bot, and configurations that are refused before anything is made."""

import asyncio
from typing import Any

import pytest
from aviary.actors.core.refusal import Conflict, Invalid
from aviary.actors.messages.bots import DeployControllers, DeployScript, ListBots, ListRuns
from aviary.actors.messages.strategies import SaveConfig
from bot_world import World, key_of, quotes
from processes import processes_in


def deploy(world: World, name: str, *configs: str, account: str = "desk") -> Any:
    message = DeployControllers(
        instance_name=name, credentials_profile=account, controllers_config=configs, exact_name=True
    )
    return world.ask("bot-registry", message)


def test_an_impossible_configuration_is_refused_before_anything_is_made(world: World) -> None:
    with pytest.raises(Invalid, match="total_amount_quote"):
        world.deploy("impossible", quotes(id="impossible", total_amount_quote="plenty"))

    world.put_config("impossible", quotes(id="impossible", total_amount_quote="plenty"))
    with pytest.raises(Invalid, match="total_amount_quote") as refused:
        deploy(world, "impossible", "impossible")

    assert refused.value.field == "controllers_config"
    assert "impossible" not in world.ask("bot-registry", ListBots())
    assert not world.folders.of("impossible").exists()
    assert world.ask("bot-registry", ListRuns(bot_name="impossible"))["data"] == []


def test_leftovers_of_older_clients_are_left_out_with_a_warning(world: World) -> None:
    name = "leftover"
    world.add_account(name, key_of(name))
    world.put_config("leftover-quotes", quotes(candles_config=[], config_name="leftover-quotes"))
    old = {"candles_config": [], "markets": {}, "controllers_config": ["leftover-quotes"]}
    world.put_config("leftover", {**old, "script_file_name": "v2_with_controllers.py"}, kind="script")

    answer = world.ask(
        "bot-registry",
        DeployScript(instance_name=name, credentials_profile=name, script_config="leftover", exact_name=True),
    )

    told = " ".join(answer["warnings"])
    assert all(field in told for field in ("candles_config", "markets", "config_name"))
    world.wait_until(name, lambda status: status.state == "running")
    world.wait_for_orders(4, key_of(name))


def test_leftovers_that_mean_something_are_refused(world: World) -> None:
    world.put_config("meant", quotes(markets={"sandbox": ["BTC-USDT"]}))

    with pytest.raises(Invalid, match="markets"):
        deploy(world, "meant", "meant")


@pytest.mark.parametrize("names", [5, {"a": 1}, [5], ["../x"], ["a\0b"], [["x"]], "a/b", [None], ["x" * 300]])
def test_names_of_configurations_that_are_none_are_refused(world: World, names: Any) -> None:
    world.put_config("odd", {"script_file_name": "v2_with_controllers.py", "controllers_config": names}, "script")

    with pytest.raises(Invalid, match="controllers_config"):
        world.ask(
            "bot-registry", DeployScript(instance_name="odd", credentials_profile="desk", script_config="odd")
        )


def test_a_script_is_deployed_with_its_saved_configuration(world: World) -> None:
    name = "scripted"
    world.add_account(name, key_of(name))
    world.ask("strategy-library", SaveConfig(kind="controller", config_name="scripted-quotes", config=quotes()))
    script = {"script_file_name": "v2_with_controllers.py", "controllers_config": ["scripted-quotes.yml"]}
    world.ask("strategy-library", SaveConfig(kind="script", config_name="scripted-script", config=script))

    answer = world.ask(
        "bot-registry",
        DeployScript(
            instance_name=name, credentials_profile=name, script_config="scripted-script", exact_name=True
        ),
    )

    assert answer["unique_instance_name"] == name
    world.wait_until(name, lambda status: status.state == "running")
    world.wait_for_orders(4, key_of(name))


def test_of_two_deployments_of_one_name_at_once_one_is_refused(world: World) -> None:
    name = "twin"
    world.add_account(name, key_of(name))
    world.ask("strategy-library", SaveConfig(kind="controller", config_name="twin-quotes", config=quotes()))
    message = DeployControllers(
        instance_name=name, credentials_profile=name, controllers_config=("twin-quotes",), exact_name=True
    )

    async def both() -> list[object]:
        asks = [world.system.ask("bot-registry", message, timeout=30) for _ in range(2)]
        return list(await asyncio.gather(*asks, return_exceptions=True))

    answers = world.run(both())

    assert [type(answer) for answer in answers if isinstance(answer, Exception)] == [Conflict]
    world.wait_until(name, lambda status: status.state == "running")
    world.wait_for_orders(4, key_of(name))
    assert len(processes_in(world.folders.of(name))) == 1
    assert len(world.ask("bot-registry", ListRuns(bot_name=name))["data"]) == 1
