"""What goes wrong around bots: an exchange that is away, answers that are lost, the other broker."""

import hashlib
import hmac
import os
import signal
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from aviary.actors.core.message import Message
from aviary.actors.messages.bots import BotStatus, StopBot
from aviary.actors.strategies.files import read_yaml, write_yaml
from bot_world import World, key_of, quotes, until


def test_nothing_is_quoted_before_the_dead_run_s_orders_are_known_to_be_gone(world: World) -> None:
    pid = world.have("cut", quotes())
    before = {order["client_order_id"] for order in world.open_orders("sandboxcut")}

    world.run(world.sandbox.faults("http_5xx", 3, market="spot", key="sandboxcut"))
    os.kill(pid, signal.SIGKILL)
    settling = world.wait_until("cut", lambda s: s.state == "settling")

    assert "can't be checked yet" in settling.reason
    assert {order["client_order_id"] for order in world.open_orders("sandboxcut")} == before
    world.wait_until("cut", lambda s: s.state == "running")
    assert not before & {order["client_order_id"] for order in world.wait_for_orders(4, "sandboxcut")}


def test_an_order_whose_answer_was_lost_is_asked_about_and_not_sent_again(world: World) -> None:
    world.add_account("lossy", "sandboxlossy")
    world.run(world.sandbox.faults("place_answer_lost", 60, market="spot", key="sandboxlossy", count=2))

    world.deploy("lossy", quotes(), account="lossy")
    world.wait_until("lossy", lambda s: s.state == "running")

    world.wait_for_orders(4, "sandboxlossy")
    # Long enough for an executor to try again, and for the exchange's list to be looked at twice.
    world.pause(4.0)
    assert len(world.run(world.sandbox.orders("sandboxlossy"))) == 4


def test_an_exchange_that_answers_5xx_to_orders_gets_each_once_it_is_back(world: World) -> None:
    world.add_account("unlucky", "sandboxunlucky")
    world.deploy("unlucky", quotes(executor_refresh_time=3), account="unlucky")
    world.wait_until("unlucky", lambda s: s.state == "running")
    world.wait_for_orders(4, "sandboxunlucky")

    world.run(world.sandbox.faults("http_5xx", 6, market="spot", key="sandboxunlucky"))
    world.pause(7.0)

    world.wait_for_orders(4, "sandboxunlucky", timeout=40)


def place_behind_its_back(world: World, bot: str, amount: str) -> None:
    """A market order that carries the bot's mark and that the bot knows nothing of."""
    moment = int(world.system.clock.now() * 1000)
    half = 16**9 // 2
    mark = hashlib.sha256(bot.encode()).hexdigest()[:8]
    query = urlencode(
        {
            "symbol": "BTCUSDT",
            "side": "BUY",
            "type": "MARKET",
            "quantity": amount,
            "newClientOrderId": f"x-MG43PCSNBBCUT{moment % half + half:x}{mark}",
            "timestamp": moment,
        }
    )
    signature = hmac.new(b"secret", query.encode(), hashlib.sha256).hexdigest()
    request = Request(
        f"{world.sandbox.url}/api/v3/order?{query}&signature={signature}",
        method="POST",
        headers={"X-MBX-APIKEY": key_of(bot)},
    )
    with urlopen(request) as answer:
        assert answer.status == 200


def test_what_nobody_counted_on_is_held_and_told_and_stops_the_opening(world: World) -> None:
    pid = world.have("stray", quotes(executor_refresh_time=4))

    place_behind_its_back(world, "stray", "0.01")

    def told(status: BotStatus) -> bool:
        return any("+0.01 BTC-USDT on sandbox were traded" in row["msg"] for row in status.error_logs)

    # Twice looked at, a look a second, one of six at all recent orders.
    world.wait_until("stray", told, 40)
    until(world, lambda: world.alarm("exposure/stray"))
    exposure = world.alarm("exposure/stray")
    restart_server(world)
    assert world.wait_until("stray", lambda s: s.state == "running").pid == pid
    assert world.alarm("exposure/stray") == exposure
    # Four quotes of 250 are less than that: they are withdrawn and not placed again.
    world.wait_for_orders(0, key_of("stray"), timeout=40)

    # What was held is held by the next life too, and a stop says so.
    os.kill(pid, signal.SIGKILL)
    world.wait_until("stray", lambda s: s.state == "running" and s.pid not in {None, pid})
    stopped = world.ask("bot-registry", StopBot(bot_name="stray", async_backend=False), 90)
    [left] = stopped["positions_left"]
    assert (left["side"], left["amount"]) == ("LONG", "0.01")
    # From here on that is what is told, by the next server too.
    assert not world.alarm("exposure/stray")
    told = world.alarm("positions-left/stray")
    assert "0.01 BTC-USDT long" in told
    restart_server(world)
    assert world.wait_until("stray", lambda s: s.state == "stopped").positions_left == (left,)
    assert world.alarm("positions-left/stray") == told


def restart_server(world: World) -> None:
    """Another server, which has not heard of anything."""
    world.kill_tree()
    for alarm in world.system.alarms.standing():
        world.system.alarms.clear(alarm.name)
    world.start_tree()


def test_events_and_notices_arrive(world: World) -> None:
    world.have("cut", quotes())
    heard: list[tuple[str, Message[None]]] = []
    unsubscribe = world.system.bus.subscribe("bots/cut/", lambda topic, event: heard.append((topic, event)))  # type: ignore[arg-type]

    world.ask("bot-registry", StopBot(bot_name="cut", async_backend=False), 90)
    unsubscribe()

    kinds = {topic.rpartition("/")[2] for topic, _ in heard}
    assert {"performance", "hb", "notify", "log", "events", "status_updates"} <= kinds
    assert any(event.get("type") == "OrderCancelled" for topic, event in heard if topic.endswith("/events"))  # type: ignore[attr-defined]
    assert any(event.get("msg") == "offline" for topic, event in heard if topic.endswith("/status_updates"))  # type: ignore[attr-defined]


def test_a_bot_whose_code_was_broken_meanwhile_leaves_no_order_behind(world: World) -> None:
    pid = world.have("frail", quotes())
    code = world.folders.of("frail") / "controllers" / "market_making" / "pmm_simple.py"

    code.write_text("import nothing_of_this_name\n")
    os.kill(pid, signal.SIGKILL)

    status = world.wait_until("frail", lambda s: s.state == "failed", 60)
    assert "nothing_of_this_name" in status.reason
    assert not world.open_orders(key_of("frail"))
    stopped = world.ask("bot-registry", StopBot(bot_name="frail", async_backend=False), 90)
    assert (stopped["state"], stopped["orders_left"]) == ("stopped", 0)


def test_one_unknown_pair_keeps_nothing_else_from_being_settled(world: World) -> None:
    pid = world.have("mixed", quotes())
    before = {order["client_order_id"] for order in world.open_orders(key_of("mixed"))}
    stray = quotes(id="stray", trading_pair="btc-usdt")
    write_yaml(world.folders.config("mixed", "stray"), stray)
    script = world.folders.of("mixed") / "conf" / "scripts" / "mixed.yml"
    write_yaml(script, {**read_yaml(script, ""), "controllers_config": ["mixed-quotes.yml", "stray.yml"]})

    os.kill(pid, signal.SIGKILL)

    world.wait_for_orders(0, key_of("mixed"))
    status = world.wait_until("mixed", lambda s: s.state == "degraded", 90)
    assert "btc-usdt" in status.reason
    assert not before & {order["client_order_id"] for order in world.open_orders(key_of("mixed"))}
    stopped = world.ask("bot-registry", StopBot(bot_name="mixed", async_backend=False), 90)
    assert (stopped["state"], stopped["orders_left"]) == ("stopped", 0)


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("torn", "]["),
        ("strange", "connector_name: not_a_connector\ntrading_pair: BTC-USDT\ncontroller_name: pmm_simple\n"),
        ("absent", None),
    ],
)
def test_a_configuration_that_was_broken_meanwhile_leaves_no_order_behind(
    world: World, name: str, broken: str | None
) -> None:
    pid = world.have(name, quotes())
    file = world.folders.config(name, f"{name}-quotes")

    if broken is None:
        file.unlink()
    else:
        file.write_text(broken)
    os.kill(pid, signal.SIGKILL)

    status = world.wait_until(name, lambda s: s.state == "failed", 60)
    assert status.reason
    assert world.alarm(f"bot/{name}")
    world.wait_for_orders(0, key_of(name))
    stopped = world.ask("bot-registry", StopBot(bot_name=name, async_backend=False), 90)
    assert (stopped["state"], stopped["orders_left"]) == ("stopped", 0)


def test_a_stop_that_spares_the_orders_spares_them_even_if_the_server_dies_in_the_middle(world: World) -> None:
    pid = world.have("spared", quotes())
    before = {order["client_order_id"] for order in world.wait_for_orders(4, key_of("spared"))}

    # A bot that does not answer keeps its stop from ending.
    os.kill(pid, signal.SIGSTOP)
    world.ask("bot-registry", StopBot(bot_name="spared", skip_order_cancellation=True, async_backend=True))
    world.kill_tree()
    os.kill(pid, signal.SIGKILL)
    world.start_tree()

    world.wait_until("spared", lambda s: s.state == "stopped")
    assert {order["client_order_id"] for order in world.open_orders(key_of("spared"))} == before
