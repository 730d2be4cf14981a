"""A bot's exposure is what its configuration says, however often it is killed and whatever goes wrong meanwhile.

Compared with the exchange's own books: while it lives, what a controller holds is never more than its total by more
than one order; after a stop, it is what the bot says that it left.
"""

import contextlib
import os
import random
import signal
import sqlite3
from decimal import Decimal
from typing import Any

import pytest
from aviary.actors.messages.bots import StartBot, StopBot
from books import LET_GO, Books, opener
from bot_world import World, quotes

TOTAL = 1500

SEEDS = range(int(os.environ.get("SEEDS", "1")))
"""`make exposure SEEDS=n` tries more."""

ONE_LEVEL = 200
"""Quote units, a little more than a level of the grid has."""

KILLS = int(os.environ.get("KILLS", "2"))

FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("place_answer_lost", {}),
    ("cancel_answer_lost", {}),
    ("answer_lost", {}),
    ("http_5xx", {}),
    ("http_429", {}),
    ("drop_websockets", {}),
    ("stall_websockets", {}),
    ("hidden_fill", {"count": 3}),
    ("hidden_cancel", {"count": 2}),
    ("price_shock", {"percent": 1}),
    ("price_shock", {"percent": -1}),
]

SPOT, PERPETUAL = "sandbox", "sandbox_perpetual"


def makes(connector: str, pair: str, **more: Any) -> dict[str, Any]:
    """Market making so close that it trades."""
    return quotes(
        connector,
        id=f"pmm-{pair.split('-', maxsplit=1)[0].lower()}",
        trading_pair=pair,
        total_amount_quote=TOTAL,
        buy_spreads=[0.0001, 0.001],
        sell_spreads=[0.0001, 0.001],
        executor_refresh_time=5,
        cooldown_time=2,
        take_profit=0.0005,
        time_limit=8,
        **more,
    )


def opens(kind: str, connector: str, pair: str, **more: Any) -> dict[str, Any]:
    return opener(kind=kind, connector_name=connector, trading_pair=pair, total_amount_quote=TOTAL, **more)


BOTS: dict[str, list[dict[str, Any]]] = {
    "oneway": [
        makes(SPOT, "BTC-USDT"),
        opens("dca", SPOT, "ETH-USDT"),
        opens("position", SPOT, "SOL-USDT", at_once=3, take_profit=0.001, time_limit=6),
        opens("order", SPOT, "BNB-USDT"),
        opens("grid", PERPETUAL, "BTC-USDT", side="SELL"),
        opens("twap", PERPETUAL, "ETH-USDT"),
        opens("dca", PERPETUAL, "SOL-USDT", side="SELL", at_once=2),
    ],
    "hedge": [
        opens("grid", PERPETUAL, "BTC-USDT", position_mode="HEDGE"),
        opens(
            "position", PERPETUAL, "ETH-USDT", side="SELL", take_profit=0.001, time_limit=6, position_mode="HEDGE"
        ),
        makes(PERPETUAL, "SOL-USDT", position_mode="HEDGE"),
        opens("grid", SPOT, "ETH-USDT"),
    ],
}
"""One controller a pair, so that the exchange's books are one controller's."""


def books_of(world: World, name: str, kind: str) -> dict[str, list[Books]]:
    """Each controller's books, by its id."""
    found: dict[str, list[Books]] = {}
    for config in BOTS[kind]:
        connector = config["connector_name"]
        hedged = kind == "hedge" and connector == PERPETUAL
        sides = ("LONG", "SHORT") if hedged else (None,)
        found[config["id"]] = [
            Books(world, f"sandbox{name}", connector, config["trading_pair"], side) for side in sides
        ]
    return found


def excesses(books: dict[str, list[Books]]) -> list[str]:
    """Controllers that hold more than their total and one order: a third of the total is the largest there is."""
    return [
        f"{controller} {one.side or ''}: {one.held()} {one.base} = {one.value():.2f}"
        for controller, several in books.items()
        for one in several
        if one.value() > TOTAL * Decimal("1.35")
    ]


def trouble(world: World, names: dict[str, str], dice: random.Random) -> None:
    """Faults for some of the bots, on some of their markets."""
    for name in names.values():
        for _ in range(dice.randint(1, 2)):
            fault, more = dice.choice(FAULTS)
            key = {} if fault == "price_shock" else {"key": f"sandbox{name}"}
            market = dice.choice(("spot", "perpetual"))
            world.run(world.sandbox.faults(fault, dice.uniform(1, 4), market=market, **key, **more))


def kill(world: World, name: str) -> None:
    """End a bot's process, also one that has just begun, and wait for the next one."""
    pid = world.status(name).pid
    if pid is not None:
        os.kill(pid, signal.SIGKILL)
        world.wait_until(name, lambda s: s.pid not in {None, 0, pid}, 60)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", SEEDS)
def test_no_kill_and_no_fault_makes_a_bot_hold_what_it_should_not(world: World, seed: int) -> None:
    dice = random.Random(seed)
    names = {kind: f"{kind}{seed}" for kind in BOTS}
    books = {kind: books_of(world, name, kind) for kind, name in names.items()}
    for kind, name in names.items():
        world.add_account(name, f"sandbox{name}")
        world.deploy(name, *BOTS[kind], account=name)
    for name in names.values():
        world.wait_until(name, lambda s: s.state == "running", 60)
    world.pause(3)

    for _ in range(KILLS):
        trouble(world, names, dice)
        for kind, name in dice.sample(sorted(names.items()), len(names)):
            world.pause(dice.uniform(0.5, 4))
            assert excesses(books[kind]) == []
            kill(world, name)

    world.run(world.sandbox.clear_faults())
    for name in names.values():
        world.wait_until(name, lambda s: s.state == "running", 90)
    world.pause(5)
    for kind, name in names.items():
        assert excesses(books[kind]) == []
        stopped = world.ask("bot-registry", StopBot(bot_name=name, async_backend=False), 120)

        assert (stopped["state"], stopped["orders_left"]) == ("stopped", 0)
        assert_left(stopped["positions_left"], books[kind])
        standing = {alarm.name for alarm in world.system.alarms.standing()}
        assert (f"positions-left/{name}" in standing) is bool(stopped["positions_left"])
        assert ("positions are left" in stopped["reason"]) is bool(stopped["positions_left"])


def assert_left(positions: tuple[dict[str, str], ...], books: dict[str, list[Books]]) -> None:
    """The bot has left what it says."""
    for controller, several in books.items():
        said = [one for one in positions if one["controller_id"] == controller]
        signed = sum((Decimal(one["amount"]) * (1 if one["side"] == "LONG" else -1) for one in said), Decimal(0))
        held = sum((one.held() for one in several), Decimal(0))
        price = max(one.price() for one in several)
        assert abs(held - signed) * price <= LET_GO, f"{controller}: holds {held}, says {signed}"


@pytest.mark.timeout(300)
def test_what_one_leg_traded_the_other_trades_too_or_it_is_taken_back(world: World) -> None:
    name, dice = "legs", random.Random(1)
    world.add_account(name, f"sandbox{name}")
    world.deploy(name, opens("arbitrage", SPOT, "ETH-USDT", other_pair="ETH-BTC"), account=name)
    here, there = (Books(world, f"sandbox{name}", SPOT, pair) for pair in ("ETH-USDT", "ETH-BTC"))
    world.wait_until(name, lambda s: s.state == "running", 60)
    for _ in range(KILLS):
        world.pause(dice.uniform(2, 4))
        world.run(world.sandbox.faults("place_answer_lost", 2, market="spot", key=f"sandbox{name}", count=1))
        kill(world, name)
    world.wait_until(name, lambda s: s.state == "running", 60)
    world.pause(3)

    stopped = world.ask("bot-registry", StopBot(bot_name=name, async_backend=False), 120)

    assert stopped["orders_left"] == 0
    assert here.fills()
    # Fees are paid in what is bought.
    volume = sum(Decimal(row["amount"]) for row in here.fills())
    assert abs(here.held() + there.held()) <= volume * Decimal("0.002")


def fill_the_grid(world: World, books: Books) -> Decimal:
    """Let the market come to the grid's bids for a moment; what it holds then."""
    world.pause(2)
    world.run(world.sandbox.faults("price_shock", 3, market="perpetual", symbol="BTCUSDT", percent=-0.3))
    return books.wait_until_still()


def forget_levels(world: World, name: str) -> None:
    """Make the record of a stopped bot one that an earlier release might have written."""
    database = world.folder(name) / "data" / f"{name}.sqlite"
    with contextlib.closing(sqlite3.connect(database)) as record, record:
        record.execute("UPDATE AviaryExecutor SET notes = '{}' WHERE type = 'grid_executor'")


@pytest.mark.timeout(300)
def test_a_dead_grid_is_gone_on_with_and_a_stop_says_what_is_left_of_it(world: World) -> None:
    name = "corpse"
    world.add_account(name, f"sandbox{name}")
    world.deploy(
        name,
        opens("position", PERPETUAL, "ETH-USDT", side="SELL", position_mode="HEDGE"),
        opens("grid", PERPETUAL, "BTC-USDT", position_mode="HEDGE"),
        account=name,
    )
    books, grid = (Books(world, f"sandbox{name}", PERPETUAL, pair) for pair in ("ETH-USDT", "BTC-USDT"))
    held = books.wait_until_still(seconds=1.0)
    in_grid = fill_the_grid(world, grid)
    assert in_grid > 0

    kill(world, name)
    world.wait_until(name, lambda s: s.state == "running", 60)
    assert books.wait_until_still(seconds=1.0) == held
    # The market may come to one of its bids at any time.
    again = grid.wait_until_still()
    assert abs(again - in_grid) * grid.price() <= ONE_LEVEL
    in_grid = again
    pid = world.status(name).pid
    assert pid is not None

    # Hung, so that it can't be asked, and killed in the middle of its stop.
    os.kill(pid, signal.SIGSTOP)
    world.ask("bot-registry", StopBot(bot_name=name, async_backend=True))
    os.kill(pid, signal.SIGKILL)
    stopped = world.wait_until(name, lambda s: s.state == "stopped", 90)

    assert stopped.positions_left is not None
    left = {one["trading_pair"]: (one["side"], Decimal(one["amount"])) for one in stopped.positions_left}
    assert left["ETH-USDT"] == ("SHORT", -held)
    side, amount = left["BTC-USDT"]
    assert side == "LONG"
    assert abs(amount - in_grid) * grid.price() <= ONE_LEVEL
    assert "positions are left without an exit" in stopped.reason

    # Without its levels a grid can't go on: it is closed, and that is said.
    forget_levels(world, name)
    world.ask("bot-registry", StartBot(bot_name=name))
    world.wait_until(name, lambda s: s.state == "running", 60)
    world.wait_until(name, lambda s: any("closing what it holds: 0.0" in row["msg"] for row in s.error_logs))
    assert {alarm.name for alarm in world.system.alarms.standing()} & {
        f"positions-left/{name}",
        f"exposure/{name}",
    } == {f"exposure/{name}"}
    ended = world.ask("bot-registry", StopBot(bot_name=name, async_backend=False), 90)
    assert (ended["positions_left"], ended["reason"]) == ((), "")
    assert max(books.value(), grid.value()) <= LET_GO
