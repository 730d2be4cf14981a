"""Whole bots: forked from the template, trading on the simulated exchange, killed, hung and broken."""

import os
import signal

import orjson
from aviary.actors.messages.bots import FindBot, StartBot, StopBot
from aviary.actors.messages.broker import GetBroker
from bot_world import World, key_of, quotes
from poison import KILLS, assert_nothing_is_set_aside
from processes import processes_in

FIRST = (quotes(), quotes("sandbox_perpetual", id="futures"))
"""Two orders a side on each market."""

HEALED_WITHIN = 30.0
"""Seconds from the death of a bot to the next process that trades, on a machine whose cores are all busy."""


def test_after_kill_9_a_bot_quotes_again_and_not_twice(world: World) -> None:
    world.have("first", *FIRST)
    before = {order["client_order_id"] for order in world.wait_for_orders(8, key_of("first"))}

    for _ in range(3):
        pid = world.status("first").pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        world.wait_until(
            "first", lambda s, pid=pid: s.pid not in {None, pid} and s.state == "running", HEALED_WITHIN
        )
        after = {order["client_order_id"] for order in world.wait_for_orders(8, key_of("first"))}

        assert not before & after
        before = after


def test_killed_in_the_middle_of_placing_orders_it_leaves_none_behind(world: World) -> None:
    world.add_account("busy", "sandboxbusy")
    world.deploy("busy", quotes(executor_refresh_time=1, cooldown_time=0), account="busy")
    # Another bot on the same account: what it has must be left alone.
    world.deploy("neighbour", quotes(id="other"), account="busy")
    world.wait_until("neighbour", lambda s: s.state == "running")
    theirs = {o["client_order_id"] for o in world.wait_for_orders(8, "sandboxbusy") if world.is_of("neighbour", o)}
    assert len(theirs) == 4

    for offset in (0.0, 0.15, 0.4):
        status = world.wait_until("busy", lambda s: s.state == "running")
        world.pause(offset)
        assert status.pid is not None
        os.kill(status.pid, signal.SIGKILL)
        world.wait_until("busy", lambda s, pid=status.pid: s.pid not in {None, pid} and s.state == "running")

    world.ask("bot-registry", StopBot(bot_name="busy", async_backend=False), 60)
    left = {o["client_order_id"] for o in world.open_orders("sandboxbusy")}
    assert left == theirs
    world.ask("bot-registry", StopBot(bot_name="neighbour", async_backend=False), 60)
    assert not world.open_orders("sandboxbusy")


def test_however_often_a_bot_is_killed_it_is_back_and_no_message_is_blamed(world: World) -> None:
    world.have("first", *FIRST)

    for _ in range(KILLS):
        pid = world.wait_until("first", lambda s: s.state == "running").pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        world.wait_until("first", lambda s, pid=pid: s.pid not in {None, pid} and s.state == "running")

    world.wait_for_orders(8, key_of("first"))
    assert_nothing_is_set_aside(world.system)


def test_a_bot_that_hangs_is_killed_and_started_again(world: World) -> None:
    pid = world.have("first", *FIRST)

    os.kill(pid, signal.SIGSTOP)
    world.wait_until(
        "first",
        lambda s: s.pid not in {None, pid} and s.state == "running",
        HEALED_WITHIN + world.patience.silence,
    )

    assert "hung: not a word for" in world.failure_of("first")
    world.wait_for_orders(8, key_of("first"))


def test_running_bots_are_adopted_by_the_next_server_and_stopped_ones_stay_stopped(world: World) -> None:
    pid = world.have("first", *FIRST)
    orders = {order["client_order_id"] for order in world.open_orders(key_of("first"))}
    world.have("resting", quotes())
    world.ask("bot-registry", StopBot(bot_name="resting", async_backend=False), 60)

    world.kill_tree()
    world.start_tree()

    status = world.wait_until("first", lambda s: s.state == "running" and s.recently_active)
    assert status.pid == pid
    assert len(processes_in(world.folders.of("first"))) == 1
    assert {order["client_order_id"] for order in world.open_orders(key_of("first"))} == orders
    assert world.status("resting").state == "stopped"
    assert not processes_in(world.folders.of("resting"))


def test_the_broker_is_restarted_and_bots_talk_again(world: World) -> None:
    pid = world.have("first", *FIRST)
    broker = world.ask("broker/server", GetBroker())

    os.kill(broker.pid, signal.SIGKILL)
    world.wait_for_broker(other_than=broker.pid)
    status = world.wait_until("first", lambda s: s.state == "running" and s.recently_active)

    assert status.pid == pid
    assert world.ask("broker/server", GetBroker()).port == broker.port
    answer = world.command("first", "status", {"async_backend": False})
    assert answer["status"] == 200
    assert "Controller" in answer["msg"]


def test_commands_reach_the_bot_and_a_stop_leaves_no_order(world: World) -> None:
    world.have("first", *FIRST)
    config = world.command("first", "config", {"params": []})
    history = world.command("first", "history", {"async_backend": False})
    assert config["status"] == history["status"] == 200
    assert config["config"]["client"]["mqtt_bridge"]["mqtt_password"] == "***"

    answer = world.ask("bot-registry", StopBot(bot_name="first", async_backend=False), 90)

    assert answer["state"] == "stopped"
    assert answer["orders_left"] == 0
    assert not world.open_orders(key_of("first"))
    assert not processes_in(world.folders.of("first"))
    report = orjson.loads((world.folders.of("first") / "data" / "launch.json").read_bytes())
    assert report["stage"] == "stopped"

    world.ask("bot-registry", StartBot(bot_name="first"))
    world.wait_until("first", lambda s: s.state == "running")
    world.wait_for_orders(8, key_of("first"))
    assert world.ask("bot-registry", FindBot(bot_name="first")).orders_left is None
