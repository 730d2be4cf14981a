"""The registry: feeds start on first use, are shared, are bounded, and end when nobody needs them."""

import pytest
from aviary.actors.core.address import checked
from aviary.actors.core.refusal import Invalid, NotFound, Refusal, Unavailable
from aviary.actors.core.simulation import Simulation
from aviary.actors.markets.feed_registry import key_of
from aviary.actors.messages.feeds import (
    REGISTRY,
    CloseFeed,
    FeedKey,
    FeedKind,
    GetFeed,
    ListFeeds,
    OpenFeed,
    ReopenFeed,
)
from aviary.supervisors.messages import RestartChild, TerminateChild
from feed_world import BOOK, CANDLES, TICKER, World
from hypothesis import given
from hypothesis import strategies as st

TOPIC = f"feed/{BOOK.path}"


def test_a_feed_starts_on_first_use_and_is_shared(world: World) -> None:
    answers = world.together(*(world.asking(REGISTRY, OpenFeed(key=BOOK)) for _ in range(5)))

    assert answers == ["feeds/order_book:binance:BTC-USDT"] * 5
    assert world.exchange.opened[TOPIC] == 1
    assert world.open(BOOK) == answers[0]
    assert world.exchange.opened[TOPIC] == 1


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"connector": "nosuch"}, NotFound),
        ({"trading_pair": "NO-SUCH"}, NotFound),
        ({"kind": "candles", "interval": "7m"}, Invalid),
        ({"kind": "candles", "interval": None}, Invalid),
        ({"kind": "candles", "interval": "1s"}, Invalid),
        ({"interval": "1m"}, Invalid),
    ],
)
def test_what_does_not_exist_is_refused_at_once_and_leaves_nothing(
    world: World, changes: dict[str, str], refusal: type[Refusal]
) -> None:
    began = world.sim.clock.now()

    with pytest.raises(refusal):
        world.open(BOOK.model_copy(update=changes))

    assert world.sim.clock.now() - began < 1.0
    world.sim.advance(30.0)
    assert world.ask(REGISTRY, ListFeeds()) == ()
    assert not [cell for cell in world.system.tree() if cell.address.startswith("feeds/")]
    assert world.alarms() == []


def test_a_pair_that_was_listed_a_moment_ago_is_found(world: World) -> None:
    world.open(BOOK)
    world.exchange.pairs["binance"].append("NEW-USDT")

    assert world.open(BOOK.model_copy(update={"trading_pair": "NEW-USDT"})).endswith("NEW-USDT")


def test_a_feed_that_nobody_needs_ends(world: World) -> None:
    address = world.open(BOOK)
    world.keep(BOOK, 90, talking=True)
    assert world.state(address) == "running"

    for _ in range(70):
        world.say_book()
        world.sim.advance(1.0)

    assert world.state(address) is None
    assert world.exchange.open[TOPIC] == 0
    assert world.ask(REGISTRY, ListFeeds()) == ()
    assert not [event for event in world.system.events() if event.kind == "crash"]


def test_a_feed_that_keeps_failing_ends_too_when_nobody_needs_it(world: World) -> None:
    world.open(BOOK)
    world.exchange.refusal = Unavailable("the exchange is down")
    world.say_status(BOOK, "failed")

    world.sim.advance(75.0)

    assert world.state(BOOK.address) is None
    assert world.ask(REGISTRY, ListFeeds()) == ()
    assert world.alarms() == []


def test_a_held_feed_runs_until_it_is_let_go_of(world: World) -> None:
    world.open(BOOK, hold=True)
    world.keep(TICKER, 200)
    assert world.state(BOOK.address) is not None

    assert world.ask(REGISTRY, CloseFeed(key=BOOK)) is True
    assert world.ask(REGISTRY, CloseFeed(key=BOOK)) is False

    world.sim.advance(30.0)
    assert world.state(BOOK.address) is None


def test_a_feed_that_is_let_go_of_stays_for_whoever_still_needs_it(world: World) -> None:
    world.open(BOOK, hold=True)

    world.ask(REGISTRY, CloseFeed(key=BOOK))
    world.keep(BOOK, 40, talking=True)

    assert world.state(BOOK.address) == "running"
    assert world.heard(BOOK) == ["update"] * 40


def test_a_held_feed_is_there_again_after_its_supervisor_was_lost(world: World) -> None:
    world.open(BOOK, hold=True)
    world.say_book()

    world.ask("feeds", TerminateChild(name=BOOK.name))
    assert world.state(BOOK.address) is None
    world.sim.advance(7.0)
    world.say_book()

    assert world.state(BOOK.address) == "running"
    assert world.heard(BOOK) == ["update", "gap", "update"]


def test_a_subscriber_is_told_of_the_gap_when_the_feed_had_to_be_made_again(world: World) -> None:
    world.open(BOOK)
    world.say_book()
    world.ask("feeds", TerminateChild(name=BOOK.name))

    world.open(BOOK)
    world.say_book()

    assert world.heard(BOOK) == ["update", "gap", "update"]


def test_feeds_are_bounded() -> None:
    with Simulation() as sim:
        world = World(sim, max_feeds=2)
        world.open(BOOK)
        world.open(TICKER)

        with pytest.raises(Unavailable) as caught:
            world.open(CANDLES)

        assert caught.value.retry_after >= 1
        assert world.open(BOOK) == BOOK.address
        world.sim.advance(70.0)
        assert world.open(CANDLES) == CANDLES.address
        world.stop()


def test_a_feed_opened_while_the_exchange_is_down_comes_when_it_is_back(world: World) -> None:
    world.exchange.refusal = Unavailable("the exchange is down")

    with pytest.raises(Unavailable, match="the exchange is down"):
        world.open(BOOK)

    assert world.alarms() == [f"stale/{BOOK.name}"]
    world.exchange.refusal = None
    world.keep(BOOK, 10)
    world.say_book()
    assert world.ask(BOOK.address, GetFeed(fresh=True)).data["bids"] == [[99.0, 1.0]]
    assert world.alarms() == []


def test_the_registry_takes_up_the_feeds_that_run_when_it_starts_anew(world: World) -> None:
    world.open(BOOK)
    world.open(CANDLES)

    world.ask("aviary", TerminateChild(name="feed-registry"))
    world.ask("aviary", RestartChild(name="feed-registry"))

    assert {feed.key for feed in world.ask(REGISTRY, ListFeeds())} == {BOOK, CANDLES}
    assert world.open(BOOK) == BOOK.address
    assert world.exchange.opened[TOPIC] == 1
    world.sim.advance(70.0)
    assert world.ask(REGISTRY, ListFeeds()) == ()


def test_a_feed_can_be_started_over_on_request(world: World) -> None:
    world.open(BOOK)
    world.say_book()

    assert world.ask(REGISTRY, ReopenFeed(key=BOOK)) is True
    world.say_book()

    assert world.heard(BOOK) == ["update", "gap", "update"]
    assert world.exchange.open[TOPIC] == 1
    assert world.ask(REGISTRY, ReopenFeed(key=TICKER)) is False


def test_the_list_tells_the_age_of_each_feed(world: World) -> None:
    world.open(BOOK)
    world.open(TICKER)
    world.say_book()
    world.sim.advance(4.0)

    feeds = {feed.key: feed for feed in world.ask(REGISTRY, ListFeeds())}

    assert feeds[BOOK].age == pytest.approx(4.0, abs=1.1)
    assert feeds[TICKER].age is None
    assert feeds[BOOK].expires_in == pytest.approx(56.0, abs=0.1)


def test_a_feed_that_is_wanted_again_while_it_ends_is_started_again(world: World) -> None:
    world.open(BOOK)
    world.sim.advance(59.9)
    for _ in range(12):
        world.sim.advance(0.5)
        world.open(BOOK)
        assert world.ask(REGISTRY, ListFeeds())[0].key == BOOK

    assert world.exchange.open[TOPIC] == 1


@pytest.mark.parametrize("seed", range(6))
def test_after_any_storm_of_faults_every_wanted_feed_is_open_exactly_once(seed: int) -> None:
    with Simulation(seed, shuffle=True) as sim:
        world = World(sim)
        keys = [BOOK, TICKER, CANDLES, FeedKey(kind="funding", connector="binance", trading_pair="ETH-USDT")]
        for _ in range(40):
            key = sim.chance.choice(keys)
            match sim.chance.randrange(6):
                case 0:
                    world.break_host()
                case 1:
                    world.say_status(key, "failed")
                case 2:
                    world.exchange.refusal = Unavailable("down")
                case 3:
                    world.exchange.refusal = None
                case 4:
                    world.ask(REGISTRY, CloseFeed(key=key))
                case _:
                    world.system.tell(REGISTRY, OpenFeed(key=key))
            sim.advance(sim.chance.uniform(0, 20))
        world.exchange.refusal = None
        for _ in range(40):
            for key in keys:
                world.system.tell(REGISTRY, OpenFeed(key=key))
            sim.advance(1.0)

        assert world.exchange.open == {f"feed/{key.path}": 1 for key in keys}
        assert {world.state(key.address) for key in keys} <= {"running", "degraded"}
        world.stop()


@given(
    kind=st.sampled_from(["order_book", "trades", "candles", "ticker", "funding"]),
    connector=st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,59}", fullmatch=True),
    pair=st.from_regex(r"[A-Za-z0-9.:_$]{1,40}-[A-Za-z0-9.:_$]{1,40}", fullmatch=True),
)
def test_a_feed_is_known_by_its_address_whatever_its_exchange_calls_the_pair(
    kind: FeedKind, connector: str, pair: str
) -> None:
    interval = "15m" if kind == "candles" else None
    key = FeedKey(kind=kind, connector=connector, trading_pair=pair, interval=interval)

    assert checked(key.address) == key.address
    assert key_of(key.name) == key


@pytest.mark.parametrize(
    "name", ["", "order_book", "weather:sandbox:BTC-USDT", "ticker:sandbox:BTC", "candles:a:B-C"]
)
def test_what_is_no_feed_s_name_is_not_taken_for_one(name: str) -> None:
    assert key_of(name) is None
