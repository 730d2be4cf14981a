"""Market data over websockets: both protocols, over real sockets, with a registry and feeds of the test's own."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import orjson
import pytest
from aviary.actors.core.message import Message
from aviary.actors.core.refusal import NotFound, Unavailable
from aviary.actors.core.simulation import Probe
from aviary.actors.messages.feeds import (
    FEEDS,
    REGISTRY,
    FeedEvent,
    FeedKey,
    FeedState,
    GetFeed,
    GetFeedHistory,
    OpenFeed,
)
from aviary.http.streams import hub
from aviary.supervisors.spec import ChildSpec, SupervisorSpec
from aviary.supervisors.supervisor import SUPERVISOR_SETTINGS, Supervisor
from front_end import PASSWORD, USER, FrontEnd, eventually, front_end

BOOK = FeedKey(kind="order_book", connector="sandbox", trading_pair="BTC-USDT")
TRADES = FeedKey(kind="trades", connector="sandbox", trading_pair="BTC-USDT")
CANDLES = FeedKey(kind="candles", connector="sandbox", trading_pair="BTC-USDT", interval="1m")
TICKER = FeedKey(kind="ticker", connector="sandbox", trading_pair="BTC-USDT")
ALL = (BOOK, TRADES, CANDLES, TICKER)

FIRST_BOOK = {"trading_pair": "BTC-USDT", "bids": [[10.0, 1.0], [9.0, 1.0]], "asks": [[11.0, 2.0], [12.0, 2.0]]}


def candle(minute: int, close: float) -> dict[str, Any]:
    return {"timestamp": 60.0 * minute, "open": 1.0, "high": 9.0, "low": 1.0, "close": close, "volume": 5.0}


def feed(key: FeedKey) -> Probe:
    def answer(message: Message[Any]) -> object:
        match message:
            case GetFeed() if key.kind == "order_book":
                return FeedState(key=key, data=FIRST_BOOK, age=0.0, stale=False)
            case GetFeedHistory():
                return {"candles": [candle(minute, 2.0) for minute in range(10)]}
            case _:
                raise Unavailable("nothing yet")

    return Probe(answer)


class World:
    """A registry that knows `ALL`, their feeds, and the front end before them."""

    def __init__(self) -> None:
        self.opened: list[FeedKey] = []
        self.delay = 0.0
        """Seconds that opening a feed takes."""
        feeds = SupervisorSpec(children=tuple(ChildSpec(key.name, self._make(key)) for key in ALL))
        self.children = (
            ChildSpec(REGISTRY, lambda: Probe(self._open)),
            ChildSpec(FEEDS, lambda: Supervisor(feeds), kind="supervisor", settings=SUPERVISOR_SETTINGS),
        )

    @staticmethod
    def _make(key: FeedKey) -> Any:
        return lambda: feed(key)

    async def _open(self, message: Any) -> str:
        await asyncio.sleep(self.delay)
        assert isinstance(message, OpenFeed)
        if message.key not in ALL:
            raise NotFound(f"Trading pair '{message.key.trading_pair}' appears to be invalid")
        self.opened.append(message.key)
        return message.key.address


def publish(front: FrontEnd, key: FeedKey, data: dict[str, Any]) -> FeedEvent:
    event = FeedEvent(what="update", key=key, at=front.system.clock.now(), payload=orjson.dumps(data))
    front.system.bus.publish(key.address, event)
    return event


def tell(front: FrontEnd, key: FeedKey, what: Any, age: float = 0.0) -> None:
    front.system.bus.publish(key.address, FeedEvent(what=what, key=key, at=front.system.clock.now(), age=age))


def book(price: float) -> dict[str, Any]:
    return {"trading_pair": "BTC-USDT", "bids": [[price, 1.0]], "asks": [[price + 1, 1.0]]}


SUBSCRIBE = {"action": "subscribe", "connector": "sandbox", "trading_pair": "BTC-USDT", "update_interval": 0.25}
RELEASED = "/ws/market-data"
DOCUMENTED = "/market-data/stream"


async def test_the_released_protocol_speaks_the_recorded_frames() -> None:
    world = World()
    async with front_end((), *world.children) as front, front.socket(RELEASED) as client:
        hello = await client.hear()
        assert (hello["type"], len(hello["connection_id"]), type(hello["timestamp"])) == ("connected", 8, float)

        name = "order_book_sandbox_BTC-USDT"
        answer = await client.ask(**SUBSCRIBE, type="order_book", depth=1)
        assert answer == {"type": "subscribed", "subscription_id": name}
        frame = await client.hear()
        assert list(frame) == ["type", "subscription_id", "data", "timestamp", "sequence"]
        assert (frame["type"], frame["subscription_id"]) == ("order_book", name)
        assert frame["data"] == {"bids": [[10.0, 1.0]], "asks": [[11.0, 2.0]]}

        assert await client.ask(action="unsubscribe", subscription_id=name) == {
            "type": "unsubscribed",
            "subscription_id": name,
        }
        assert (await client.ask(action="ping")).keys() == {"type", "timestamp"}


async def test_a_burst_is_conflated_to_the_newest_and_numbered_without_a_hole() -> None:
    world = World()
    async with front_end((), *world.children) as front, front.socket(DOCUMENTED) as client:
        await client.hear()
        await client.ask(**SUBSCRIBE, type="order_book")
        first = await client.hear()
        for price in range(100, 120):
            publish(front, BOOK, book(float(price)))

        second = await client.hear()

        assert second["data"] == {"bids": [[119.0, 1.0]], "asks": [[120.0, 1.0]]}
        assert (first["sequence"], second["sequence"]) == (1, 2)
        assert second["conflated"] == 19
        assert second["timestamp"] - first["timestamp"] >= 0.2


async def test_a_book_that_did_not_change_is_not_sent_again() -> None:
    world = World()
    async with front_end((), *world.children) as front, front.socket(RELEASED) as client:
        await client.hear()
        await client.ask(**SUBSCRIBE, type="order_book")
        await client.hear()
        await client.ask(**SUBSCRIBE, type="ticker")
        publish(front, TICKER, {"last": 1.0})
        await client.hear("ticker")
        publish(front, BOOK, FIRST_BOOK)
        publish(front, TICKER, {"last": 2.0})

        # The book would be due before the ticker.
        assert (await client.hear())["data"] == {"last": 2.0}


async def test_every_trade_is_sent() -> None:
    world = World()
    async with front_end((), *world.children) as front, front.socket(RELEASED) as client:
        await client.hear()
        await client.ask(**SUBSCRIBE, type="trades")
        for number in range(30):
            trade = {
                "trade_id": str(number),
                "price": 1.0,
                "amount": float(number),
                "side": "BUY",
                "timestamp": 5.0,
            }
            publish(front, TRADES, {"trades": [trade]})

        seen: list[dict[str, Any]] = []
        while len(seen) < 30:
            seen += (await client.hear("trades"))["data"]

        assert [one["amount"] for one in seen] == [float(number) for number in range(30)]
        assert seen[0] == {"timestamp": 5.0, "price": 1.0, "amount": 0.0, "side": "buy"}


async def test_candles_come_whole_first_and_when_a_new_one_begins_else_as_updates() -> None:
    world = World()
    async with front_end((), *world.children) as front, front.socket(RELEASED) as client:
        await client.hear()
        await client.ask(**SUBSCRIBE, type="candles", interval="1m", max_records=4)
        first = await client.hear()
        publish(front, CANDLES, {"candles": [candle(8, 2.0), candle(9, 3.0)]})
        update = await client.hear()
        publish(front, CANDLES, {"candles": [candle(9, 3.5), candle(10, 4.0)]})
        second = await client.hear()

        assert (first["type"], [one["timestamp"] for one in first["data"]]) == (
            "candles",
            [360.0, 420.0, 480.0, 540.0],
        )
        assert (update["type"], update["data"]) == ("candle_update", candle(9, 3.0))
        assert (second["type"], [one["close"] for one in second["data"]]) == ("candles", [2.0, 2.0, 3.5, 4.0])


@pytest.mark.parametrize("path", [RELEASED, DOCUMENTED])
async def test_after_a_feed_s_restart_the_subscription_goes_on_with_a_gap_notice_and_a_snapshot(path: str) -> None:
    world = World()
    async with front_end((), *world.children) as front, front.socket(path) as client:
        await client.hear()
        await client.ask(**SUBSCRIBE, type="order_book")
        await client.hear()
        tell(front, BOOK, "gap")
        publish(front, BOOK, book(50.0))

        gap, fresh = await client.hear(), await client.hear()

        assert (gap["type"], fresh["type"]) == ("gap", "order_book")
        assert (gap["sequence"], fresh["sequence"]) == (2, 3)
        assert gap["subscription_id"] == fresh["subscription_id"]


@pytest.mark.parametrize("path", [RELEASED, DOCUMENTED])
async def test_who_has_seen_nothing_of_a_feed_is_not_told_of_a_gap(path: str) -> None:
    world = World()
    async with front_end((), *world.children) as front, front.socket(path) as client:
        await client.hear()
        await client.ask(**SUBSCRIBE, type="ticker")
        tell(front, TICKER, "gap")
        publish(front, TICKER, {"last": 1.0})

        first = await client.hear()

        assert (first["type"], first["data"], first["sequence"]) == ("ticker", {"last": 1.0}, 1)


async def test_after_a_gap_candles_are_read_anew_from_the_feed_s_history() -> None:
    world = World()
    async with front_end((), *world.children) as front, front.socket(DOCUMENTED) as client:
        await client.hear()
        await client.ask(**SUBSCRIBE, type="candles", interval="1m", max_records=50)
        await client.hear()
        tell(front, CANDLES, "gap")

        assert (await client.hear())["type"] == "gap"
        again = await client.hear()
        assert (again["type"], len(again["data"])) == ("candles", 10)


async def test_stale_data_are_told_with_their_age() -> None:
    world = World()
    async with front_end((), *world.children) as front, front.socket(DOCUMENTED) as client:
        await client.hear()
        await client.ask(**SUBSCRIBE, type="order_book")
        await client.hear()
        tell(front, BOOK, "stale", 12.5)
        tell(front, BOOK, "fresh", 0.1)

        stale, fresh = await client.hear(), await client.hear()

        assert (stale["type"], stale["age"], fresh["type"]) == ("stale", 12.5, "fresh")


async def test_subscribers_of_one_feed_share_what_was_encoded() -> None:
    world = World()
    async with (
        front_end((), *world.children) as front,
        front.socket(RELEASED) as one,
        front.socket(DOCUMENTED) as two,
    ):
        for client in (one, two):
            await client.hear()
            await client.ask(**SUBSCRIBE, type="order_book", depth=5)
            await client.hear()
        event = publish(front, BOOK, book(7.0))

        assert (await one.hear())["data"] == (await two.hear())["data"]
        assert list(event.encoded) == [5]


async def test_the_answer_to_a_request_is_the_next_frame_whatever_the_feeds_do() -> None:
    world = World()
    async with front_end((), *world.children) as front, front.socket(RELEASED) as client:
        await client.hear()
        await client.ask(**SUBSCRIBE, type="trades")
        trade = {"price": 1.0, "amount": 1.0, "side": "buy", "timestamp": 5.0}
        publish(front, TRADES, {"trades": [trade]})
        await client.hear("trades")

        world.delay = 0.5
        publish(front, TRADES, {"trades": [trade]})
        answer = await client.ask(**SUBSCRIBE, type="order_book")

        assert answer["type"] == "subscribed"
        assert {(await client.hear())["type"], (await client.hear())["type"]} == {"trades", "order_book"}


SUBSCRIBE_EVERY = (
    '{"action": "subscribe", "type": "trades", "connector": "s", "trading_pair": "A-B", "update_interval": %s}'
)

BAD_FRAMES = [
    ("not json", "Not JSON"),
    ("[1]", "A request is a JSON object"),
    ("[" * 5000, "Not JSON"),
    ('{"action": "dance"}', "Unknown action: dance. Valid actions: subscribe, unsubscribe, ping"),
    ('{"action": ["x"]}', "Unknown action"),
    ("{}", "Unknown action: None"),
    ('{"action": "subscribe", "type": "weather"}', "Invalid subscription type: weather"),
    ('{"action": "subscribe", "type": {"a": 1}}', "Invalid subscription type"),
    ('{"action": "subscribe", "type": "order_book"}', "Missing required field: connector"),
    (
        '{"action": "subscribe", "type": "order_book", "connector": "sandbox"}',
        "Missing required field: trading_pair",
    ),
    ('{"action": "subscribe", "type": "order_book", "connector": "../x", "trading_pair": "A-B"}', "connector"),
    (
        '{"action": "subscribe", "type": "order_book", "connector": "sandbox", "trading_pair": "NO-SUCH"}',
        "NO-SUCH",
    ),
    (
        '{"action": "subscribe", "type": "candles", "connector": "s", "trading_pair": "A-B", "interval": 5}',
        "interval",
    ),
    (
        '{"action": "subscribe", "type": "candles", "connector": "s", "trading_pair": "A-B", "interval": "x"}',
        "interval",
    ),
    (
        '{"action": "subscribe", "type": "trades", "connector": "s", "trading_pair": "A-B", "update_interval": "x"}',
        "update_interval",
    ),
    *(
        (
            SUBSCRIBE_EVERY % seconds,
            "update_interval should be a number of seconds from 0.25 to 60",
        )
        for seconds in ("-1", "0", "1e308", '"1"', "true")
    ),
    (
        '{"action": "subscribe", "type": "trades", "connector": "s", "trading_pair": "A-B", "depth": 1e999}',
        "Not JSON",
    ),
    *(
        (
            f'{{"action": "subscribe", "type": "trades", "connector": "s", "trading_pair": "A-B", "depth": {depth}}}',
            "depth should be a whole number from 1 to 1000",
        )
        for depth in ("-1", "0", "1e308", "1.5", "1001", '"5"', "true")
    ),
    (
        '{"action": "subscribe", "type": "candles", "connector": "s", "trading_pair": "A-B", "max_records": 0}',
        "max_records should be a whole number from 1 to 5000",
    ),
    ('{"action": "unsubscribe"}', "Subscription not found"),
    ('{"action": "resume", "connection_id": "x"}', "Unknown action: resume"),
]


async def test_a_bad_frame_is_answered_with_an_error_and_the_connection_lives() -> None:
    world = World()
    async with front_end((), *world.children) as front, front.socket(RELEASED) as client:
        await client.hear()
        for text, expected in BAD_FRAMES:
            await client.raw.send_str(text)
            answer = await client.hear()
            assert (answer["type"], expected in answer["message"]) == ("error", True), (text, answer)
        await client.raw.send_bytes(b"\xff\xfe")
        assert (await client.hear())["type"] == "error"

        assert (await client.ask(action="ping"))["type"] == "pong"
        assert front.system.statistics().crashes == 0


@pytest.mark.parametrize("seconds", [0.1, 61, 3600])
async def test_an_interval_out_of_range_is_brought_within_it_for_released_clients_and_refused_for_others(
    seconds: float,
) -> None:
    world = World()
    ask = {"action": "subscribe", "connector": "sandbox", "trading_pair": "BTC-USDT", "type": "trades"}
    async with front_end((), *world.children) as front:
        async with front.socket(RELEASED) as client:
            await client.hear()
            assert (await client.ask(**ask, update_interval=seconds))["type"] == "subscribed"
        async with front.socket(DOCUMENTED) as client:
            await client.hear()
            answer = await client.ask(**ask, update_interval=seconds)
            assert (answer["type"], "update_interval" in answer["message"]) == ("error", True)


async def test_a_frame_that_is_too_large_ends_the_connection() -> None:
    world = World()
    async with front_end((), *world.children) as front, front.socket(RELEASED) as client:
        await client.hear()
        await client.raw.send_str("x" * 100_000)

        assert await client.end() == 1009


@pytest.mark.parametrize("path", [RELEASED, DOCUMENTED, "/ws/executors"])
async def test_the_password_is_taken_from_header_token_or_query(path: str) -> None:
    token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    async with front_end((), *World().children) as front:
        async with front.socket(path) as client:
            assert (await client.hear())["type"] == "connected"
        del front.client.headers["Authorization"]
        for query in (f"token={token}", f"username={USER}&password={PASSWORD.replace(' ', '%20')}"):
            async with front.socket(f"{path}?{query}") as client:
                assert (await client.hear())["type"] == "connected"


@pytest.mark.parametrize(
    "query", ["", "?token=", "?token=%%%", "?token=eDp5", "?username=x&password=y", f"?username={USER}"]
)
async def test_a_websocket_without_the_password_is_accepted_told_and_closed(query: str) -> None:
    async with front_end((), *World().children) as front:
        del front.client.headers["Authorization"]
        async with front.socket(RELEASED + query) as client:
            assert await client.hear() == {"type": "error", "message": "Authentication failed"}
            assert await client.end() == 4001


async def test_the_header_wins_over_the_token() -> None:
    token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    async with front_end((), *World().children) as front:
        wrong = {"Authorization": "Basic " + base64.b64encode(b"x:y").decode()}
        async with front.socket(f"{RELEASED}?token={token}", headers=wrong) as client:
            assert (await client.hear())["message"] == "Authentication failed"


async def test_another_site_s_page_opens_no_websocket() -> None:
    async with (
        front_end((), *World().children) as front,
        front.socket(RELEASED, origin="https://evil.example") as client,
    ):
        assert (await client.hear())["type"] == "error"
        assert await client.end() == 4003


async def test_a_feed_is_kept_while_somebody_listens_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "LEASE_PERIOD", 0.02)
    world = World()
    async with front_end((), *world.children) as front, front.socket(RELEASED) as client:
        await client.hear()
        await client.ask(**SUBSCRIBE, type="trades")
        await client.ask(**SUBSCRIBE, type="ticker")
        await eventually(lambda: world.opened.count(TRADES) > 4)
        await client.ask(action="unsubscribe", subscription_id="trades_sandbox_BTC-USDT")

        before = world.opened.count(TRADES)
        renewed = world.opened.count(TICKER)
        await eventually(lambda: world.opened.count(TICKER) > renewed + 4)

        # One renewal may have been under way.
        assert world.opened.count(TRADES) <= before + 1


async def test_a_lost_connection_is_resumed_with_its_subscriptions_and_their_numbering() -> None:
    world = World()
    async with front_end((), *world.children) as front:
        async with front.socket(DOCUMENTED) as client:
            earlier = (await client.hear())["connection_id"]
            await client.ask(**SUBSCRIBE, type="order_book")
            await client.hear()
            publish(front, BOOK, book(60.0))
            assert (await client.hear())["sequence"] == 2
        await eventually(lambda: not front.streams.statistics()["connections"])

        async with front.socket(DOCUMENTED) as client:
            await client.hear()
            answer = await client.ask(action="resume", connection_id=earlier)
            gap, snapshot = await client.hear(), await client.hear()

            assert answer["subscriptions"] == [{"subscription_id": "order_book_sandbox_BTC-USDT", "sequence": 2}]
            assert answer["failed"] == []
            assert (gap["type"], gap["sequence"], gap["from"] < gap["to"]) == ("gap", 3, True)
            assert (snapshot["type"], snapshot["sequence"]) == ("order_book", 4)
            again = await client.ask(action="resume", connection_id=earlier)
            assert (again["type"], "Nothing to resume" in again["message"]) == ("error", True)


async def test_subscribing_again_replaces_the_subscription_and_goes_on_counting() -> None:
    world = World()
    async with front_end((), *world.children) as front, front.socket(DOCUMENTED) as client:
        await client.hear()
        await client.ask(**SUBSCRIBE, type="order_book", depth=1)
        assert (await client.hear())["sequence"] == 1
        answer = await client.ask(**SUBSCRIBE, type="order_book", depth=2)
        frame = await client.hear()

        assert (answer["type"], answer["sequence"], answer["update_interval"]) == ("subscribed", 1, 0.25)
        assert (frame["sequence"], len(frame["data"]["bids"])) == (2, 2)
        assert front.streams.statistics()["connections"][0]["subscriptions"] == 1


async def test_when_the_server_stops_its_clients_are_told() -> None:
    async with front_end((), *World().children) as front, front.socket(RELEASED) as client:
        await client.hear()
        closing = asyncio.ensure_future(front.streams.close(None))  # type: ignore[arg-type]

        assert await client.end() == 1001
        await closing
