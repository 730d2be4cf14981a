"""Snapshots are taken on time and at news, survive restarts and a database that is away, and are told in pages."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aviary.actors.accounts.portfolio_history import LOOK_PERIOD, NEWCOMER_LOOKS, PERIOD, PortfolioHistoryKeeper
from aviary.actors.core.message import Message
from aviary.actors.core.refusal import Invalid, Refusal, Unavailable
from aviary.actors.core.simulation import Probe, Simulation
from aviary.actors.messages.accounts import Connection
from aviary.actors.messages.database import Transact
from aviary.actors.messages.portfolio import Holding, PortfolioState
from aviary.actors.messages.portfolio_history import GetPortfolioHistory, GetPortfolioPerformance
from aviary.actors.messages.rates import GetQuote, RatePath, TokenPrice, Valuation, ValueTokens
from aviary.persistence.fills import Fill
from aviary.supervisors.boot import Tree
from aviary.supervisors.spec import ChildSpec, SupervisorSpec
from databases import database_children

KEEPER = "portfolio-history"


class World:
    """What connectors hold, as the portfolio tells it, and the real keeper over a real database."""

    def __init__(self, sim: Simulation, file: Path) -> None:
        self.sim = sim
        self.held: dict[tuple[str, str], dict[str, str]] = {("desk", "sandbox"): {"USDT": "1000", "BTC": "1"}}
        self.silent: set[tuple[str, str]] = set()
        self.prices = {"USDT": "1", "BTC": "50000", "BNB": "500"}
        self.unasked: set[str] = set()
        """Tokens whose market is out of reach."""
        self.quote = "USDT"
        self.trouble: Refusal | None = None
        self.asked = 0
        self._tree = Tree(
            sim.system,
            SupervisorSpec(
                children=(
                    *database_children(file),
                    ChildSpec("account-registry", lambda: Probe(lambda _: self.connections())),
                    ChildSpec("portfolio", lambda: Probe(lambda _: self.state())),
                    ChildSpec("rate-oracle", lambda: Probe(self.rates)),
                    ChildSpec(KEEPER, PortfolioHistoryKeeper),
                )
            ),
        )
        sim.run(self._tree.start())

    def connections(self) -> tuple[Connection, ...]:
        return tuple(
            Connection(account_name=account, connector_name=connector, address="nowhere")
            for account, connector in self.held
        )

    def state(self) -> PortfolioState:
        self.asked += 1
        if self.trouble is not None:
            raise self.trouble
        state: PortfolioState = {}
        for (account, connector), tokens in self.held.items():
            if (account, connector) not in self.silent:
                state.setdefault(account, {})[connector] = tuple(self._holding(*one) for one in tokens.items())
        return state

    def _holding(self, token: str, units: str) -> Holding:
        known = token in self.prices and token not in self.unasked
        price = Decimal(self.prices[token]) if known else None
        return Holding(
            token=token,
            units=Decimal(units),
            price=price,
            value=None if price is None else Decimal(units) * price,
            available_units=Decimal(units),
            stale=token in self.unasked,
            age=0.0,
        )

    def rates(self, message: Any) -> Any:
        if isinstance(message, GetQuote):
            return self.quote
        assert isinstance(message, ValueTokens)
        direct = RatePath(kind="direct")
        prices = {
            token: TokenPrice(price=Decimal(self.prices[token]), source="", age=0.0, stale=False, path=direct)
            for token in message.tokens
            if token in self.prices
        }
        return Valuation(quote=self.quote, prices=prices, complete=True)

    def ask(self, message: Message[Any], address: str = KEEPER) -> Any:
        return self.sim.run(self.sim.system.ask(address, message, timeout=60))

    def fill(self, amount: str, price: str, fee: str, token: str) -> None:
        fill = Fill(
            trade_id=f"{self.sim.clock.now()}",
            client_order_id="x",
            account="desk",
            connector="sandbox",
            trading_pair="BTC-USDT",
            side="BUY",
            amount=Decimal(amount),
            price=Decimal(price),
            fee_paid=Decimal(fee),
            fee_currency=token,
            timestamp=self.sim.clock.now(),
        )
        at = self.sim.clock.now()
        self.ask(Transact(work=lambda r: r.fills.record(fill, at=at)), "database")

    def history(self, **question: Any) -> Any:
        return self.ask(GetPortfolioHistory(**question))

    def times(self, **question: Any) -> list[str]:
        return [entry.timestamp for entry in self.history(**question).data]

    def performance(self, **question: Any) -> Any:
        return self.ask(GetPortfolioPerformance(**question))

    def degraded(self) -> str | None:
        cell = self.sim.system.cell(KEEPER)
        assert cell is not None
        return cell.degraded

    def stop(self) -> None:
        self.sim.run(self._tree.stop())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "portfolio.sqlite"


@pytest.fixture(params=[0, 1], ids=["in order", "shuffled"])
def world(request: pytest.FixtureRequest, file: Path) -> Iterator[World]:
    with Simulation(request.param, shuffle=request.param > 0) as sim:
        world = World(sim, file)
        yield world
        world.stop()


def test_a_snapshot_is_taken_soon_and_then_on_time(world: World) -> None:
    world.sim.advance(LOOK_PERIOD)
    assert len(world.times()) == 1

    world.sim.advance(3 * PERIOD)
    assert len(world.times()) == 4
    assert world.asked == 4
    assert world.degraded() is None


def test_a_snapshot_tells_what_was_held_and_a_token_without_a_price_has_no_value(world: World) -> None:
    world.held["desk", "sandbox"]["NOSUCH"] = "7"
    world.sim.advance(LOOK_PERIOD)

    page = world.history()

    usdt, btc, odd = page.data[0].state["desk"]["sandbox"]
    assert usdt == {
        "token": "USDT",
        "units": 1000,
        "price": 1,
        "value": 1000,
        "available_units": 1000,
        "stale": False,
    }
    assert (btc["value"], btc["stale"]) == (50_000, False)
    assert (odd["token"], odd["units"], odd["price"], odd["value"]) == ("NOSUCH", 7, None, None)
    assert page.data[0].quote_token == "USDT"
    (unpriced,) = world.performance().unpriced
    assert (unpriced.account_name, unpriced.connector_name, unpriced.token, unpriced.units) == (
        "desk",
        "sandbox",
        "NOSUCH",
        7,
    )


def test_a_new_credential_and_one_that_is_gone_are_noticed_at_once(world: World) -> None:
    world.sim.advance(LOOK_PERIOD)
    world.held["spare", "sandbox"] = {"USDT": "5"}
    world.sim.advance(LOOK_PERIOD)
    assert set(world.history().data[0].state) == {"desk", "spare"}

    del world.held["desk", "sandbox"]
    world.sim.advance(LOOK_PERIOD)
    assert set(world.history().data[0].state) == {"spare"}
    assert len(world.times()) == 3
    total = world.performance().total
    assert (total.end_value, total.profit, total.net_flow) == (5, 0, 5 - 51_000)


def test_a_connector_that_tells_nothing_is_not_asked_for_ever_and_its_value_is_not_nothing(world: World) -> None:
    world.held["spare", "sandbox"] = {"USDT": "5"}
    world.silent = {("spare", "sandbox")}
    world.sim.advance(4 * PERIOD)
    assert world.asked <= NEWCOMER_LOOKS + 5

    world.silent = {("desk", "sandbox")}
    world.sim.advance(2 * PERIOD)
    total = world.performance().total
    assert (total.end_value, total.profit, total.max_drawdown) == (51_005, 0, 0)


def test_after_a_restart_it_goes_on_where_it_was(file: Path) -> None:
    with Simulation() as sim:
        world = World(sim, file)
        sim.advance(LOOK_PERIOD)
        world.stop()
        moment = sim.clock.now()
    with Simulation() as sim:
        world = World(sim, file)
        sim.clock.advance(max(0.0, moment - sim.clock.now()))
        world.prices["BTC"] = "51000"
        sim.advance(PERIOD + LOOK_PERIOD)

        assert len(world.times()) == 2
        total = world.performance().total
        assert (total.start_value, total.end_value, total.profit, total.net_flow) == (51_000, 52_000, 1_000, 0)
        world.stop()


def test_while_the_portfolio_can_not_be_had_it_says_so_and_tries_again(world: World) -> None:
    world.trouble = Unavailable("the registry is away")
    world.sim.advance(LOOK_PERIOD)
    assert world.times() == []
    assert "the registry is away" in str(world.degraded())

    world.trouble = None
    world.sim.advance(LOOK_PERIOD)
    assert len(world.times()) == 1
    assert world.degraded() is None


def test_while_a_market_is_out_of_reach_what_is_held_there_is_neither_lost_nor_found(world: World) -> None:
    world.sim.advance(LOOK_PERIOD)
    world.unasked = {"BTC"}
    world.sim.advance(3 * PERIOD)
    assert len(world.times()) == 1

    world.unasked, world.prices["BTC"] = set(), "51000"
    world.sim.advance(LOOK_PERIOD)
    total = world.performance().total
    assert (total.profit, total.net_flow, total.max_drawdown) == (1_000, 0, 0)


def test_a_token_whose_market_was_never_in_reach_keeps_nobody_from_being_kept(world: World) -> None:
    world.unasked = {"BTC"}
    world.sim.advance(2 * PERIOD)

    assert len(world.times()) >= 2
    assert [one.token for one in world.performance().unpriced] == ["BTC"]


def test_pages_follow_one_another_and_meet_everything_once(world: World) -> None:
    world.sim.advance(10 * PERIOD)

    for interval in ("5m", "15m"):
        every = world.times(interval=interval, limit=1_000)
        seen: list[str] = []
        cursor = None
        while True:
            page = world.history(interval=interval, limit=2, cursor=cursor)
            assert page.pagination.current_cursor == cursor
            seen += [entry.timestamp for entry in page.data]
            cursor = page.pagination.next_cursor
            if not page.pagination.has_more:
                break
        assert cursor is None
        assert seen == every == sorted(every, reverse=True)
        assert len(every) == len(set(every)) > 2


@pytest.mark.parametrize("tamper", [lambda c: c[:-1], lambda c: c + "0", lambda c: "1" + c, lambda _: "0:", lambda _: "-"])
def test_a_cursor_that_was_tampered_with_is_refused(world: World, tamper: Any) -> None:
    world.sim.advance(3 * PERIOD)
    cursor = world.history(limit=1).pagination.next_cursor

    with pytest.raises(Invalid) as refused:
        world.history(limit=1, cursor=tamper(cursor))

    assert refused.value.field == "cursor"


def test_a_cursor_belongs_to_its_question(world: World) -> None:
    world.sim.advance(3 * PERIOD)
    cursor = world.history(limit=1).pagination.next_cursor

    assert len(world.history(limit=2, cursor=cursor).data) == 2
    with pytest.raises(Invalid):
        world.history(limit=1, cursor=cursor, account_names=("desk",))


def test_history_is_chosen_by_account_connector_and_time_in_seconds_or_milliseconds(world: World) -> None:
    world.held["spare", "other"] = {"USDT": "5"}
    world.sim.advance(2 * PERIOD)
    now = world.sim.clock.now()

    assert set(world.history(account_names=("spare",)).data[0].state) == {"spare"}
    assert set(world.history(connector_names=("sandbox",)).data[0].state) == {"desk"}
    assert world.times(account_names=("nosuch",)) == []
    assert world.times(start_time=now + 1) == []
    recent = world.times(start_time=now - PERIOD)
    assert recent == world.times(start_time=(now - PERIOD) * 1000)
    assert 0 < len(recent) < len(world.times())
    assert world.times(end_time=now - PERIOD) == world.times()[len(recent) :]
    filters = world.history(account_names=("spare",), interval="1h").pagination.filters
    assert (filters.account_names, filters.interval, filters.start_time) == (("spare",), "1h", None)


def test_performance_leaves_deposits_out_and_counts_fees(world: World) -> None:
    world.sim.advance(LOOK_PERIOD)
    world.held["desk", "sandbox"]["USDT"] = "6000"
    world.sim.advance(PERIOD)
    world.fill("0.02", "50000", "0.004", "BNB")
    world.held["desk", "sandbox"] = {"USDT": "5000", "BTC": "1.02", "BNB": "-0.004"}
    world.prices["BTC"] = "50100"
    world.sim.advance(PERIOD)

    told = world.performance()

    total = told.total
    assert (total.start_value, total.net_flow, total.untold_flow, total.flows_told) == (51_000, 5_000, 0, True)
    assert total.profit == pytest.approx(Decimal(102) - Decimal(2))
    assert total.end_value == total.start_value + total.net_flow + total.profit
    assert total.time_weighted_return == pytest.approx(100 / 56_000)
    assert total.total_return == pytest.approx(100 / 53_500, rel=0.05)
    assert total.fees == {"BNB": pytest.approx(0.004)}
    assert total.fees_value == pytest.approx(2.0)
    assert told.accounts["desk"].total == total
    assert told.accounts["desk"].connectors["sandbox"] == total


def test_where_deposits_can_not_be_told_it_says_so(world: World) -> None:
    world.held = {("desk", "x_perpetual"): {"USDT": "100"}, ("desk", "sandbox"): {"USDT": "100"}}
    world.sim.advance(LOOK_PERIOD)
    world.held["desk", "x_perpetual"]["USDT"] = "150"
    world.sim.advance(PERIOD)

    told = world.performance()

    assert not told.total.flows_told
    assert told.accounts["desk"].connectors["sandbox"].flows_told
    assert not told.accounts["desk"].connectors["x_perpetual"].flows_told
    assert any("perpetual" in note for note in told.notes)


def test_performance_of_a_stretch_of_time(world: World) -> None:
    world.sim.advance(LOOK_PERIOD)
    world.prices["BTC"] = "51000"
    world.sim.advance(PERIOD)
    middle = world.sim.clock.now()
    world.prices["BTC"] = "49000"
    world.sim.advance(PERIOD)

    assert world.performance(end_time=middle).total.profit == 1_000
    assert world.performance(start_time=middle).total.profit == -2_000
    assert world.performance().total.max_drawdown == pytest.approx(2_000 / 52_000)
    assert world.performance(start_time=middle * 2).total.profit == 0


def test_another_quote_begins_a_story_of_its_own(world: World) -> None:
    world.sim.advance(LOOK_PERIOD)
    world.quote, world.prices = "EUR", {"USDT": "0.9", "BTC": "45000"}
    assert world.performance().total is None

    world.sim.advance(PERIOD)
    told = world.performance()

    assert (told.quote_token, told.total.start_value, told.total.profit) == ("EUR", 45_900, 0)
    assert [entry.quote_token for entry in world.history().data] == ["EUR", "USDT"]


@pytest.mark.parametrize("question", [GetPortfolioHistory, GetPortfolioPerformance])
def test_a_stretch_that_ends_before_it_begins_is_refused(world: World, question: Any) -> None:
    with pytest.raises(Invalid) as refused:
        world.ask(question(start_time=20, end_time=10))

    assert refused.value.field == "start_time"
