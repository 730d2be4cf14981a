"""A bot's story as its user sees it: deployed, killed, found again by the next server, stopped for good."""

import os
import signal

import pytest
from sample_strategies import CONTROLLER as QUOTES
from whole_server import Server

KEY = "sandbox-whole"

CONTROLLER = {"id": "pmm", **QUOTES, "buy_spreads": [0.001, 0.002], "sell_spreads": [0.001, 0.002]}

SCRIPT = {"script_file_name": "v2_with_controllers.py", "controllers_config": ["pmm.yml"]}

EXPOSURE = 4
"""Orders that the configuration asks for: two spreads on each side."""


@pytest.fixture(scope="module")
def bot(server: Server) -> Server:
    """The server, with one bot that quotes."""
    server.add_key(KEY)
    server.call("POST", "/controllers/configs/pmm", CONTROLLER)
    server.call("POST", "/scripts/configs/quoting", SCRIPT)
    server.call("POST", "/scripts/run", {"instance_name": "mm-1", "script_config": "quoting"})
    server.bot = "mm-1"
    server.until("the bot quotes", lambda: quotes(server))
    return server


def quotes(server: Server) -> bool:
    return {order["side"] for order in server.open_orders(KEY)} == {"BUY", "SELL"}


def status_of(server: Server) -> dict[str, object]:
    status: dict[str, object] = server.call("GET", f"/bot-orchestration/bots/{server.bot}/status")["data"]
    return status


def pid_of(server: Server) -> int:
    return int(status_of(server)["pid"] or 0)


def test_a_bot_survives_kills_of_itself_and_of_the_server_and_stays_stopped_once_it_is(bot: Server) -> None:
    bot.until("it runs", lambda: status_of(bot)["state"] == "running")
    first = pid_of(bot)

    os.kill(first, signal.SIGKILL)
    bot.until("another process runs", lambda: pid_of(bot) not in {0, first})
    bot.until("it quotes", lambda: status_of(bot)["state"] == "running" and quotes(bot))
    second = pid_of(bot)
    assert len(bot.open_orders(KEY)) <= EXPOSURE
    assert bot.cell(f"bots/{bot.bot}")["restarts"] >= 1

    bot.kill()
    bot.start()
    bot.until("every branch runs", bot.ready)
    bot.until("the bot runs", lambda: status_of(bot)["state"] == "running")
    assert pid_of(bot) == second
    assert len(bot.open_orders(KEY)) <= EXPOSURE

    bot.call("POST", f"/bot-orchestration/bots/{bot.bot}/stop")
    bot.until("no order is left", lambda: not bot.open_orders(KEY))
    bot.until("it has stopped", lambda: status_of(bot)["state"] == "stopped")
    assert bot.stop() == 0
    bot.start()
    bot.until("every branch runs", bot.ready)
    assert (status_of(bot)["state"], pid_of(bot)) == ("stopped", 0)
    assert not bot.open_orders(KEY)


def test_every_address_can_be_restarted_over_rest(bot: Server) -> None:
    if status_of(bot)["state"] == "stopped":
        bot.call("POST", f"/bot-orchestration/bots/{bot.bot}/start")
        bot.until("the bot quotes", lambda: quotes(bot))
    tree = bot.call("GET", "/supervision/tree")["actors"]
    addresses = [cell["address"] for cell in tree if cell["parent"] is not None]
    assert {"bots", f"bots/{bot.bot}", "accounts/master_account/sandbox", "supervision"} <= set(addresses)

    for address in addresses:
        # One whose supervisor was restarted is on its way.
        bot.until(f"{address} is there", lambda address=address: bot.cell(address))
        bot.call("POST", "/supervision/restart", {"address": address})
        bot.until(f"{address} runs", lambda address=address: bot.cell(address).get("state") == "running")

    bot.until("all run", lambda: all(bot.cell(address).get("state") == "running" for address in addresses))
    bot.until("the bot quotes", lambda: status_of(bot)["state"] == "running" and quotes(bot))
