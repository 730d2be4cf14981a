"""A bot's exposure is what its configuration says, however often it is killed and whatever goes wrong meanwhile.

Compared with the exchange's own books: while it lives, what a controller holds is never more than its total by more
than one order; after a stop, it is what the bot says that it left.
"""

import os
import random
import signal
from decimal import Decimal
from typing import Any

import pytest
from aviary.actors.messages.bots import StartBot, StopBot
from books import LET_GO, Books, opener
from bot_world import World, quotes

TOTAL = 1500

SEEDS = range(int(os.environ.get("SEEDS", "1")))
"""`make exposure SEEDS=n` tries more."""

KILLS = 3

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
    for _ in range(2):
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


@pytest.mark.timeout(300)
def test_a_stop_of_a_dead_bot_says_what_it_leaves_and_its_next_life_closes_it(world: World) -> None:
    name = "corpse"
    world.add_account(name, f"sandbox{name}")
    world.deploy(name, opens("position", PERPETUAL, "ETH-USDT", side="SELL"), account=name)
    books = Books(world, f"sandbox{name}", PERPETUAL, "ETH-USDT")
    held = books.wait_until_still(seconds=1.0)
    pid = world.status(name).pid
    assert pid is not None

    # Hung, so that it can't be asked, and killed in the middle of its stop.
    os.kill(pid, signal.SIGSTOP)
    world.ask("bot-registry", StopBot(bot_name=name, async_backend=True))
    os.kill(pid, signal.SIGKILL)
    stopped = world.wait_until(name, lambda s: s.state == "stopped", 90)

    assert stopped.positions_left is not None
    [left] = stopped.positions_left
    assert (left["side"], Decimal(left["amount"])) == ("SHORT", -held)
    assert "positions are left without an exit" in stopped.reason

    world.ask("bot-registry", StartBot(bot_name=name))
    world.wait_until(name, lambda s: s.state == "running", 60)
    assert f"positions-left/{name}" not in {alarm.name for alarm in world.system.alarms.standing()}
    again = world.ask("bot-registry", StopBot(bot_name=name, async_backend=False), 90)
    assert (again["positions_left"], again["reason"]) == ((), "")
    assert books.value() <= LET_GO


@pytest.mark.timeout(300)
def test_a_grid_is_gone_on_with_and_a_stop_leaves_nothing_of_it(world: World) -> None:
    name = "grid"
    world.add_account(name, f"sandbox{name}")
    config = opener(
        kind="grid",
        connector_name=PERPETUAL,
        trading_pair="BTC-USDT",
        total_amount_quote=2000,
        position_mode="HEDGE",
    )
    world.deploy(name, config, account=name)
    books = Books(world, f"sandbox{name}", PERPETUAL, "BTC-USDT")
    held = books.wait_until_still()
    assert held > 0

    for _ in range(2):
        pid = world.status(name).pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        world.wait_until(name, lambda s, pid=pid: s.state == "running" and s.pid not in {None, pid})  # type: ignore[misc]
        assert abs(books.wait_until_still() - held) * books.price() <= 200

    stopped = world.ask("bot-registry", StopBot(bot_name=name, async_backend=False), 90)
    assert (stopped["orders_left"], stopped["positions_left"], stopped["reason"]) == (0, (), "")
    assert books.held() == 0
