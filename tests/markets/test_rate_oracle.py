"""Rates: read when they are asked for, kept for some seconds, told with their age and the way they were come by."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.message import Message
from aviary.actors.core.refusal import Invalid, NotFound, Refusal, Unavailable
from aviary.actors.core.simulation import Probe, Simulation
from aviary.actors.markets.rate_oracle import RateOracle
from aviary.actors.messages.connectors import GetPrices
from aviary.actors.messages.engine import CallHost
from aviary.actors.messages.rates import (
    GetPoolRates,
    GetRate,
    GetRateConfig,
    GetRates,
    GetSourcePrices,
    GlobalToken,
    ListRateSources,
    ListTickers,
    RateSource,
    SetRateConfig,
    ValueTokens,
)
from aviary.supervisors.boot import Tree
from aviary.supervisors.spec import ChildSpec, SupervisorSpec
from databases import database_children

ORACLE = "rate-oracle"
EURO = GlobalToken(global_token_name="EUR", global_token_symbol="€")


class Markets:
    """What the host finds at the sources, and how often it was asked."""

    def __init__(self) -> None:
        self.prices = {
            "sandbox": {"BTC-USDT": "50000", "ETH-BTC": "0.05", "SOL-USDT": "150"},
            "binance": {"BTC-USDT": "60000", "SOL-USDT": "160", "USDC-USDT": "0.999"},
        }
        self.refusals: dict[str, Refusal] = {}
        self.away = False
        self.calls: list[tuple[str, str]] = []
        self.exchange: dict[str, Decimal] | Refusal = {}
        """What the catalogue tells of an exchange that is no source."""

    def answer(self, call: CallHost) -> Any:
        if self.away:
            raise Unavailable("the engine host is still starting")
        if call.method == "rate_sources":
            return sorted(self.prices)
        source = call.arguments["source"]
        self.calls.append((call.method, source))
        if source in self.refusals:
            raise self.refusals[source]
        if call.method == "source_volumes":
            return {pair: ["2", "90000"] for pair in self.prices[source]}
        return self.prices[source]

    def told(self, query: Any) -> Any:
        assert isinstance(query, GetPrices)
        if isinstance(self.exchange, Refusal):
            raise self.exchange
        return {pair: price for pair, price in self.exchange.items() if pair in query.trading_pairs}

    def read(self, source: str) -> int:
        return self.calls.count(("source_prices", source))


class Host(AsyncActor):
    def __init__(self, markets: Markets) -> None:
        super().__init__()
        self._markets = markets

    def receive(self, message: Any) -> Any:
        return self._markets.answer(message)


class World:
    def __init__(self, sim: Simulation, file: Path, *, simulated: bool = True) -> None:
        self.sim = sim
        self.markets = Markets()
        self._tree = Tree(
            sim.system,
            SupervisorSpec(
                children=(
                    *database_children(file),
                    ChildSpec("host", lambda: Host(self.markets)),
                    ChildSpec("catalogue", lambda: Probe(self.markets.told)),
                    ChildSpec(ORACLE, lambda: RateOracle("host", simulated=simulated, catalogue="catalogue")),
                )
            ),
        )
        sim.run(self._tree.start())

    def ask(self, message: Message[Any]) -> Any:
        return self.sim.run(self.sim.system.ask(ORACLE, message, timeout=60))

    def stop(self) -> None:
        self.sim.run(self._tree.stop())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rates.sqlite"


@pytest.fixture(params=[0, 1], ids=["in order", "shuffled"])
def world(request: pytest.FixtureRequest, file: Path) -> Iterator[World]:
    with Simulation(request.param, shuffle=request.param > 0) as sim:
        world = World(sim, file)
        yield world
        world.stop()


def test_a_rate_tells_its_source_its_age_and_the_way_it_was_come_by(world: World) -> None:
    world.ask(GetRate(trading_pair="BTC-USDT"))
    world.sim.advance(4.0)

    rate = world.ask(GetRate(trading_pair="SOL-ETH"))

    assert (rate.source, rate.quote_token, rate.stale) == ("sandbox", "USDT", False)
    assert rate.rate == pytest.approx(Decimal("0.06"))
    assert rate.age == pytest.approx(4.0)
    assert (rate.path.kind, rate.path.pairs) == ("crossed", ("SOL-USDT", "BTC-USDT", "ETH-BTC"))
    assert rate.path.through == ("USDT", "BTC")


def test_a_pair_that_nobody_quotes_has_no_rate(world: World) -> None:
    rate = world.ask(GetRate(trading_pair="NO-SUCH"))

    assert (rate.rate, rate.age, rate.path, rate.stale) == (None, None, None, False)


def test_a_source_is_read_once_in_ten_seconds_however_many_ask(world: World) -> None:
    async def many() -> None:
        for _ in range(20):
            world.sim.system.tell(ORACLE, GetRate(trading_pair="BTC-USDT"))

    world.sim.run(many())
    world.ask(GetSourcePrices())
    world.ask(GetRates(trading_pairs=("BTC-USDT", "ETH-USDT")))
    assert world.markets.read("sandbox") == 1

    world.sim.advance(11.0)
    assert world.markets.read("sandbox") == 1
    world.ask(GetSourcePrices())
    assert world.markets.read("sandbox") == 2


def test_a_rate_that_is_asked_for_anew_is_read_anew(world: World) -> None:
    world.ask(GetRate(trading_pair="BTC-USDT"))
    world.markets.prices["sandbox"]["BTC-USDT"] = "51000"
    world.sim.advance(1.0)

    assert world.ask(GetRate(trading_pair="BTC-USDT")).rate == 50000
    assert world.ask(GetRate(trading_pair="BTC-USDT", anew=True)).rate == 51000


def test_while_a_source_is_out_of_reach_its_last_prices_are_marked_and_it_is_left_alone_ever_longer(
    world: World,
) -> None:
    world.ask(GetRate(trading_pair="BTC-USDT"))
    world.markets.refusals["sandbox"] = Unavailable("no route to host")
    for _ in range(120):
        world.sim.advance(1.0)
        world.ask(GetRate(trading_pair="BTC-USDT", anew=True))

    rate = world.ask(GetRate(trading_pair="BTC-USDT"))
    assert (rate.rate, rate.stale) == (50000, True)
    assert rate.age == pytest.approx(120.0)
    # After 1, 3, 7, 15, 31 and 63 seconds, about.
    assert world.markets.read("sandbox") <= 8

    del world.markets.refusals["sandbox"]
    world.sim.advance(61.0)
    assert not world.ask(GetRate(trading_pair="BTC-USDT")).stale


def test_a_source_that_never_answered_is_a_503_and_not_a_pair_without_a_rate(world: World) -> None:
    world.markets.refusals["sandbox"] = Unavailable("no route to host")

    with pytest.raises(Unavailable, match="sandbox can't be read: no route to host"):
        world.ask(GetRate(trading_pair="BTC-USDT"))


def test_a_change_of_the_configuration_outlasts_a_restart(file: Path) -> None:
    with Simulation() as sim:
        world = World(sim, file)
        changed = world.ask(SetRateConfig(rate_oracle_source=RateSource(name="binance"), global_token=EURO))
        assert changed.message == (
            "rate_oracle_source updated to binance; global_token_name updated to EUR; global_token_symbol updated to €"
        )
        world.stop()
    with Simulation() as sim:
        world = World(sim, file)
        config = world.ask(GetRateConfig())
        assert (config.rate_oracle_source.name, config.global_token) == ("binance", EURO)
        assert config.available_sources == ("binance", "sandbox")
        assert world.ask(GetRate(trading_pair="BTC-USDT")).rate == 60000
        world.stop()


def test_what_is_not_named_stays_as_it_is(world: World) -> None:
    world.ask(SetRateConfig(global_token=EURO))
    world.ask(SetRateConfig(rate_oracle_source=RateSource(name="binance")))

    assert world.ask(GetRateConfig()).global_token == EURO


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (SetRateConfig(rate_oracle_source=RateSource(name="nosuch")), "Invalid rate oracle source: nosuch"),
        (SetRateConfig(), "Name a rate_oracle_source or a global_token"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused_and_changes_nothing(
    world: World, change: SetRateConfig, words: str
) -> None:
    before = world.ask(GetRateConfig())

    with pytest.raises(Invalid, match=words):
        world.ask(change)

    assert world.ask(GetRateConfig()) == before


def test_without_the_simulated_exchange_its_prices_are_nowhere(file: Path) -> None:
    with Simulation() as sim:
        world = World(sim, file, simulated=False)
        assert world.ask(ListRateSources()) == ("binance",)
        assert world.ask(GetRate(trading_pair="BTC-USDT")).source == "binance"
        with pytest.raises(Invalid):
            world.ask(SetRateConfig(rate_oracle_source=RateSource(name="sandbox")))
        world.stop()


def test_tickers_have_volumes_and_a_source_that_fails_hides_no_other(world: World) -> None:
    world.markets.refusals["binance"] = Unavailable("no route to host")

    tickers = world.ask(ListTickers(connectors=("sandbox", "binance", "nosuch")))

    assert set(tickers.tickers) == {"sandbox"}
    ticker = tickers.tickers["sandbox"]["BTC-USDT"]
    assert (ticker.price, ticker.base_volume, ticker.volume) == (50000, 2, 90000)
    assert (ticker.timestamp, ticker.age) == (tickers.updated_at, 0.0)
    assert tickers.counts == {"sandbox": 3}
    assert set(tickers.errors) == {"binance", "nosuch"}


def test_tickers_of_all_are_those_of_the_configured_source_and_what_was_read_before(world: World) -> None:
    assert set(world.ask(ListTickers()).tickers) == {"sandbox"}
    world.ask(ListTickers(connectors=("binance",)))
    world.sim.advance(40.0)

    tickers = world.ask(ListTickers())

    assert set(tickers.tickers) == {"sandbox", "binance"}
    assert tickers.tickers["binance"]["BTC-USDT"].age == pytest.approx(40.0)
    assert tickers.tickers["binance"]["BTC-USDT"].stale
    assert not tickers.tickers["sandbox"]["BTC-USDT"].stale
    assert tickers.updated_at == pytest.approx(world.sim.clock.now() - 40.0)
    assert world.markets.read("binance") == 1


def test_tickers_may_be_as_old_as_whoever_asks_says(world: World) -> None:
    world.ask(ListTickers())
    world.sim.advance(30.0)

    world.ask(ListTickers(max_age=60.0))
    assert world.markets.read("sandbox") == 1
    world.ask(ListTickers(max_age=20.0))
    assert world.markets.read("sandbox") == 2
    world.sim.advance(1.0)
    world.ask(ListTickers(refresh=True))
    assert world.markets.read("sandbox") == 3


def test_rates_of_one_source_whatever_is_configured(world: World) -> None:
    rates = world.ask(GetPoolRates(trading_pairs=("BTC-USDC", "NO-SUCH"), connector="binance"))

    assert (rates.connector, rates.source, rates.quote_token) == ("binance", "binance", "USDT")
    assert rates.rates["BTC-USDC"] == pytest.approx(Decimal(60000) / Decimal("0.999"))
    assert rates.rates["NO-SUCH"] is None
    assert set(rates.details) == {"BTC-USDC"}
    with pytest.raises(NotFound, match="nosuch is no rate source"):
        world.ask(GetPoolRates(trading_pairs=("BTC-USDC",), connector="nosuch"))


# What is held


def values(world: World, connector: str, *tokens: str) -> dict[str, tuple[Decimal, str]]:
    found = world.ask(ValueTokens(connector=connector, tokens=tokens))
    return {token: (price.price, price.path.kind) for token, price in found.prices.items()}


def test_simulated_money_is_valued_at_simulated_prices_whatever_is_configured(world: World) -> None:
    world.ask(SetRateConfig(rate_oracle_source=RateSource(name="binance")))

    for connector in ("sandbox", "sandbox_perpetual"):
        assert values(world, connector, "USDT", "BTC", "ETH", "USDC", "NOSUCH") == {
            "USDT": (1, "same"),
            "BTC": (50000, "direct"),
            "ETH": (2500, "crossed"),
            # Nobody quotes it, and it is a dollar.
            "USDC": (1, "pegged"),
        }
    assert world.markets.read("binance") == 0


def test_real_money_is_never_valued_at_simulated_prices(world: World) -> None:
    world.markets.exchange = {"BTC-USDT": Decimal(61000)}

    assert values(world, "kraken", "BTC", "SOL") == {"BTC": (61000, "direct")}
    assert values(world, "binance", "BTC", "SOL") == {"BTC": (60000, "direct"), "SOL": (160, "direct")}
    assert world.markets.read("sandbox") == 0


def test_what_the_own_market_does_not_quote_is_looked_for_at_the_configured_source(world: World) -> None:
    world.ask(SetRateConfig(rate_oracle_source=RateSource(name="binance")))
    world.markets.exchange = {"BTC-USDT": Decimal(61000)}

    assert values(world, "kraken", "BTC", "SOL", "USDC") == {
        "BTC": (61000, "direct"),
        "SOL": (160, "direct"),
        "USDC": (Decimal("0.999"), "direct"),
    }


def test_while_the_host_is_away_what_was_read_before_is_still_worth_something(world: World) -> None:
    values(world, "sandbox", "BTC")
    world.markets.away = True

    assert values(world, "sandbox", "USDT", "BTC") == {"USDT": (1, "same"), "BTC": (50000, "direct")}
    with pytest.raises(Unavailable):
        world.ask(GetPoolRates(trading_pairs=("BTC-USDT",), connector="binance"))


def test_before_the_host_is_there_only_the_quote_has_a_price(world: World) -> None:
    world.markets.away = True

    found = world.ask(ValueTokens(connector="sandbox", tokens=("USDT", "BTC")))

    assert (set(found.prices), found.complete) == ({"USDT"}, False)


def test_the_last_price_of_an_exchange_out_of_reach_is_marked(world: World) -> None:
    world.markets.exchange = {"BTC-USDT": Decimal(61000)}
    values(world, "kraken", "BTC")
    world.markets.exchange = Unavailable("no route to host")
    world.sim.advance(40.0)

    found = world.ask(ValueTokens(connector="kraken", tokens=("BTC", "SOL")))

    assert not found.complete
    assert set(found.prices) == {"BTC"}
    assert (found.prices["BTC"].stale, found.prices["BTC"].age) == (True, pytest.approx(40.0))
