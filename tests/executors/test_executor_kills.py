"""Executors whose engine host is killed: they go on where they were, by the exchange's own books."""

from decimal import Decimal

import pytest
from account_world import Exchange
from aviary.actors.messages.executors import REGISTRY, ListPositionsHeld
from executor_configs import dca, entered, grid, order, position, twap
from executor_world import Books, ExecutorWorld

pytestmark = [pytest.mark.whole, pytest.mark.timeout(240)]

DUST = Decimal("0.0005")
"""Base units that are too small to be sold, fees included, of what costs thousands."""


class Desk:
    """A position executor, a grid and an order on one account, each in a pair of its own."""

    def __init__(self, world: ExecutorWorld, exchange: Exchange, account: str) -> None:
        self.world = world
        self.account = account
        self.key = exchange.key()
        world.connect(account, self.key)
        self.btc, self.eth, self.sol = (
            Books(exchange, self.key, pair) for pair in ("BTC-USDT", "ETH-USDT", "SOL-USDT")
        )
        self.ids: list[str] = []

    def begin(self, *configs: dict[str, object]) -> None:
        for config in configs:
            self.ids.append(self.world.create(self.account, config).executor_id)

    def rest(self, *counts: int) -> None:
        """Wait until so many orders rest in each pair."""
        books = (self.btc, self.eth, self.sol)
        self.world.until_orders(
            self.account,
            "sandbox",
            f"{counts} orders rest",
            lambda: tuple(len(each.open_orders()) for each in books) == counts,
        )

    def kill_host(self) -> None:
        """Kill the host and wait until each executor runs in the next one."""
        self.world.signal_host(self.account)
        for executor_id in self.ids:
            self.world.until_logged(executor_id, "It goes on after a crash")

    def end(self) -> None:
        for executor_id in self.ids:
            self.world.end(executor_id)
        for executor_id in self.ids:
            self.world.until_settled(executor_id)
        assert [each.open_orders() for each in (self.btc, self.eth, self.sol)] == [[], [], []]


def test_before_the_first_fill_each_order_is_there_once_again(
    world: ExecutorWorld, exchange: Exchange, account: str
) -> None:
    desk = Desk(world, exchange, account)
    desk.begin(position(desk.btc.price()), grid(desk.eth.price()), order(desk.sol.price()))
    desk.rest(1, 3, 1)

    desk.kill_host()

    desk.rest(1, 3, 1)
    desk.end()
    assert (desk.btc.fills(), desk.eth.fills(), desk.sol.fills()) == ([], [], [])
    assert {world.kept(each).close_type for each in desk.ids} == {"EARLY_STOP"}


def test_what_was_half_filled_counts_and_is_closed_once(
    world: ExecutorWorld, exchange: Exchange, account: str
) -> None:
    desk = Desk(world, exchange, account)
    desk.begin(position(desk.btc.price()), grid(desk.eth.price()), order(desk.sol.price()))
    desk.rest(1, 3, 1)
    level = Decimal(desk.eth.open_orders()[0]["amount"])
    for books in (desk.btc, desk.eth, desk.sol):
        books.fill(0.5)

    desk.kill_host()

    # The order is made whole again; the position and the grid's level go on with what they have.
    world.until_orders(account, "sandbox", "the rest of the order rests", lambda: len(desk.sol.open_orders()) == 1)
    assert Decimal(desk.sol.open_orders()[0]["amount"]) == Decimal(1)
    desk.end()
    assert (desk.btc.traded("BUY"), desk.sol.traded("BUY")) == (Decimal("0.005"), Decimal(1))
    assert abs(desk.eth.traded("BUY") - level / 2) < DUST
    assert desk.btc.held() < DUST
    assert desk.eth.held() < DUST
    held = world.ask(REGISTRY, ListPositionsHeld())["positions"]
    mine = [one for one in held if one["account_name"] == account]
    assert [(one["trading_pair"], one["net_amount_base"]) for one in mine] == [("SOL-USDT", 1.0)]


def test_what_is_held_stays_held_and_is_closed_once(
    world: ExecutorWorld, exchange: Exchange, account: str
) -> None:
    desk = Desk(world, exchange, account)
    desk.begin(entered(desk.btc.price()), grid(desk.eth.price()))
    world.until(desk.ids[0], "it holds", lambda row: row["filled_amount_quote"] > 0)
    desk.rest(0, 3, 0)
    desk.eth.fill(1.0)
    exits = lambda: [one for one in desk.eth.open_orders() if one["side"] == "SELL"]  # noqa: E731
    world.until_orders(account, "sandbox", "the level's exit rests", exits)

    desk.kill_host()

    world.until_orders(account, "sandbox", "the exit rests again", exits)
    assert len(exits()) == 1
    assert world.row(desk.ids[0])["filled_amount_quote"] > 0
    desk.end()
    assert desk.btc.traded("BUY") == Decimal("0.01")
    assert desk.btc.held() < DUST
    assert desk.eth.held() < DUST
    assert {world.kept(each).close_type for each in desk.ids} == {"EARLY_STOP"}


def test_an_average_keeps_its_levels_and_a_plan_in_time_its_total(
    world: ExecutorWorld, exchange: Exchange, account: str
) -> None:
    desk = Desk(world, exchange, account)
    desk.begin(dca(desk.btc.price()), twap(desk.eth.price()))
    world.until_orders(account, "sandbox", "both levels rest", lambda: len(desk.btc.open_orders()) == 2)
    level = desk.btc.fill(1.0)
    world.until(desk.ids[1], "a slice has traded", lambda row: row["filled_amount_quote"] > 0)

    desk.kill_host()

    world.until_orders(account, "sandbox", "the other level rests", lambda: len(desk.btc.open_orders()) == 1)
    plan = world.until_settled(desk.ids[1])
    spent = sum(Decimal(row["amount"]) * Decimal(row["price"]) for row in desk.eth.fills())
    assert (plan.close_type, plan.held) == ("POSITION_HOLD", True)
    assert abs(spent - 300) < 3
    assert len({row["client_order_id"] for row in desk.eth.fills()}) == 3
    assert plan.filled_amount_quote == pytest.approx(float(spent))
    desk.end()
    assert desk.btc.traded("BUY") == Decimal(level["amount"])
    assert desk.btc.held() < DUST
