"""The bot's exposure is what its configuration says, however often it was killed: compared with the exchange's books."""

import os
import signal
from decimal import Decimal
from typing import Any

import pytest
from aviary.actors.messages.bots import StopBot
from books import Books, opener
from bot_world import World

AMOUNT = Decimal(2000)


def kill(world: World, name: str) -> None:
    """End the bot's process and wait for its next life."""
    pid = world.status(name).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    world.wait_until(name, lambda s: s.state == "running" and s.pid not in {None, pid})


def deploy(world: World, name: str, **config: Any) -> Books:
    connector = config["connector_name"]
    books = Books(world, f"sandbox{name}", connector, config["trading_pair"])
    world.add_account(name, books.key)
    world.deploy(name, opener(**config), account=name)
    world.wait_until(name, lambda s: s.state == "running")
    return books


@pytest.mark.parametrize(
    ("kind", "connector", "side", "mode"),
    [
        ("grid", "sandbox_perpetual", "BUY", "HEDGE"),
        ("grid", "sandbox", "BUY", "ONEWAY"),
        ("dca", "sandbox_perpetual", "SELL", "ONEWAY"),
    ],
)
def test_what_a_dead_executor_held_is_gone_on_with(
    world: World, kind: str, connector: str, side: str, mode: str
) -> None:
    name = f"{kind}-{connector}-{side}".replace("_", "-").lower()
    books = deploy(
        world,
        name,
        kind=kind,
        connector_name=connector,
        trading_pair="BTC-USDT",
        side=side,
        position_mode=mode,
        total_amount_quote=int(AMOUNT),
    )
    held = books.wait_until_still()
    assert held != 0

    for _ in range(3):
        kill(world, name)
        now = books.wait_until_still()
        assert abs(now) * books.price() <= AMOUNT + books.largest_order()
        assert abs(now - held) * books.price() <= books.largest_order()

    stopped = world.ask("bot-registry", StopBot(bot_name=name, async_backend=False), 90)
    assert (stopped["state"], stopped["orders_left"]) == ("stopped", 0)
    assert abs(books.held()) * books.price() <= books.dust()
