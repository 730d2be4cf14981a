"""Questions about markets: answered from feeds where they run, from the exchange where not."""

import pytest
from aviary.actors.core.refusal import Invalid, Unavailable
from aviary.actors.core.simulation import Simulation
from aviary.actors.markets.candles import candle_of
from aviary.actors.messages.feeds import FeedKey
from aviary.actors.messages.market_data import (
    AddTradingPair,
    GetBookDiagnostics,
    GetCandles,
    GetFeedSettings,
    GetFundingInfo,
    GetHistoricalCandles,
    GetOrderBook,
    GetPairBook,
    GetPairCandles,
    GetPairTrades,
    GetPriceForVolume,
    GetPrices,
    GetTicker,
    ListActiveFeeds,
    ListCandleConnectors,
    RemoveTradingPair,
    RestartBooks,
)
from feed_world import BOOK, CANDLES, DESK, TICKER, TRADES, World

NAMES = {"connector_name": "binance", "trading_pair": "BTC-USDT"}
DEEP = [[float(200 + n), 1.0] for n in range(900)]


def calls(world: World, method: str) -> int:
    return sum(call.method == method for call in world.exchange.calls)


def with_book(world: World) -> World:
    """The book of BTC-USDT on binance: what the feed shows, and 900 levels in the host."""
    world.open(BOOK)
    world.exchange.memory[f"feed/{BOOK.path}"] = {
        "trading_pair": "BTC-USDT",
        "bids": [[99.0, 1.0]],
        "asks": DEEP,
        "timestamp": world.sim.clock.now(),
    }
    world.say(BOOK, bids=[[99.0, 1.0]], asks=DEEP[:50])
    return world


def test_a_book_is_answered_from_its_feed_with_its_age(world: World) -> None:
    with_book(world)
    world.sim.advance(3.0)

    book = world.ask(DESK, GetOrderBook(**NAMES, depth=2))

    assert [level.price for level in book.asks] == [200.0, 201.0]
    assert book.age == pytest.approx(3.0, abs=0.01)
    assert book.timestamp == pytest.approx(world.sim.clock.now() - 3.0, abs=0.01)
    assert not book.stale
    assert calls(world, "feed_snapshot") == 0


def test_the_first_question_starts_the_feed_and_waits_for_its_data(world: World) -> None:
    asked = world.sim.loop.create_task(world.asking(DESK, GetOrderBook(**NAMES)))
    world.sim.advance(2.0)
    world.say_book()

    assert world.sim.run(asked).bids[0].price == 99.0


def test_a_question_whose_data_do_not_come_is_refused_before_the_deadline(world: World) -> None:
    with pytest.raises(Unavailable, match="no data"):
        world.ask(DESK, GetOrderBook(**NAMES), timeout=30.0)


def test_old_data_are_called_stale(world: World) -> None:
    with_book(world)
    world.keep(BOOK, 15)

    assert world.ask(DESK, GetOrderBook(**NAMES)).stale
    assert world.ask(DESK, GetPriceForVolume(**NAMES, is_buy=True, volume=1)).stale


def test_a_deeper_book_than_the_feed_shows_is_asked_of_the_host(world: World) -> None:
    with_book(world)

    book = world.ask(DESK, GetOrderBook(**NAMES, depth=700))

    assert len(book.asks) == 700
    assert book.asks[-1].price == 899.0


def test_a_question_beyond_the_near_levels_is_answered_from_the_whole_book(world: World) -> None:
    with_book(world)

    near = world.ask(DESK, GetPriceForVolume(**NAMES, is_buy=True, volume=10))
    assert (near.result_price, calls(world, "feed_snapshot")) == (209.0, 0)
    far = world.ask(DESK, GetPriceForVolume(**NAMES, is_buy=True, volume=500))
    assert (far.result_price, far.query_volume) == (699.0, 500.0)
    too_far = world.ask(DESK, GetPriceForVolume(**NAMES, is_buy=True, volume=5000))
    assert (too_far.result_price, too_far.result_volume) == (None, 900.0)


def test_candles_come_from_the_exchange_until_the_feed_has_them_all(world: World) -> None:
    first = world.ask(DESK, GetCandles(**NAMES, max_records=3))
    assert len(first) == 3
    assert calls(world, "historical_candles") == 1

    candles = [candle_of([60.0 * n, *[7.0] * 9]) for n in range(10)]
    remembered = {"candles": candles, "complete": True, "timestamp": world.sim.clock.now()}
    world.exchange.memory[f"feed/{CANDLES.path}"] = remembered
    world.say(CANDLES, candles=candles[-2:], complete=True)

    assert world.ask(DESK, GetCandles(**NAMES, max_records=3)) == tuple(candles[-3:])
    assert calls(world, "historical_candles") == 1
    assert len(world.ask(DESK, GetCandles(**NAMES, max_records=20))) == 20
    assert calls(world, "historical_candles") == 2
    assert len(world.ask(DESK, GetCandles(**NAMES))) == 500


def test_a_long_history_is_asked_for_in_pages_and_has_every_candle_once(world: World) -> None:
    end = 1_700_000_040
    start = end - 60 * 12_000

    candles = world.ask(DESK, GetHistoricalCandles(**NAMES, start_time=start, end_time=end))

    assert [candle["timestamp"] for candle in candles] == list(range(start, end + 1, 60))
    assert calls(world, "historical_candles") == 3


def test_a_history_that_is_too_long_is_refused(world: World) -> None:
    with pytest.raises(Invalid, match="shorter"):
        world.ask(DESK, GetHistoricalCandles(**NAMES, start_time=0, end_time=1.7e9))

    assert calls(world, "historical_candles") == 0


def test_the_documented_candles_carry_a_time_and_an_age(world: World) -> None:
    found = world.ask(DESK, GetPairCandles(trading_pair="BTC-USDT", limit=5))
    assert (found.connector, len(found.candles), found.age, found.stale) == ("binance", 5, 0.0, False)

    past = world.ask(DESK, GetPairCandles(trading_pair="BTC-USDT", limit=5, end_time=1_600_000_020))
    assert [candle["timestamp"] for candle in past.candles] == [1_599_999_780.0 + 60 * n for n in range(5)]


def test_candles_of_a_connector_that_has_none_are_refused_by_name(world: World) -> None:
    with pytest.raises(Invalid, match="Unsupported connector 'nosuch'") as caught:
        world.ask(DESK, GetCandles(connector_name="nosuch", trading_pair="BTC-USDT"))

    assert caught.value.field == "connector_name"


def test_prices_are_asked_of_the_exchange_each_pair_once(world: World) -> None:
    pairs = ("BTC-USDT", "ETH-USDT", "BTC-USDT", *(f"T{n}-USDT" for n in range(60)))

    prices = world.ask(DESK, GetPrices(connector_name="binance", trading_pairs=pairs))

    assert prices.prices == dict.fromkeys(pairs, 100.5)
    assert prices.timestamp == world.sim.clock.now()
    assert (prices.age, prices.stale) == (0.0, False)
    assert [len(call.arguments["trading_pairs"]) for call in world.exchange.calls] == [50, 12]


def test_funding_is_told_in_numbers(world: World) -> None:
    info = world.ask(DESK, GetFundingInfo(connector_name="binance_perpetual", trading_pair="BTC-USDT"))

    assert (info.funding_rate, info.next_funding_time, info.mark_price) == (0.0001, 1_700_000_000.0, None)
    assert info.timestamp == world.sim.clock.now()


def test_a_ticker_and_trades_come_from_their_feeds(world: World) -> None:
    world.open(TICKER)
    world.say(TICKER, best_bid=1.0, bid_amount=2.0, best_ask=3.0, ask_amount=4.0, mid=2.0, last=2.5)
    world.open(TRADES)
    trade = {"trade_id": "1", "price": 5.0, "amount": 1.0, "side": "BUY", "timestamp": 7.0}
    world.exchange.memory[f"feed/{TRADES.path}"] = {"trades": [trade] * 5, "timestamp": None}

    ticker = world.ask(DESK, GetTicker(trading_pair="BTC-USDT"))
    trades = world.ask(DESK, GetPairTrades(trading_pair="BTC-USDT", limit=2))

    assert (ticker.connector, ticker.best_bid, ticker.last, ticker.stale) == ("binance", 1.0, 2.5, False)
    assert trades.trades == ({**trade, "side": "buy"},) * 2


def test_a_pair_that_is_added_is_kept_until_it_is_removed(world: World) -> None:
    added = world.sim.loop.create_task(world.asking(DESK, AddTradingPair(**NAMES)))
    world.sim.advance(0.5)
    world.say_book()
    assert world.sim.run(added)["success"] is True
    world.keep(TICKER, 100)
    assert world.state(BOOK.address) is not None

    assert world.ask(DESK, RemoveTradingPair(**NAMES))["success"] is True
    assert world.ask(DESK, RemoveTradingPair(**NAMES))["success"] is False


def test_active_feeds_are_listed_with_their_use_and_age(world: World) -> None:
    with_book(world)
    world.open(CANDLES)
    world.sim.advance(5.0)

    feeds = world.ask(DESK, ListActiveFeeds())

    assert set(feeds) == {"order_book_binance_BTC-USDT", "candles_binance_BTC-USDT_1m"}
    book = feeds["order_book_binance_BTC-USDT"]
    assert (book["feed_type"], book["stale"]) == ("order_book", False)
    assert book["age"] == pytest.approx(5.0, abs=1.1)
    assert book["seconds_since_access"] == pytest.approx(5.0, abs=0.01)
    assert book["will_expire_in"] == pytest.approx(55.0, abs=0.01)


def test_diagnostics_tell_the_truth_about_each_book(world: World) -> None:
    with_book(world)
    other = FeedKey(kind="order_book", connector="binance", trading_pair="ETH-USDT")
    world.open(other)
    world.say_status(other, "failed")

    found = world.ask(DESK, GetBookDiagnostics(connector_name="binance"))

    assert found["trading_pairs"] == ["BTC-USDT", "ETH-USDT"]
    assert found["order_books"]["BTC-USDT"]["best_ask"] == 200.0
    assert found["order_books"]["ETH-USDT"]["best_ask"] is None
    assert found["tracker_ready"] is False
    assert "failed in the engine host" in found["tasks"][other.address]["exception"]
    assert found["tasks"][BOOK.address]["exception"] is None


def test_the_books_of_a_connector_can_be_restarted(world: World) -> None:
    with_book(world)

    answer = world.ask(DESK, RestartBooks(connector_name="binance"))
    world.say_book()

    assert answer["trading_pairs"] == ["BTC-USDT"]
    assert world.heard(BOOK) == ["update", "gap", "update"]


def test_a_feed_that_crashes_under_a_question_takes_nothing_else_along(world: World) -> None:
    world.open(BOOK)
    asked = world.sim.loop.create_task(world.asking(DESK, GetOrderBook(**NAMES)))
    candles = world.sim.loop.create_task(world.asking(DESK, GetPairBook(trading_pair="ETH-USDT")))
    world.sim.advance(1.0)
    world.say_status(BOOK, "failed")

    with pytest.raises(Unavailable):
        world.sim.run(asked)
    eth = FeedKey(kind="order_book", connector="binance", trading_pair="ETH-USDT")
    world.say_book(eth)
    assert world.sim.run(candles).bids[0].price == 99.0
    cell = world.system.cell(DESK)
    assert cell is not None
    assert cell.incarnation == 1


def test_without_a_simulated_exchange_a_question_must_name_its_own() -> None:
    with Simulation() as sim:
        world = World(sim, default=None)

        with pytest.raises(Invalid) as caught:
            world.ask(DESK, GetTicker(trading_pair="BTC-USDT"))

        assert caught.value.field == "connector"
        world.stop()


def test_settings_and_candle_connectors_are_told(world: World) -> None:
    assert world.ask(DESK, GetFeedSettings()).feed_timeout == 60.0
    assert world.ask(DESK, ListCandleConnectors()) == ("binance", "binance_perpetual")
