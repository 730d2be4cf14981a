"""Deployments and archives that a crash interrupts, and configurations that change while the bot runs."""

import shutil

import orjson
import pytest
from aviary.actors.bots.store import Bot, BotRun
from aviary.actors.core.refusal import Conflict, NotFound
from aviary.actors.messages.bots import (
    FindBot,
    GetBotConfigs,
    GetBotHistory,
    GetMqttState,
    GetPerformanceHistory,
    ListBots,
    ListRuns,
    StopAndArchiveBot,
    UpdateBotConfig,
)
from aviary.actors.messages.database import Transact
from bot_world import World, key_of, quotes, until


def note(world: World, name: str, step: str, account: str = "desk") -> None:
    """Write down a bot whose deployment was interrupted."""
    now = world.system.clock.now()
    spec = {
        "account": account,
        "script_config": f"{name}.yml",
        "script": {"script_file_name": "v2_with_controllers.py", "controllers_config": ["quotes.yml"]},
        "controllers": {"quotes.yml": quotes()},
        "step": step,
    }
    bot = Bot(name=name, desired="running", spec=spec, created_at=now, updated_at=now)
    run = BotRun(
        bot_name=name,
        instance_name=name,
        deployed_at=now,
        strategy_type="controller",
        strategy_name="v2_with_controllers",
        account_name=account,
        deployment_config="{}",
    )
    world.ask("database", Transact(work=lambda r: r.bots.add(bot) and r.bots.add_run(run)))


def test_interrupted_deployments_are_finished_or_taken_back(world: World) -> None:
    world.add_account("half", key_of("half"))
    note(world, "half", "make", account="half")
    note(world, "orphan", "make", account="gone")
    draft = world.folders.of(".half.new")
    (draft / "conf").mkdir(parents=True)
    (draft / "conf" / "conf_client.yml").write_text("half written")

    world.kill_tree()
    world.start_tree()

    world.wait_until("half", lambda s: s.state == "running")
    world.wait_for_orders(4, key_of("half"))
    assert not draft.exists()
    with pytest.raises(NotFound):
        world.ask("bot-registry", FindBot(bot_name="orphan"))
    (run,) = world.ask("bot-registry", ListRuns(bot_name="orphan"))["data"]
    assert run["deployment_status"] == "FAILED"
    assert "Account 'gone' not found" in run["error_message"]
    with pytest.raises(Conflict, match="Bot 'half' exists"):
        world.deploy("half", quotes())


def test_a_changed_configuration_takes_effect_in_the_running_bot(world: World) -> None:
    world.have("tuned", quotes())

    with pytest.raises(NotFound, match="Controller configuration 'nosuch' not found for bot 'tuned'"):
        world.ask("bot-registry", UpdateBotConfig(bot_name="tuned", controller="nosuch", changes={"x": 1}))
    change = UpdateBotConfig(bot_name="tuned", controller="tuned-quotes", changes={"manual_kill_switch": True})
    world.ask("bot-registry", change)

    world.wait_for_orders(0, key_of("tuned"))
    (config,) = world.ask("bot-registry", GetBotConfigs(bot_name="tuned"))
    assert config["manual_kill_switch"] is True
    assert config["_config_name"] == "tuned-quotes"
    world.ask("bot-registry", UpdateBotConfig(bot_name="tuned", changes={"manual_kill_switch": False}))
    world.wait_for_orders(4, key_of("tuned"))


def test_results_and_trades_can_be_read(world: World) -> None:
    world.have("tuned", quotes())
    status = world.wait_until("tuned", lambda s: bool(s.performance))
    assert set(status.performance["quotes"]["performance"]) >= {
        "realized_pnl_quote",
        "volume_traded",
        "positions_summary",
        "close_type_counts",
    }
    kept = world.ask("bot-registry", GetPerformanceHistory(bot_name="tuned", interval="1m"))
    assert kept["data"][0]["controller_id"] == "quotes"
    assert world.ask("bot-registry", GetBotHistory(bot_name="tuned"))["status"] == 200


def test_an_archive_keeps_the_data_and_not_the_keys_even_if_it_was_interrupted(world: World) -> None:
    world.have("kept", quotes())
    # Results are kept once a second here; a stop that follows an adoption has no others.
    world.wait_until("kept", lambda s: bool(s.performance))
    database = world.folders.of("kept") / "data" / "kept.sqlite"
    assert database.exists()
    draft = world.folders.archive_of(".kept.new")
    draft.mkdir(parents=True)
    (draft / "rubbish").write_text("of an interrupted copy")

    answer = world.ask("bot-registry", StopAndArchiveBot(bot_name="kept", skip_order_cancellation=False))
    assert answer["status"] == "success"
    # The server dies in the middle of it.
    world.kill_tree()
    world.start_tree()
    world.wait_until_gone("kept")

    archive = world.folders.archive_of("kept")
    assert (archive / "data" / "kept.sqlite").exists()
    assert (archive / "conf" / "controllers" / "kept-quotes.yml").exists()
    assert not (archive / "conf" / "connectors").exists()
    assert not (archive / "conf" / ".password_verification").exists()
    assert not (archive / "rubbish").exists()
    until(world, lambda: "kept" not in world.ask("bot-registry", GetMqttState())["discovered_bots"])
    assert not world.folders.of("kept").exists()
    assert not world.open_orders(key_of("kept"))
    (run,) = world.ask("bot-registry", ListRuns(bot_name="kept"))["data"]
    assert (run["deployment_status"], run["run_status"]) == ("ARCHIVED", "STOPPED")
    assert orjson.loads(run["final_status"])["performance"]["quotes"]["performance"]
    assert "kept" not in world.ask("bot-registry", ListBots())
    assert world.ask("database", Transact(work=lambda r: r.bots.get("kept"))) is None
    shutil.rmtree(archive)
    unknown = world.ask("bot-registry", StopAndArchiveBot(bot_name="kept"))
    assert unknown["status"] == "error"
