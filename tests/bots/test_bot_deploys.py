"""Ways to deploy a bot, and configurations that are refused before anything is made."""

import pytest
from aviary.actors.core.refusal import Invalid
from aviary.actors.messages.bots import DeployScript, ListBots, ListRuns
from aviary.actors.messages.strategies import SaveConfig
from bot_world import World, key_of, quotes


def test_an_impossible_configuration_is_refused_before_anything_is_made(world: World) -> None:
    with pytest.raises(Invalid, match="total_amount_quote") as refused:
        world.deploy("impossible", quotes(id="impossible", total_amount_quote="plenty"))

    assert refused.value.field == "controllers_config"
    assert "impossible" not in world.ask("bot-registry", ListBots())
    assert not world.folders.of("impossible").exists()
    assert world.ask("bot-registry", ListRuns(bot_name="impossible"))["data"] == []


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
