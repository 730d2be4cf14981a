import os
import signal

import pytest
from sample_strategies import CONTROLLER as QUOTES
from whole_server import Server

KEY = "sandbox-whole"

CONTROLLER = {"id": "pmm", **QUOTES, "buy_spreads": [0.001, 0.002], "sell_spreads": [0.001, 0.002]}

EXPOSURE = 4
"""Orders that the configuration asks for: two spreads on each side."""


@pytest.fixture(scope="module")
def bot(server: Server) -> Server:
    """The server, with one bot that quotes."""
    server.add_key(KEY)
    server.call("POST", "/controllers/configs/pmm", CONTROLLER)
    deployed = server.call(
        "POST",
        "/bot-orchestration/deploy-v2-controllers",
        {"instance_name": "mm-1", "credentials_profile": "master_account", "controllers_config": ["pmm.yml"]},
    )
    server.bot = deployed["unique_instance_name"]
    server.until("the bot quotes", lambda: quotes(server))
    return server


@pytest.fixture(autouse=True)
def _runs(bot: Server) -> None:
    """Each test begins with a bot that runs and quotes, whatever the last one did to it."""
    if status_of(bot)["state"] == "stopped":
        bot.call("POST", f"/bot-orchestration/bots/{bot.bot}/start")
    bot.until("the bot runs", lambda: status_of(bot)["state"] == "running")
    bot.until("it quotes", lambda: quotes(bot))


def quotes(server: Server) -> bool:
    return {order["side"] for order in server.open_orders(KEY)} == {"BUY", "SELL"}


def status_of(server: Server) -> dict[str, object]:
    status: dict[str, object] = server.call("GET", f"/bot-orchestration/bots/{server.bot}/status")["data"]
    return status


def pid_of(server: Server) -> int:
    return int(status_of(server)["pid"] or 0)


def test_a_killed_bot_quotes_again_with_no_more_than_its_configuration_says(bot: Server) -> None:
    before = pid_of(bot)

    os.kill(before, signal.SIGKILL)

    bot.until("another process runs", lambda: pid_of(bot) not in {0, before})
    seconds = bot.seconds_until("it quotes", lambda: status_of(bot)["state"] == "running" and quotes(bot))
    print(f"quoting again {seconds:.1f} s after the new process")
    assert len(bot.open_orders(KEY)) <= EXPOSURE
    assert bot.cell(f"bots/{bot.bot}")["restarts"] >= 1


def test_a_killed_server_finds_its_bot_again(bot: Server) -> None:
    before = pid_of(bot)

    bot.kill()
    bot.start()
    bot.until("every branch runs", bot.ready)

    bot.until("the bot runs", lambda: status_of(bot)["state"] == "running")
    assert pid_of(bot) == before
    assert len(bot.open_orders(KEY)) <= EXPOSURE


def test_a_stopped_bot_stays_stopped_over_a_restart_of_the_server(bot: Server) -> None:
    bot.call("POST", f"/bot-orchestration/bots/{bot.bot}/stop")
    bot.until("no order is left", lambda: not bot.open_orders(KEY))
    bot.until("it has stopped", lambda: status_of(bot)["state"] == "stopped")

    assert bot.stop() == 0
    bot.start()
    bot.until("every branch runs", bot.ready)

    status = status_of(bot)
    assert status["state"] == "stopped"
    assert not status["pid"]
    assert not bot.open_orders(KEY)
