"""Feeds: opened on demand, pushed when something changed, and never silently stale.

Topics are `feed/<kind>/<connector>/<pair>[/<interval>]`; the payload is serialised here, once. A
`feed_status/…` event of the same path tells every few seconds when the exchange was last heard of.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import orjson
from aviary.actors.core.ports.errors import PortRefusal
from aviary.actors.core.ports.server import PortServer
from aviary.actors.engine.exchanges.connections import Ticker
from aviary.actors.engine.markets.feed_kinds import (
    DEFAULT_DEPTH,
    BookFeed,
    CandlesFeed,
    Feed,
    FundingFeed,
    TickerFeed,
    TradesFeed,
)
from aviary.actors.engine.markets.pair_stream import PairStream
from aviary.actors.engine.markets.public_data import PublicData
from aviary.config.clock import Clock

KINDS = ("order_book", "trades", "ticker", "candles", "funding")

MAX_FEEDS = 500
"""Feeds one host keeps at once."""

STATUS_INTERVAL = 2.0
"""Seconds between two `feed_status` events of a feed."""

QUIET_LIMIT = 10.0
"""Seconds after which a feed whose exchange says nothing reports itself as stalled."""

Spawn = Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]]


@dataclass
class _Open:
    feed: Feed
    task: asyncio.Task[None]
    stream: tuple[str, str] | None


class Feeds:
    """The feeds of one host."""

    def __init__(self, server: PortServer, clock: Clock, ticker: Ticker, public: PublicData, spawn: Spawn) -> None:
        self._server = server
        self._clock = clock
        self._ticker = ticker
        self._public = public
        self._spawn = spawn
        self._feeds: dict[str, _Open] = {}
        self._streams: dict[tuple[str, str], tuple[PairStream, asyncio.Task[None]]] = {}

    async def open_feed(
        self,
        kind: str,
        connector_name: str,
        trading_pair: str,
        interval: str | None = None,
        min_interval: float = 0.1,
        depth: int = DEFAULT_DEPTH,
    ) -> str:
        """Open a feed, or find it open; its topic.

        `min_interval` is the least number of seconds between two events; it and `depth` are those of whoever
        opened the feed first. Unknown connectors, pairs and intervals are refused.
        """
        if kind not in KINDS:
            raise PortRefusal("invalid", f"there is no feed of the kind {kind}", field="kind")
        path = f"{kind}/{connector_name}/{trading_pair}" + (f"/{interval}" if kind == "candles" else "")
        topic = f"feed/{path}"
        if topic in self._feeds:
            return topic
        if len(self._feeds) >= MAX_FEEDS:
            raise PortRefusal("unavailable", f"{MAX_FEEDS} feeds are open already", retry_after=60.0)
        await self._public.check_pairs(connector_name, [trading_pair])
        symbols = await self._public.connector(connector_name).trading_pair_symbol_map()
        if topic in self._feeds:
            return topic
        feed, stream = self._make(kind, connector_name, trading_pair, interval, depth, symbols)
        task = asyncio.create_task(self._run(path, feed, min_interval), name=topic)
        self._feeds[topic] = _Open(feed, task, stream)
        task.add_done_callback(lambda done: self._ended([topic], done))
        return topic

    async def close_feed(self, topic: str) -> bool:
        """Close a feed; whether it was open."""
        opened = self._feeds.pop(topic, None)
        if opened is None:
            return False
        opened.task.cancel()
        if isinstance(opened.feed, CandlesFeed):
            await opened.feed.close()
        if opened.stream is not None:
            await self.leave(opened.stream)
        return True

    async def open_feeds(self) -> list[str]:
        """Topics of the open feeds."""
        return sorted(self._feeds)

    async def feed_snapshot(self, topic: str, depth: int | None = None) -> dict[str, Any] | None:
        """All a feed has to show: the book, the recent trades, all candles it keeps; `None` if nothing yet.

        `depth` is how many levels of a book are wanted, if not as many as its events have.
        """
        opened = self._feeds.get(topic)
        if opened is None:
            raise PortRefusal("not_found", f"{topic} is not open")
        if depth is not None and isinstance(opened.feed, BookFeed):
            return opened.feed.levels(depth)
        return opened.feed.snapshot()

    async def follow(self, connector_name: str, trading_pair: str) -> PairStream:
        """The live stream of a pair, for whoever reads its book in this process; `leave` lets it go."""
        await self._public.check_pairs(connector_name, [trading_pair])
        symbols = await self._public.connector(connector_name).trading_pair_symbol_map()
        return self._join(connector_name, trading_pair, symbols)

    def _make(
        self,
        kind: str,
        connector_name: str,
        trading_pair: str,
        interval: str | None,
        depth: int,
        symbols: Any,
    ) -> tuple[Feed, tuple[str, str] | None]:
        if kind == "candles":
            return CandlesFeed(connector_name, trading_pair, interval or "", self._clock), None
        if kind == "funding" and not hasattr(self._public.connector(connector_name), "get_funding_info"):
            raise PortRefusal("unsupported", f"{connector_name} has no funding", field="connector_name")
        stream = self._join(connector_name, trading_pair, symbols)
        key = (connector_name, trading_pair)
        match kind:
            case "order_book":
                return BookFeed(stream, trading_pair, depth), key
            case "trades":
                return TradesFeed(stream, trading_pair), key
            case "ticker":
                return TickerFeed(stream, trading_pair), key
            case _:
                return FundingFeed(stream, trading_pair), key

    def _join(self, connector_name: str, trading_pair: str, symbols: Any) -> PairStream:
        key = (connector_name, trading_pair)
        if key not in self._streams:
            connector = self._public.connector(connector_name, [trading_pair])
            # Reading the exchange's list of pairs once is enough: it is megabytes on real ones.
            connector._set_trading_pair_symbol_map(symbols)  # noqa: SLF001
            stream = PairStream(connector, trading_pair, self._clock, self._ticker)
            stream.open()
            task = asyncio.create_task(stream.watch(), name="/".join(key))
            self._streams[key] = (stream, task)
            task.add_done_callback(lambda done: self._ended(self._topics_of(key), done))
        stream, _ = self._streams[key]
        stream.users += 1
        return stream

    def _topics_of(self, key: tuple[str, str]) -> list[str]:
        return [topic for topic, opened in self._feeds.items() if opened.stream == key]

    def _ended(self, topics: list[str], task: asyncio.Task[None]) -> None:
        # A feed that fails is closed and says so; whoever wants it opens it anew. No other feed is touched.
        if task.cancelled() or (error := task.exception()) is None:
            return
        logging.getLogger(__name__).error("%s failed", task.get_name(), exc_info=error)
        for topic in topics:
            status = {
                "state": "failed",
                "detail": type(error).__name__,
                "heard_at": None,
                "age": None,
                "sent_at": self._clock.now(),
            }
            self._server.push(topic.replace("feed/", "feed_status/", 1), orjson.dumps(status))
            self._spawn(self._drop(topic), f"closing {topic}")

    async def _drop(self, topic: str) -> None:
        await self.close_feed(topic)

    async def leave(self, key: tuple[str, str]) -> None:
        """One less needs the stream of a connector's pair; the last one ends it."""
        stream, task = self._streams[key]
        stream.users -= 1
        if stream.users == 0:
            del self._streams[key]
            task.cancel()
            await stream.close()

    async def _run(self, path: str, feed: Feed, min_interval: float) -> None:
        told_at = 0.0
        told: str | None = None
        while True:
            await feed.mend()
            change = feed.change()
            if change is not None:
                self._server.push_newest(f"feed/{path}", orjson.dumps(change))
            age = feed.hearing.age
            state = _state(age)
            now = self._clock.monotonic()
            if state != told or now - told_at >= STATUS_INTERVAL:
                told, told_at = state, now
                status = {
                    "state": state,
                    "heard_at": feed.heard_at,
                    "age": age,
                    "sent_at": self._clock.now(),
                }
                self._server.push_newest(f"feed_status/{path}", orjson.dumps(status))
            await asyncio.sleep(max(min_interval, 0.01))


def _state(age: float | None) -> str:
    if age is None:
        return "starting"
    return "stalled" if age > QUIET_LIMIT else "live"
