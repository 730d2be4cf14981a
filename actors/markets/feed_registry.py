"""Starts feeds on first use, shares them, ends those that nobody needs, and knows which ones run."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, get_args

from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.message import Message
from aviary.actors.core.refusal import ActorCrashed, Invalid, NotFound, Refusal, Unavailable
from aviary.actors.keeping.until_done import UntilDone
from aviary.actors.markets.feed import AwaitOpening
from aviary.actors.messages.engine import CallHost
from aviary.actors.messages.feeds import (
    FEEDS,
    CloseFeed,
    FeedHeard,
    FeedInfo,
    FeedKey,
    FeedKind,
    ListFeeds,
    OpenFeed,
    ReopenFeed,
)
from pydantic import ValidationError

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from aviary.actors.core.address import Address

MAX_FEEDS = 500
"""Feeds that may run at the same time."""

IDLE_AFTER = 60.0
"""Seconds without anybody who asks for it after which a feed stops."""

LET_GO_AFTER = 20.0
"""Seconds after which a feed stops that was let go of, unless somebody else still asks for it."""

SWEEP_PERIOD = 5.0
"""Seconds between two looks for feeds that nobody needs."""

PAIRS_KEPT = 600.0
"""Seconds for which an exchange's list of pairs is believed."""

EXCHANGES_KEPT = 100
"""Exchanges whose lists of pairs are kept."""

OPEN_TIMEOUT = 18.0
"""Seconds that a new feed may take to open."""

START_TRIES = 3
"""How often a feed is started for one request, if it ends again meanwhile."""

INTERVALS = frozenset(
    {"1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M"}
)
"""Candle lengths that hummingbot knows; not every exchange has all of them."""


class FeedBranch(Protocol):
    """Asks the feeds' supervisor."""

    async def start(self, key: FeedKey, *, resumed: bool) -> None:
        """Start a feed, perhaps in place of one that had subscribers; nothing happens if it runs."""
        ...

    async def stop(self, key: FeedKey) -> bool:
        """Stop a feed; whether it ran."""
        ...


class SweepDue(Message[None]):
    """Event, of the registry to itself: it is time to end what nobody needs."""


@dataclass(slots=True)
class _Entry:
    key: FeedKey
    opened_at: float
    needed_at: float
    """Monotonic, unlike `opened_at`."""
    held: bool = False
    let_go: bool = False
    age: float | None = None
    stale: bool = False


class FeedRegistry(AsyncActor):
    """The door to all feeds."""

    def __init__(
        self,
        branch: FeedBranch,
        host: Address,
        *,
        max_feeds: int = MAX_FEEDS,
        idle_after: float = IDLE_AFTER,
    ) -> None:
        super().__init__()
        self._branch = branch
        self._host = host
        self._max_feeds = max_feeds
        self._idle_after = idle_after

    async def prepare(self) -> None:
        """Take up the feeds that run already."""
        self._pairs: dict[str, tuple[float, frozenset[str]]] = {}
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._entries: dict[str, _Entry] = {}
        for cell in self.system.tree():
            key = key_of(cell.address.removeprefix(f"{FEEDS}/")) if cell.address.startswith(f"{FEEDS}/") else None
            if key is not None:
                self._enter(key)
        self._unfinished = UntilDone(self)
        self.every(SWEEP_PERIOD, SweepDue())

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case OpenFeed():
                return self._open(message.key, hold=message.hold)
            case FeedHeard():
                return self._note_age(message)
            case ListFeeds():
                return self._list()
            case CloseFeed():
                return self._let_go(message.key)
            case ReopenFeed():
                return self.defer(self._reopen(message.key))
            case SweepDue():
                return self._sweep()
            case _:
                return super().receive(message)

    # Opening

    def _open(self, key: FeedKey, *, hold: bool) -> Any:
        entry = self._entries.get(key.name)
        if entry is not None:
            entry.needed_at = self.clock.monotonic()
            entry.held = entry.held or hold
            entry.let_go = False
            if not self._is_busy(key) and self._runs(key):
                return key.address
        return self.defer(self._open_new(key, hold=hold))

    async def _open_new(self, key: FeedKey, *, hold: bool) -> str:
        for _ in range(START_TRIES):
            if self._runs(key) and not self._is_busy(key):
                break
            # What is under way may be its end: then it is started in the next round.
            await self._one_at_a_time(key, lambda: self._start(key))
        entry = self._entries.get(key.name)
        if entry is None or not self._runs(key):
            raise Unavailable(f"{key.name} ended again at once", retry_after=2.0)
        entry.held = entry.held or hold
        return key.address

    async def _start(self, key: FeedKey) -> None:
        if self._runs(key):
            return
        if key.kind == "candles" and key.interval not in INTERVALS:
            raise Invalid(f"Interval '{key.interval}' is not one of {', '.join(sorted(INTERVALS))}", "interval")
        if key.kind != "candles" and key.interval is not None:
            raise Invalid(f"A feed of the kind {key.kind} has no interval", "interval")
        try:
            await self._check_pair(key)
        except (Invalid, NotFound):
            self._forget(key)
            raise
        resumed = key.name in self._entries
        if not resumed:
            self._make_room()
            self._enter(key)
        try:
            await self._branch.start(key, resumed=resumed)
            await self.ask(key.address, AwaitOpening(), timeout=OPEN_TIMEOUT)
        except (Invalid, NotFound):
            await self._branch.stop(key)
            self._forget(key)
            raise
        except ActorCrashed as crash:
            # It goes on trying, with growing delays, for as long as somebody asks for it.
            cell = self.system.cell(key.address)
            why = (cell.last_failure if cell is not None else None) or "it crashed"
            raise Unavailable(f"{key.name} could not be opened yet: {why}", retry_after=2.0) from crash

    async def _one_at_a_time(self, key: FeedKey, work: Any) -> None:
        task = self._busy.get(key.name)
        if task is None or task.done():
            task = self._busy[key.name] = asyncio.ensure_future(work())
            task.add_done_callback(lambda done: self._done(key, done))
        await asyncio.shield(task)

    def _done(self, key: FeedKey, task: asyncio.Task[None]) -> None:
        if self._busy.get(key.name) is task:
            del self._busy[key.name]
        if not task.cancelled():
            # Whoever waited was told; nobody may have.
            task.exception()

    def _is_busy(self, key: FeedKey) -> bool:
        task = self._busy.get(key.name)
        return task is not None and not task.done()

    async def _check_pair(self, key: FeedKey) -> None:
        now = self.clock.monotonic()
        known = self._pairs.get(key.connector)
        if known is None or now - known[0] > PAIRS_KEPT or key.trading_pair not in known[1]:
            call = CallHost(method="all_trading_pairs", arguments={"connector_name": key.connector})
            try:
                pairs = await self.ask(self._host, call, timeout=call.timeout + 1)
            except ActorCrashed as crash:
                raise Unavailable("the engine host ended meanwhile", retry_after=2.0) from crash
            known = self._pairs[key.connector] = (now, frozenset(pairs))
            if len(self._pairs) > EXCHANGES_KEPT:
                del self._pairs[min(self._pairs, key=lambda name: self._pairs[name][0])]
        if key.trading_pair not in known[1]:
            raise NotFound(f"Trading pair '{key.trading_pair}' appears to be invalid on '{key.connector}'")

    def _make_room(self) -> None:
        if len(self._entries) >= self._max_feeds:
            raise Unavailable(f"{self._max_feeds} feeds run already", retry_after=30.0)

    # Ending

    def _sweep(self) -> None:
        now = self.clock.monotonic()
        for entry in tuple(self._entries.values()):
            if self._is_busy(entry.key):
                continue
            if not entry.held and now - entry.needed_at > self._idle_after:
                self.spawn(self._attempt(self._one_at_a_time(entry.key, lambda e=entry: self._end(e))), "end")
            elif entry.held and not self._runs(entry.key):
                self._unfinished.begin(entry.key.name, partial(self._open_held, entry))

    async def _end(self, entry: _Entry) -> None:
        await self._branch.stop(entry.key)
        self._forget(entry.key)

    def _forget(self, key: FeedKey) -> None:
        # A feed that ends between two lives can't take its alarm back itself.
        self._entries.pop(key.name, None)
        self.system.alarms.clear(key.alarm)

    async def _open_held(self, entry: _Entry) -> None:
        if entry.held and self._entries.get(entry.key.name) is entry:
            await self._open_new(entry.key, hold=True)

    async def _attempt(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except (Refusal, ActorCrashed):
            # The next sweep tries again.
            return

    def _let_go(self, key: FeedKey) -> bool:
        entry = self._entries.get(key.name)
        if entry is None or entry.let_go:
            return False
        entry.held, entry.let_go = False, True
        entry.needed_at = min(entry.needed_at, self.clock.monotonic() - self._idle_after + LET_GO_AFTER)
        return True

    async def _reopen(self, key: FeedKey) -> bool:
        if key.name not in self._entries:
            return False

        async def stop() -> None:
            await self._branch.stop(key)

        if self._is_busy(key):
            await asyncio.wait((self._busy[key.name],))
        try:
            await self._one_at_a_time(key, stop)
        except ActorCrashed as crash:
            raise Unavailable(f"{key.name} can't be stopped now", retry_after=1.0) from crash
        await self._open_new(key, hold=False)
        return True

    # Knowing

    def _enter(self, key: FeedKey) -> None:
        entry = _Entry(key=key, opened_at=self.clock.now(), needed_at=self.clock.monotonic())
        self._entries.setdefault(key.name, entry)

    def _note_age(self, heard: FeedHeard) -> None:
        entry = self._entries.get(heard.key.name)
        if entry is not None:
            entry.age, entry.stale = heard.age, heard.stale

    def _list(self) -> tuple[FeedInfo, ...]:
        now, unix = self.clock.monotonic(), self.clock.now()
        return tuple(
            FeedInfo(
                key=entry.key,
                address=entry.key.address,
                age=entry.age,
                stale=entry.stale,
                opened_at=entry.opened_at,
                needed_at=unix - (now - entry.needed_at),
                expires_in=None if entry.held else max(0.0, entry.needed_at + self._idle_after - now),
            )
            for entry in self._entries.values()
            if not entry.let_go
        )

    def _runs(self, key: FeedKey) -> bool:
        cell = self.system.cell(key.address)
        return cell is not None and cell.state not in {"stopped", "parked"}


def key_of(name: str) -> FeedKey | None:
    """The key that a feed's name was made of."""
    kind, _, rest = name.partition(":")
    if kind not in get_args(FeedKind.__value__):
        return None
    # A pair may have colons in it, its neighbours have none.
    connector, _, pair = rest.partition(":")
    interval = None
    if kind == "candles":
        pair, _, interval = pair.rpartition(":")
    try:
        return FeedKey.model_validate(
            {
                "kind": kind,
                "connector": connector,
                "trading_pair": pair,
                "interval": interval,
            }
        )
    except ValidationError:
        return None
