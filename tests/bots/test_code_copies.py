"""A bot runs the code and the configurations that it was deployed with, whatever becomes of the library."""

import os
import shutil
import signal

from aviary.actors.messages.bots import FindBot
from aviary.actors.messages.strategies import (
    DeleteConfig,
    DeleteController,
    SaveConfig,
    SaveController,
    SaveScript,
    SourceUpload,
)
from bot_world import World, key_of, quotes

CHILD = """
from controllers.market_making.base_pmm import PMMSimple, PMMSimpleConfig


class MyQuotesConfig(PMMSimpleConfig):
    controller_name: str = "child_pmm"


class MyQuotes(PMMSimple):
    pass
"""
"""A controller that imports another one of the user's."""


def upload(world: World, name: str, source: str) -> None:
    message = SaveController(
        controller_type="market_making", controller_name=name, source=SourceUpload(content=source)
    )
    world.ask("strategy-library", message)


def kill(world: World, bot: str) -> None:
    pid = world.status(bot).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    world.wait_until(bot, lambda status: status.pid not in {None, pid} and status.state == "running")


def test_what_is_taken_from_the_library_is_not_taken_from_a_bot(world: World) -> None:
    source = (world.bots / "controllers" / "market_making" / "pmm_simple.py").read_text()
    upload(world, "base_pmm", source)
    upload(world, "child_pmm", CHILD)
    world.have("heir", quotes(controller_name="child_pmm"))

    changed = world.ask(
        "strategy-library",
        SaveController(
            controller_type="market_making",
            controller_name="base_pmm",
            source=SourceUpload(content="import nothing_of_this_name\n"),
        ),
    )
    child = world.ask(
        "strategy-library", DeleteController(controller_type="market_making", controller_name="child_pmm")
    )
    base = world.ask(
        "strategy-library", DeleteController(controller_type="market_making", controller_name="base_pmm")
    )
    config = world.ask("strategy-library", DeleteConfig(kind="controller", config_name="heir-quotes"))

    for answer in (changed, child, base, config):
        assert answer.bots == ("heir",)
        assert "heir" in answer.warnings[0]
    kill(world, "heir")
    world.wait_for_orders(4, key_of("heir"))
    assert world.status("heir").restarts == 1


def test_a_saved_configuration_says_which_bots_keep_the_old_one(world: World) -> None:
    world.have("keeper", quotes())

    answer = world.ask(
        "strategy-library",
        SaveConfig(kind="controller", config_name="keeper-quotes", config=quotes(stop_loss=0.11)),
    )

    assert answer.bots == ("keeper",)
    assert "stop_loss: 0.2\n" in world.folders.config("keeper", "keeper-quotes").read_text()


def test_a_script_that_is_edited_is_edited_for_later_bots(world: World) -> None:
    world.have("keeper", quotes())
    file = world.bots / "scripts" / "v2_with_controllers.py"
    source = file.read_text()

    answer = world.ask(
        "strategy-library", SaveScript(script_name="v2_with_controllers", source=SourceUpload(content="x = 1\n"))
    )

    assert "keeper" in answer.bots
    kill(world, "keeper")
    world.wait_for_orders(4, key_of("keeper"))
    file.write_text(source)


def test_a_bot_of_an_older_version_gets_a_copy_at_the_server_s_next_start(world: World) -> None:
    world.have("elder", quotes())
    folder = world.folders.of("elder")
    for code in ("scripts", "controllers"):
        shutil.rmtree(folder / code)
        (folder / code).symlink_to(os.path.relpath(world.bots / code, folder))

    world.kill_tree()
    world.start_tree()
    world.wait_until("elder", lambda status: status.state == "running")

    assert not (folder / "controllers").is_symlink()
    assert (folder / "controllers" / "market_making" / "pmm_simple.py").exists()
    assert not (folder / "scripts").is_symlink()
    kill(world, "elder")
    assert world.ask("bot-registry", FindBot(bot_name="elder")).state == "running"
