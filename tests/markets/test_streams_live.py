"""Streams and questions on the real thing: the simulated exchange over its own protocol, a real engine host."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from aviary.actors.messages.engine import CallHost, GetHost
from aviary.actors.messages.feeds import FeedKey
from live_market import HOST, Market, Socket, live_market

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.whole]

BOOK: Mapping[str, Any] = {"type": "order_book", "connector": "sandbox", "trading_pair": "BTC-USDT"}
BODY: Mapping[str, Any] = {"connector_name": "sandbox", "trading_pair": "BTC-USDT"}
KEY = FeedKey(kind="order_book", connector="sandbox", trading_pair="BTC-USDT")
PATHS = ("/ws/market-data", "/market-data/stream")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Market]:
    async with live_market(tmp_path_factory.mktemp("market")) as market:
        yield market


@pytest_asyncio.fixture(loop_scope="module")
async def market(running: Market) -> AsyncIterator[Market]:
    yield running
    await running.exchange.clear_faults()


async def subscribe(socket: Socket, **more: Any) -> str:
    await socket.say(action="subscribe", **{**BOOK, "update_interval": 0.25, **more})
    # What was pushed before the server had read this may come first.
    answer = await socket.hear("subscribed", "error")
    assert answer["type"] == "subscribed", answer
    name: str = answer["subscription_id"]
    return name


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("connector", ["sandbox", "sandbox_perpetual"])
async def test_a_book_is_streamed_numbered_and_no_faster_than_asked(
    market: Market, path: str, connector: str
) -> None:
    async with market.socket(path) as socket:
        assert await subscribe(socket, connector=connector, depth=3) == f"order_book_{connector}_BTC-USDT"

        frames = [await socket.hear("order_book") for _ in range(5)]

    assert [frame["sequence"] for frame in frames] == [1, 2, 3, 4, 5]
    assert all(len(frame["data"]["bids"]) == 3 for frame in frames)
    assert all(frame["data"]["bids"][0][0] < frame["data"]["asks"][0][0] for frame in frames)
    assert all(later["data"] != earlier["data"] for earlier, later in pairwise(frames))
    pauses = [later["timestamp"] - earlier["timestamp"] for earlier, later in pairwise(frames[1:])]
    assert min(pauses) > 0.2


@pytest.mark.parametrize("path", PATHS)
async def test_candles_begin_with_their_history_and_go_on(market: Market, path: str) -> None:
    async with market.socket(path) as socket:
        await subscribe(socket, type="candles", interval="1m", max_records=20)
        history = await socket.hear("candles", such=lambda frame: len(frame["data"]) == 20)
        update = await socket.hear("candle_update", "candles")

    times = [candle["timestamp"] for candle in history["data"]]
    assert {later - earlier for earlier, later in pairwise(times)} == {60.0}
    newest = update["data"] if update["type"] == "candle_update" else update["data"][-1]
    assert set(newest) == set(history["data"][-1])
    assert newest["timestamp"] >= times[-1]


async def test_trades_and_tickers_are_streamed(market: Market) -> None:
    async with market.socket("/market-data/stream") as socket:
        await subscribe(socket, type="trades")
        await subscribe(socket, type="ticker")

        trades = await socket.since(0, "trades")
        ticker = await socket.since(0, "ticker")

    assert {"timestamp", "price", "amount", "side"} <= set(trades["data"][0])
    assert trades["data"][0]["side"] in {"buy", "sell"}
    assert ticker["data"]["best_bid"] < ticker["data"]["best_ask"]


async def test_what_does_not_exist_is_an_error_frame_at_once(market: Market) -> None:
    async with market.socket() as socket:
        for wrong in ({"trading_pair": "NO-SUCH"}, {"connector": "nosuch"}, {"type": "candles", "interval": "7m"}):
            answer = await socket.ask(action="subscribe", **{**BOOK, **wrong})
            assert answer["type"] == "error", answer
        assert (await socket.ask(action="ping"))["type"] == "pong"


async def test_dropped_sockets_of_the_exchange_heal_and_the_subscription_goes_on(market: Market) -> None:
    async with market.socket() as socket:
        await subscribe(socket)
        before = await socket.hear("order_book")

        await market.exchange.faults("drop_websockets", seconds=1)

        limit = before["timestamp"] + 3
        await socket.hear("order_book", such=lambda frame: frame["timestamp"] > limit)


@pytest.mark.parametrize("path", PATHS)
async def test_a_silent_exchange_makes_the_data_stale_until_it_speaks_again(market: Market, path: str) -> None:
    async with market.socket(path) as socket:
        await subscribe(socket)
        await socket.hear("order_book")
        await market.exchange.faults("stall_websockets", seconds=60)

        stale = await socket.hear("stale")

        assert stale["age"] > 2
        assert KEY.alarm in market.alarms()
        book = await market.post("/market-data/order-book", **BODY)
        assert book["stale"] is True
        assert book["age"] > 2

        await market.exchange.clear_faults()
        await socket.hear("fresh")
        await socket.hear("order_book")
        assert KEY.alarm not in market.alarms()
        assert (await market.post("/market-data/order-book", **BODY))["stale"] is False


@pytest.mark.parametrize("path", PATHS)
async def test_subscribers_keep_their_subscription_when_the_feed_dies(market: Market, path: str) -> None:
    async with market.socket(path) as socket:
        await subscribe(socket)
        before = await socket.hear("order_book")

        market.system.bus.publish(f"{HOST}/feed_status/{KEY.path}", b'{"state":"failed","detail":"made up"}')

        gap = await socket.hear("gap")
        after = await socket.hear("order_book")
    assert gap["from"] >= before["timestamp"] - 1
    assert gap["to"] >= gap["from"]
    numbers = [frame["sequence"] for frame in socket.frames[2:]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert after["data"]["bids"]


async def test_subscribers_keep_their_subscriptions_when_the_engine_host_is_killed(market: Market) -> None:
    async with market.socket() as socket:
        await subscribe(socket)
        await subscribe(socket, type="candles", interval="1m", max_records=30)
        await socket.since(0, "order_book")
        await socket.since(0, "candles", lambda frame: len(frame["data"]) == 30)
        host = await market.system.ask(HOST, GetHost(), timeout=5)
        assert host.pid is not None

        mark = len(socket.frames)
        os.kill(host.pid, signal.SIGKILL)

        for name in ("order_book", "candles"):
            gap = await socket.since(
                mark, "gap", lambda frame, name=name: frame["subscription_id"].startswith(name)
            )
            after = await socket.since(socket.frames.index(gap), name)
            assert after["subscription_id"] == gap["subscription_id"]
        assert len(after["data"]) == 30
        feeds = await market.system.ask(HOST, CallHost(method="open_feeds"), timeout=5)
        assert {f"feed/{KEY.path}", "feed/candles/sandbox/BTC-USDT/1m"} <= set(feeds)


async def test_prices_books_and_funding_are_answered_with_their_age(market: Market) -> None:
    prices = await market.post(
        "/market-data/prices", connector_name="sandbox", trading_pairs=["BTC-USDT", "ETH-USDT"]
    )
    book = await market.post("/market-data/order-book", **BODY, depth=2)
    deep = await market.post("/market-data/order-book", **BODY, depth=1000)
    funding = await market.post(
        "/market-data/funding-info", connector_name="sandbox_perpetual", trading_pair="BTC-USDT"
    )

    assert set(prices) == {"connector", "prices", "timestamp", "age", "stale"}
    assert set(prices["prices"]) == {"BTC-USDT", "ETH-USDT"}
    assert book["bids"][0]["price"] == pytest.approx(prices["prices"]["BTC-USDT"], rel=0.01)
    assert [len(book["bids"]), len(book["asks"])] == [2, 2]
    assert book["age"] < 5
    assert len(deep["bids"]) > 20
    assert {"funding_rate", "next_funding_time", "mark_price", "index_price", "timestamp"} <= set(funding)


async def test_every_question_about_a_book_is_answered(market: Market) -> None:
    book = await market.post("/market-data/order-book", **BODY)
    price = book["asks"][2]["price"]
    asked = {
        "price-for-volume": {"volume": 0.01},
        "price-for-quote-volume": {"quote_volume": 500},
        "volume-for-price": {"price": price},
        "quote-volume-for-price": {"price": price},
        "vwap-for-volume": {"volume": 0.01},
    }
    for name, value in asked.items():
        answer = await market.post(f"/market-data/order-book/{name}", **BODY, is_buy=True, **value)
        assert answer["result_price"] is not None, name
        assert answer["result_quote_volume"] > 0, name
        assert answer["average_price"] <= answer["result_price"], name
        assert answer["stale"] is False

    huge = await market.post("/market-data/order-book/price-for-volume", **BODY, is_buy=True, volume=1e9)
    assert huge["result_price"] is None
    assert huge["result_volume"] > 0


async def test_candles_come_at_once_and_histories_are_whole(market: Market) -> None:
    body = {**BODY, "interval": "1m"}

    newest = await market.post("/market-data/candles", **{**body, "trading_pair": "SOL-USDT"}, max_records=50)
    again = await market.post("/market-data/candles", **{**body, "trading_pair": "SOL-USDT"}, max_records=50)
    start, end = 1_700_000_040, 1_700_000_040 + 60 * 6_000
    past = await market.post("/market-data/historical-candles", **body, start_time=start, end_time=end)
    single = await market.post("/market-data/historical-candles", **body, start_time=start, end_time=start)

    assert len(newest) == len(again) == 50
    assert [candle["timestamp"] for candle in past] == list(range(start, end + 1, 60))
    assert [candle["timestamp"] for candle in single] == [start]
    assert all(candle["low"] <= candle["open"] <= candle["high"] for candle in past)


async def test_the_documented_forms_take_the_connector_from_the_query(market: Market) -> None:
    ticker = await market.get("/market-data/ticker/BTC-USDT")
    book = await market.get("/market-data/orderbook/BTC-USDT?connector=sandbox_perpetual&depth=3")
    candles = await market.get("/market-data/candles/BTC-USDT?interval=5m&limit=7")
    trades = await market.get("/market-data/trades/BTC-USDT?limit=5")

    assert ticker["connector"] == "sandbox"
    assert ticker["best_bid"] < ticker["mid"] < ticker["best_ask"]
    assert [book["connector"], len(book["asks"])] == ["sandbox_perpetual", 3]
    assert len(candles["candles"]) == 7
    assert len(trades["trades"]) <= 5
    assert all({"timestamp", "age", "stale"} <= set(answer) for answer in (ticker, book, candles, trades))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/market-data/order-book", {**BODY, "connector_name": "nosuch"}),
        ("/market-data/order-book", {**BODY, "trading_pair": "NO-SUCH"}),
        ("/market-data/order-book", {**BODY, "depth": 0}),
        ("/market-data/candles", {**BODY, "interval": "7m"}),
        ("/market-data/candles", {**BODY, "connector_name": "nosuch"}),
        ("/market-data/candles", {**BODY, "trading_pair": "../x"}),
        ("/market-data/prices", {"connector_name": "sandbox", "trading_pairs": ["NO-SUCH"]}),
        ("/market-data/prices", {"connector_name": "sandbox", "trading_pairs": []}),
        ("/market-data/funding-info", BODY),
        ("/market-data/order-book/price-for-volume", {**BODY, "is_buy": True, "volume": -1}),
        ("/market-data/order-book/price-for-volume", {**BODY, "is_buy": True}),
        ("/market-data/historical-candles", {**BODY, "start_time": 100, "end_time": 50}),
        ("/market-data/historical-candles", {**BODY, "start_time": 0, "end_time": 1_700_000_000}),
        ("/market-data/trading-pair/add", {**BODY, "trading_pair": "NO-SUCH", "timeout": 3}),
    ],
)
async def test_what_makes_no_sense_is_refused_at_once_and_crashes_nothing(
    market: Market, path: str, body: dict[str, Any]
) -> None:
    crashes = len([event for event in market.system.events() if event.kind == "crash"])

    async with asyncio.timeout(20):
        status, answer = await market.call("POST", path, body)

    assert status in {400, 404, 422}, answer
    assert answer["detail"]
    assert len([event for event in market.system.events() if event.kind == "crash"]) == crashes


async def test_pairs_can_be_added_listed_restarted_and_removed(market: Market) -> None:
    body = {**BODY, "trading_pair": "BNB-USDT"}

    assert (await market.post("/market-data/trading-pair/add", **body))["success"] is True
    feeds = await market.get("/market-data/active-feeds")
    diagnostics = await market.get("/market-data/order-book/diagnostics/sandbox")
    restarted = await market.post("/market-data/order-book/restart/sandbox")
    removed = [(await market.post("/market-data/trading-pair/remove", **body))["success"] for _ in range(2)]

    book = feeds["order_book_sandbox_BNB-USDT"]
    assert (book["will_expire_in"], book["held"]) == (60.0, True)
    assert diagnostics["order_books"]["BNB-USDT"]["bid_count"] > 0
    assert "BNB-USDT" in restarted["trading_pairs"]
    assert removed == [True, False]


async def test_an_exchange_that_was_away_is_followed_again_when_it_is_back(market: Market) -> None:
    async with market.socket() as socket:
        await subscribe(socket)
        await socket.hear("order_book")
        await market.exchange.kill()

        await socket.hear("stale")
        assert (await market.post("/market-data/order-book", **BODY))["stale"] is True

        await market.exchange.restart_same_port()
        await socket.hear("fresh")
        await socket.hear("order_book")
        assert (await market.post("/market-data/order-book", **BODY))["stale"] is False
