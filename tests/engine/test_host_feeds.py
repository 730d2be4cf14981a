"""Feeds of every kind from the simulated exchange, and what becomes of them when it misbehaves."""

from itertools import pairwise
from typing import Any

import pytest
from aviary.actors.core.ports.port import PortRefusal
from aviary.sandbox.testing import SandboxProcess
from engine_neighbours import Host

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAIR = "BTC-USDT"
KINDS = ["order_book", "trades", "ticker", "candles"]


async def open_feed(host: Host, kind: str, connector: str = "sandbox") -> str:
    topic: str = await host.call(
        "open_feed",
        kind=kind,
        connector_name=connector,
        trading_pair=PAIR,
        interval="1m" if kind == "candles" else None,
        min_interval=0.05,
    )
    return topic


def status_of(topic: str) -> str:
    return topic.replace("feed/", "feed_status/", 1)


def later_than(payload: dict[str, Any], moment: float) -> bool:
    return bool(payload["timestamp"] > moment)


@pytest.mark.parametrize("connector", ["sandbox", "sandbox_perpetual"])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_feed_delivers_goes_on_after_its_socket_was_dropped_and_can_be_closed(
    host: Host, exchange: SandboxProcess, connector: str, kind: str
) -> None:
    topic = await open_feed(host, kind, connector)
    await host.event(topic)
    live = await host.event(status_of(topic), lambda status: status["state"] == "live")

    await exchange.faults("drop_websockets", seconds=0.1)
    host.forget()
    await host.event(topic, lambda payload: later_than(payload, live["sent_at"] + 1))

    assert await host.call("feed_snapshot", topic=topic)
    assert await host.call("open_feeds") == [topic]
    assert await host.call("close_feed", topic=topic) is True
    assert await host.call("open_feeds") == []


async def test_a_book_is_sorted_and_uncrossed_and_as_deep_as_asked(host: Host) -> None:
    topic = await host.call(
        "open_feed", kind="order_book", connector_name="sandbox", trading_pair=PAIR, depth=5, min_interval=0.05
    )

    book = await host.event(topic)

    assert book["trading_pair"] == PAIR
    assert [len(book["bids"]), len(book["asks"])] == [5, 5]
    assert sorted((price for price, _ in book["bids"]), reverse=True) == [price for price, _ in book["bids"]]
    assert book["bids"][0][0] < book["asks"][0][0]


async def test_candles_complete_their_history(host: Host) -> None:
    topic = await open_feed(host, "candles")

    await host.event(topic, lambda payload: bool(payload["complete"]))

    candles = (await host.call("feed_snapshot", topic=topic))["candles"]
    times = [candle["timestamp"] for candle in candles]
    assert len(times) == 500
    assert {later - earlier for earlier, later in pairwise(times)} == {60.0}


@pytest.mark.parametrize("interval", ["3d", "1w", "1M"])
@pytest.mark.parametrize(("connector", "path"), [("sandbox", "api/v3"), ("sandbox_perpetual", "fapi/v1")])
async def test_candles_begin_where_the_exchange_says_in_the_past_and_in_a_feed_the_current_one_included(
    host: Host, exchange: SandboxProcess, connector: str, path: str, interval: str
) -> None:
    query = f"symbol=BTCUSDT&interval={interval}&limit=500"
    theirs = [row[0] / 1000 for row in await exchange.request("GET", f"/{path}/klines?{query}")]
    terms = {"connector_name": connector, "trading_pair": PAIR, "interval": interval}

    # From just after a candle's begin, so that it does not belong to the range, until now.
    past = await host.call("historical_candles", **terms, start=int(theirs[-7]) + 1, end=int(theirs[-1]) + 7200)
    topic = await host.call("open_feed", kind="candles", min_interval=0.05, **terms)
    await host.event(topic, lambda payload: bool(payload["complete"]))
    followed = (await host.call("feed_snapshot", topic=topic))["candles"]

    assert [row[0] for row in past] == theirs[-6:]
    assert [candle["timestamp"] for candle in followed] == theirs


async def test_funding_is_told_for_perpetual_pairs_only(host: Host) -> None:
    topic = await open_feed(host, "funding", "sandbox_perpetual")

    funding = await host.event(topic)

    assert funding["mark_price"] is not None
    with pytest.raises(PortRefusal) as caught:
        await open_feed(host, "funding", "sandbox")
    assert caught.value.kind == "unsupported"


async def test_the_silence_of_an_exchange_is_told_and_the_feed_lives_again_when_it_speaks(
    host: Host, exchange: SandboxProcess
) -> None:
    topic = await open_feed(host, "order_book")
    await host.event(status_of(topic), lambda status: status["state"] == "live")
    await exchange.faults("stall_websockets", seconds=60)
    host.forget()

    await host.event(status_of(topic), lambda status: status["sent_at"] - status["heard_at"] > 2)

    await exchange.clear_faults()
    host.forget()
    await host.event(status_of(topic), lambda status: status["state"] == "live")
    await host.event(topic)


async def test_a_book_that_can_t_be_read_anew_is_reported_as_stalled_although_its_socket_speaks(
    host: Host, exchange: SandboxProcess
) -> None:
    topic = await open_feed(host, "order_book")
    await host.event(status_of(topic), lambda status: status["state"] == "live")
    await exchange.faults("http_5xx", seconds=60)
    await exchange.faults("drop_websockets", seconds=0.1)
    host.forget()

    stalled = await host.event(status_of(topic), lambda status: status["state"] == "stalled")

    assert stalled["age"] > 10
    await exchange.clear_faults()
    host.forget()
    await host.event(status_of(topic), lambda status: status["state"] == "live")
    assert later_than(await host.event(topic), stalled["sent_at"])


async def test_a_feed_opened_while_the_exchange_is_down_is_refused_and_one_opened_before_recovers(
    host: Host, exchange: SandboxProcess
) -> None:
    topic = await open_feed(host, "order_book")
    await host.event(topic)
    await exchange.faults("down", seconds=60)

    with pytest.raises(PortRefusal) as caught:
        await host.call("open_feed", kind="order_book", connector_name="sandbox_perpetual", trading_pair=PAIR)
    assert caught.value.kind == "unavailable"

    await exchange.clear_faults()
    live = await host.event(topic)
    host.forget()
    await host.event(topic, lambda payload: later_than(payload, live["timestamp"] + 3))


@pytest.mark.parametrize(
    ("kind", "field", "changes"),
    [
        ("not_found", "connector_name", {"connector_name": "no_such"}),
        ("invalid", "trading_pair", {"trading_pair": "NO-SUCH"}),
        ("invalid", "interval", {"interval": "7m", "kind": "candles"}),
        ("invalid", "interval", {"interval": None, "kind": "candles"}),
        ("invalid", "kind", {"kind": "gossip"}),
    ],
)
async def test_a_feed_of_something_that_is_not_there_is_refused(
    host: Host, kind: str, field: str, changes: dict[str, Any]
) -> None:
    terms = {"kind": "order_book", "connector_name": "sandbox", "trading_pair": PAIR, **changes}

    with pytest.raises(PortRefusal) as caught:
        await host.call("open_feed", **terms)

    assert (caught.value.kind, caught.value.fields["field"]) == (kind, field)


async def test_past_candles_are_the_same_each_time_and_their_range_is_what_was_asked(host: Host) -> None:
    # 600 minutes, a while ago: more than one request, and nothing of it still changes.
    end = 1_795_000_000 - 1_795_000_000 % 60
    terms = {
        "connector_name": "sandbox",
        "trading_pair": PAIR,
        "interval": "1m",
        "start": end - 36_000,
        "end": end,
    }

    first = await host.call("historical_candles", **terms)
    second = await host.call("historical_candles", **terms)

    assert first == second
    assert len(first) in {600, 601}
    assert end - 36_000 <= first[0][0] <= first[-1][0] <= end


async def test_prices_rules_and_pairs_are_answered_without_keys(host: Host) -> None:
    pairs = await host.call("all_trading_pairs", connector_name="sandbox")
    prices = await host.call("prices", connector_name="sandbox", trading_pairs=pairs[:2])
    rules = await host.call("public_trading_rules", connector_name="sandbox")

    assert PAIR in pairs
    assert set(prices) == set(pairs[:2])
    assert set(rules) == set(pairs)
    assert await host.call("order_types", connector_name="sandbox") == ["LIMIT", "LIMIT_MAKER", "MARKET"]
    with pytest.raises(PortRefusal):
        await host.call("prices", connector_name="sandbox", trading_pairs=["NO-SUCH"])
