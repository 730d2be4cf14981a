"""What a stopped bot has left is told for as long as it is there, and looked after until no order is left."""

import pytest
from aviary.actors.bots import aftermath, bot
from aviary.actors.messages.bots import StartBot, StopAndArchiveBot, StopBot
from bot_world import World, key_of, quotes, until


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exchange that is away is believed to be so after a moment."""
    for limit in ("WIND_DOWN_TIMEOUT", "TERMINATE_TIMEOUT", "SETTLE_TIMEOUT"):
        monkeypatch.setattr(bot, limit, 1.0)


def stop_in_vain(world: World, name: str) -> None:
    """Stop a bot while its exchange is away."""
    world.have(name, quotes())
    world.run(world.sandbox.faults("http_5xx", 600, market="spot", key=key_of(name)))
    stopped = world.ask("bot-registry", StopBot(bot_name=name, async_backend=False), 90)
    assert (stopped["state"], stopped["orders_left"]) == ("stopped", None)
    assert "an unknown number of orders" in world.alarm(f"orders-left/{name}")


def test_orders_that_could_not_be_cancelled_are_told_after_a_restart_and_cancelled_in_the_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_in_vain(world, "left")
    world.kill_tree()
    for alarm in world.system.alarms.standing():
        world.system.alarms.clear(alarm.name)

    monkeypatch.setattr(aftermath, "FIRST_LOOK", 1.0)
    world.start_tree()

    until(world, lambda: "an unknown number of orders" in world.alarm("orders-left/left"))
    assert world.status("left").state == "stopped"
    assert len(world.open_orders(key_of("left"))) == 4
    monkeypatch.setattr(bot, "SETTLE_TIMEOUT", 30.0)
    world.run(world.sandbox.clear_faults())
    world.wait_for_orders(0, key_of("left"))
    until(world, lambda: not world.alarm("orders-left/left"))
    assert world.status("left").orders_left == 0
    # That is written down too.
    world.kill_tree()
    world.start_tree()
    assert world.wait_until("left", lambda status: status.state == "stopped").orders_left == 0
    assert not world.alarm("orders-left/left")


def test_a_bot_that_runs_again_has_left_nothing(world: World) -> None:
    stop_in_vain(world, "again")
    world.run(world.sandbox.clear_faults())

    world.ask("bot-registry", StartBot(bot_name="again"))

    world.wait_until("again", lambda status: status.state == "running")
    world.wait_for_orders(4, key_of("again"))
    assert not world.alarm("orders-left/again")


def test_an_archived_bot_has_no_alarm(world: World) -> None:
    stop_in_vain(world, "gone")

    world.ask("bot-registry", StopAndArchiveBot(bot_name="gone"))

    world.wait_until_gone("gone")
    until(world, lambda: not [a for a in world.system.alarms.standing() if a.name.endswith("/gone")])
    world.run(world.sandbox.clear_faults())
