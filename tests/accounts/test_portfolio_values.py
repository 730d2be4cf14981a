"""What is held is listed whatever is known of it: without a price it has no value, which is not a value of nothing."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aviary.actors.accounts.portfolio import Portfolio
from aviary.actors.core.message import Message
from aviary.actors.core.refusal import Unavailable
from aviary.actors.core.simulation import Probe, Simulation
from aviary.actors.messages.accounts import Connection
from aviary.actors.messages.connectors import Balance
from aviary.actors.messages.portfolio import (
    GetAccountDistribution,
    GetKnownHoldings,
    GetPortfolioState,
    GetTokenDistribution,
    Holding,
)
from aviary.actors.messages.rates import RatePath, TokenPrice, Valuation, ValueTokens
from aviary.supervisors.boot import Tree
from aviary.supervisors.spec import ChildSpec, SupervisorSpec
from databases import database_children

DIRECT = RatePath(kind="direct")


class World:
    """Two accounts of which one connector has not told yet, and an oracle that knows some prices."""

    def __init__(self, sim: Simulation, file: Path) -> None:
        self.sim = sim
        self.prices: dict[str, str] = {"USDT": "1", "BTC": "50000"}
        self.quote = "USDT"
        self.stale = False
        self.complete = True
        self.oracle_is_away = False
        self.balances: dict[str, Mapping[str, str]] = {
            "desk-sandbox": {"USDT": "100", "BNB": "10"},
            "spare-sandbox": {"BTC": "0.002", "BNB": "5"},
        }
        connectors = (
            ChildSpec(name, lambda name=name: Probe(lambda _: self.held(name)))
            for name in ("desk-sandbox", "desk-silent", "spare-sandbox")
        )
        self._tree = Tree(
            sim.system,
            SupervisorSpec(
                children=(
                    *database_children(file),
                    *connectors,
                    ChildSpec("account-registry", lambda: Probe(lambda _: self.connections())),
                    ChildSpec("rate-oracle", lambda: Probe(self.value)),
                    ChildSpec("portfolio", Portfolio),
                )
            ),
        )
        sim.run(self._tree.start())

    def connections(self) -> tuple[Connection, ...]:
        return tuple(
            Connection(account_name=account, connector_name=connector, address=f"{account}-{connector}")
            for account, connector in (("desk", "sandbox"), ("desk", "silent"), ("spare", "sandbox"))
        )

    def held(self, address: str) -> dict[str, Balance]:
        if address not in self.balances:
            raise Unavailable("not connected yet")
        return {
            token: Balance(total=Decimal(units), available=Decimal(units))
            for token, units in self.balances[address].items()
        }

    def value(self, message: Any) -> Valuation:
        assert isinstance(message, ValueTokens)
        if self.oracle_is_away:
            raise Unavailable("the database can't be reached")
        prices = {
            token: TokenPrice(price=Decimal(price), source="s", age=1.0, stale=self.stale, path=DIRECT)
            for token, price in self.prices.items()
            if token in message.tokens
        }
        return Valuation(quote=self.quote, prices=prices, complete=self.complete)

    def ask(self, message: Message[Any]) -> Any:
        return self.sim.run(self.sim.system.ask("portfolio", message, timeout=60))

    def bnb(self) -> Holding:
        held = self.ask(GetPortfolioState())["desk"]["sandbox"]
        (found,) = (one for one in held if one.token == "BNB")
        assert isinstance(found, Holding)
        return found

    def stop(self) -> None:
        self.sim.run(self._tree.stop())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with Simulation() as sim:
        world = World(sim, tmp_path / "values.sqlite")
        yield world
        world.stop()


def test_a_token_without_a_price_is_listed_without_a_value(world: World) -> None:
    bnb = world.bnb()

    assert (bnb.units, bnb.price, bnb.value, bnb.stale) == (10, None, None, False)


def test_a_price_that_could_not_be_asked_for_is_said_to_be_so(world: World) -> None:
    world.complete = False
    assert (world.bnb().value, world.bnb().stale) == (None, True)

    world.complete, world.oracle_is_away = True, True
    assert (world.bnb().value, world.bnb().stale) == (None, True)


def test_an_old_price_is_marked_and_tells_its_age(world: World) -> None:
    world.stale = True

    usdt, bnb = world.ask(GetPortfolioState())["desk"]["sandbox"]

    assert (usdt.value, usdt.stale, usdt.age) == (100, True, 1.0)
    assert (bnb.value, bnb.stale, bnb.age) == (None, False, 0.0)


def test_while_nobody_tells_prices_the_last_ones_count(world: World) -> None:
    world.ask(GetPortfolioState())
    world.sim.advance(5.0)

    for trouble in ("oracle_is_away", "prices"):
        world.oracle_is_away = trouble == "oracle_is_away"
        world.complete, world.prices = False, {}
        usdt, bnb = world.ask(GetPortfolioState())["desk"]["sandbox"]
        assert (usdt.value, usdt.stale, usdt.age) == (100, True, pytest.approx(5.0))
        assert (bnb.value, bnb.stale) == (None, True)


def test_last_prices_in_another_quote_do_not_count(world: World) -> None:
    world.ask(GetPortfolioState())
    world.quote, world.prices, world.complete = "EUR", {}, False

    assert [one.value for one in world.ask(GetPortfolioState())["desk"]["sandbox"]] == [None, None]


def test_a_connector_that_has_not_told_is_shown_empty_and_is_not_among_what_is_known(world: World) -> None:
    assert world.ask(GetPortfolioState())["desk"]["silent"] == ()
    assert set(world.ask(GetKnownHoldings())["desk"]) == {"sandbox"}

    world.balances["desk-silent"] = {}
    assert world.ask(GetKnownHoldings())["desk"]["silent"] == ()


def test_shares_are_those_of_what_has_a_price_and_the_rest_is_named(world: World) -> None:
    tokens = world.ask(GetTokenDistribution())
    accounts = world.ask(GetAccountDistribution())

    assert tokens["total_portfolio_value"] == accounts["total_portfolio_value"] == 200
    assert tokens["unpriced_tokens"] == accounts["unpriced_tokens"] == ["BNB"]
    rows = [(row["token"], row["total_value"], row["total_units"], row["percentage"]) for row in tokens["distribution"]]
    assert sorted(rows[:2]) == [("BTC", 100, Decimal("0.002"), 50.0), ("USDT", 100, 100, 50.0)]
    assert rows[2] == ("BNB", None, 15, None)
    assert tokens["distribution"][2]["accounts"]["spare"] == {
        "value": None,
        "units": 5,
        "percentage": None,
        "connectors": {"sandbox": {"value": None, "units": 5}},
    }
    assert [(row["account"], row["total_value"]) for row in accounts["distribution"]] == [("desk", 100), ("spare", 100)]
