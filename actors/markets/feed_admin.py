"""Feeds that are kept, looked at and started over on request, in the released server's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aviary.actors.core.refusal import NotFound, Unavailable
from aviary.actors.markets.feed_client import FEED_TIMEOUT, FeedClient
from aviary.actors.markets.feed_registry import IDLE_AFTER, SWEEP_PERIOD
from aviary.actors.messages.connectors import ListConnectors
from aviary.actors.messages.feeds import (
    REGISTRY,
    CloseFeed,
    FeedInfo,
    FeedKey,
    GetFeed,
    ListFeeds,
    OpenFeed,
    ReopenFeed,
)
from aviary.actors.messages.market_data import AddTradingPair, FeedSettings, RemoveTradingPair

if TYPE_CHECKING:
    from aviary.actors.core.actor import AsyncActor

CATALOGUE = "market/catalogue"

SETTINGS = FeedSettings(
    cleanup_interval=SWEEP_PERIOD,
    feed_timeout=IDLE_AFTER,
    description=(
        "cleanup_interval: seconds between two looks for feeds that nobody needs; "
        "feed_timeout: seconds after which such a feed stops"
    ),
)
"""How long feeds run."""


class FeedAdmin:
    """What is asked about feeds themselves, for one incarnation of the market-data actor."""

    def __init__(self, actor: AsyncActor) -> None:
        self._actor = actor
        self._feeds = FeedClient(actor)

    async def add(self, message: AddTradingPair) -> dict[str, Any]:
        """Keep the book of a pair, once it has data."""
        key = FeedKey(kind="order_book", connector=message.connector_name, trading_pair=message.trading_pair)
        address = await self._feeds.ask(REGISTRY, OpenFeed(key=key, hold=True), FEED_TIMEOUT)
        await self._feeds.ask(address, GetFeed(wait=message.timeout), message.timeout + 1)
        return _told(message, "Order book initialized for {pair}", success=True)

    async def remove(self, message: RemoveTradingPair) -> dict[str, Any]:
        """Let go of the book of a pair."""
        key = FeedKey(kind="order_book", connector=message.connector_name, trading_pair=message.trading_pair)
        if await self._feeds.ask(REGISTRY, CloseFeed(key=key), FEED_TIMEOUT):
            return _told(message, "Trading pair {pair} removed", success=True)
        return _told(message, "Trading pair {pair} not found or already removed", success=False)

    async def active(self) -> dict[str, dict[str, Any]]:
        """The feeds that run, by name."""
        feeds = await self._feeds.ask(REGISTRY, ListFeeds(), FEED_TIMEOUT)
        now = self._actor.clock.now()
        return {
            feed.key.name.replace(":", "_"): {
                "feed_type": feed.key.kind,
                "last_access_time": feed.needed_at,
                "seconds_since_access": now - feed.needed_at,
                # One that is held has at least its whole time once it is let go.
                "will_expire_in": SETTINGS.feed_timeout if feed.expires_in is None else feed.expires_in,
                "held": feed.expires_in is None,
                "config": " ".join(f"{name}={value!r}" for name, value in feed.key if value is not None),
                "connector": feed.key.connector,
                "trading_pair": feed.key.trading_pair,
                "interval": feed.key.interval,
                "address": feed.address,
                "opened_at": feed.opened_at,
                "age": feed.age,
                "stale": feed.stale,
            }
            for feed in feeds
        }

    async def diagnostics(self, connector: str) -> dict[str, Any]:
        """How the books of a connector are."""
        books = await self._books_of(connector)
        tasks = {}
        for book in books:
            cell = self._actor.system.cell(book.address)
            tasks[book.address] = {
                "exists": cell is not None,
                "done": cell is None,
                "cancelled": False,
                "exception": None if cell is None else cell.last_failure,
                "state": None
                if cell is None
                else cell.view(self._actor.clock.now(), self._actor.clock.monotonic()).state,
                "restarts": 0 if cell is None else cell.restarts,
            }
        return {
            "connector_name": connector,
            "has_order_book_tracker": bool(books),
            "tracker_ready": bool(books) and all(book.age is not None and not book.stale for book in books),
            "tasks": tasks,
            "trading_pairs": [book.key.trading_pair for book in books],
            "order_books": {book.key.trading_pair: await self._state_of(book) for book in books},
        }

    async def _state_of(self, book: FeedInfo) -> dict[str, Any]:
        about = {"age": book.age, "stale": book.stale, "opened_at": book.opened_at}
        try:
            state = await self._feeds.ask(book.address, GetFeed(wait=0.0), 1.0)
        except Unavailable:
            return {**about, "best_bid": None, "best_ask": None, "bid_count": 0, "ask_count": 0}
        bids, asks = state.data["bids"], state.data["asks"]
        return {
            **about,
            "age": state.age,
            "best_bid": bids[0][0] if bids else None,
            "best_ask": asks[0][0] if asks else None,
            "bid_count": len(bids),
            "ask_count": len(asks),
        }

    async def restart(self, connector: str) -> dict[str, Any]:
        """Start the books of a connector over; `NotFound` for one that there is not."""
        books = await self._books_of(connector)
        if not books and connector not in await self._feeds.ask(CATALOGUE, ListConnectors(), FEED_TIMEOUT):
            raise NotFound(f"Connector '{connector}' not found")
        for book in books:
            await self._feeds.ask(REGISTRY, ReopenFeed(key=book.key), 2 * FEED_TIMEOUT)
        return {
            "success": True,
            "message": f"Order book tracker restarted for {connector}",
            "trading_pairs": [book.key.trading_pair for book in books],
        }

    async def _books_of(self, connector: str) -> list[FeedInfo]:
        feeds = await self._feeds.ask(REGISTRY, ListFeeds(), FEED_TIMEOUT)
        return [feed for feed in feeds if feed.key.kind == "order_book" and feed.key.connector == connector]


def _told(message: AddTradingPair | RemoveTradingPair, text: str, *, success: bool) -> dict[str, Any]:
    return {
        "success": success,
        "connector_name": message.connector_name,
        "trading_pair": message.trading_pair,
        "message": text.format(pair=message.trading_pair),
    }
