"""Starts feeds on first use, shares them, and knows which ones run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol, get_args

from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.refusal import Invalid, NotFound, Unavailable
from aviary.actors.feed import AwaitOpening
from aviary.actors.messages.engine import CallHost
from aviary.actors.messages.feeds import (
    FEEDS,
    CloseFeed,
    FeedHeard,
    FeedInfo,
    FeedKey,
    FeedKind,
    KeepFeed,
    ListFeeds,
    OpenFeed,
)
from pydantic import ValidationError

if TYPE_CHECKING:
    from aviary.actors.core.address import Address

MAX_FEEDS = 500
"""Feeds that may run at the same time."""

PAIRS_KEPT = 600.0
"""Seconds for which an exchange's list of pairs is believed."""

OPEN_TIMEOUT = 18.0
"""Seconds that a new feed may take to open."""

INTERVALS = frozenset(
    {"1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M"}
)
"""Candle lengths that hummingbot knows."""


class FeedFamily(Protocol):
    """Asks the feeds' supervisor."""

    async def start(self, key: FeedKey) -> None:
        """Start a feed; nothing happens if it runs."""
        ...

    async def stop(self, key: FeedKey) -> bool:
        """Stop a feed; whether it ran."""
        ...


class FeedRegistry(AsyncActor):
    """The door to all feeds."""

    def __init__(self, family: FeedFamily, host: Address, *, max_feeds: int = MAX_FEEDS) -> None:
        super().__init__()
        self._family = family
        self._host = host
        self._max_feeds = max_feeds

    async def prepare(self) -> None:
        """Take up the feeds that run already."""
        self._pairs: dict[str, tuple[float, frozenset[str]]] = {}
        self._opening: dict[str, asyncio.Future[None]] = {}
        self._feeds: dict[str, FeedInfo] = {}
        for cell in self.system.tree():
            if cell.address.startswith(f"{FEEDS}/"):
                key = key_of(cell.address.removeprefix(f"{FEEDS}/"))
                if key is not None:
                    self._note(key)

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case OpenFeed():
                return self._open(message.key)
            case FeedHeard():
                info = self._feeds.get(message.key.name)
                if info is not None:
                    update = {"age": round(message.age, 3), "stale": message.stale}
                    self._feeds[message.key.name] = info.model_copy(update=update)
                return None
            case ListFeeds():
                self._forget_ended()
                return tuple(self._feeds.values())
            case CloseFeed():
                return self._close(message.key)
            case _:
                return super().receive(message)

    def _open(self, key: FeedKey) -> Any:
        if self._runs(key):
            self.tell(key.address, KeepFeed())
            if key.name not in self._opening:
                return key.address
        return self.defer(self._open_new(key))

    async def _open_new(self, key: FeedKey) -> str:
        opening = self._opening.get(key.name)
        if opening is None:
            opening = self._opening[key.name] = asyncio.ensure_future(self._start(key))
            opening.add_done_callback(lambda _done: self._opening.pop(key.name, None))
        await asyncio.shield(opening)
        return key.address

    async def _start(self, key: FeedKey) -> None:
        if key.kind == "candles" and key.interval not in INTERVALS:
            raise Invalid(f"Interval '{key.interval}' is not one of {sorted(INTERVALS)}", "interval")
        if key.kind != "candles" and key.interval is not None:
            raise Invalid(f"A feed of kind {key.kind} has no interval", "interval")
        await self._check_pair(key)
        self._forget_ended()
        if len(self._feeds) >= self._max_feeds:
            raise Unavailable(f"{self._max_feeds} feeds run already", retry_after=30.0)
        await self._family.start(key)
        self._note(key)
        await self.ask(key.address, AwaitOpening(), timeout=OPEN_TIMEOUT)

    async def _check_pair(self, key: FeedKey) -> None:
        now = self.clock.monotonic()
        known = self._pairs.get(key.connector)
        if known is None or now - known[0] > PAIRS_KEPT or key.trading_pair not in known[1]:
            call = CallHost(method="all_trading_pairs", arguments={"connector_name": key.connector})
            pairs = await self.ask(self._host, call, timeout=call.timeout + 1)
            known = self._pairs[key.connector] = (now, frozenset(pairs))
        if key.trading_pair not in known[1]:
            raise NotFound(f"Trading pair '{key.trading_pair}' appears to be invalid on '{key.connector}'")

    async def _close(self, key: FeedKey) -> bool:
        self._feeds.pop(key.name, None)
        return await self._family.stop(key)

    def _note(self, key: FeedKey) -> None:
        self._feeds.setdefault(
            key.name,
            FeedInfo(key=key, address=key.address, age=None, stale=False, opened_at=self.clock.now()),
        )

    def _runs(self, key: FeedKey) -> bool:
        cell = self.system.cell(key.address)
        return cell is not None and cell.state not in {"stopped", "parked"}

    def _forget_ended(self) -> None:
        for name in [name for name, info in self._feeds.items() if not self._runs(info.key)]:
            del self._feeds[name]


def key_of(name: str) -> FeedKey | None:
    """The key that a feed's name was made of."""
    kind, *rest = name.split(":")
    if kind not in get_args(FeedKind.__value__) or len(rest) not in {2, 3}:
        return None
    connector, pair, *interval = rest
    try:
        return FeedKey(
            kind=kind,
            connector=connector,
            trading_pair=pair,
            interval=interval[0] if interval else None,
        )
    except ValidationError:
        return None
