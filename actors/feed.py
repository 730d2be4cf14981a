"""A market-data feed: the last snapshot of one pair, and everything that changes it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import orjson
from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.events import TOPIC, KernelEvent
from aviary.actors.core.message import Message
from aviary.actors.core.refusal import ActorCrashed, Invalid, NotFound, Refusal, Stale, Unavailable
from aviary.actors.messages.engine import CallHost
from aviary.actors.messages.feeds import (
    REGISTRY,
    FeedEvent,
    FeedHeard,
    FeedKey,
    FeedKind,
    FeedState,
    GetFeed,
    GetFeedHistory,
    KeepFeed,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from aviary.actors.core.address import Address

IDLE_AFTER = 60.0
"""Seconds without anybody who needs it after which a feed stops."""

LOOK_PERIOD = 1.0
"""Seconds between two looks at the data's age."""

OPEN_TIMEOUT = 20.0
"""Seconds that the host may take to open a feed."""

CLOSE_TIMEOUT = 2.0
"""Seconds that the host may take to close one."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds of silence: after `stale` the data are said to be old, after `dead` the feed starts anew."""

    stale: float
    dead: float


PATIENCE: Mapping[FeedKind, Patience] = MappingProxyType(
    {
        "order_book": Patience(10.0, 30.0),
        "ticker": Patience(10.0, 30.0),
        # An exchange is silent about these for as long as nobody trades.
        "trades": Patience(120.0, 600.0),
        "candles": Patience(120.0, 300.0),
        "funding": Patience(120.0, 600.0),
    }
)


class FeedSilent(Exception):
    """The exchange has said nothing for too long; a new subscription may help."""


class HostLost(Exception):
    """The engine host that the feed came from is gone."""


class DataArrived(Message[None]):
    """Event: the host sent something, as JSON. Only the newest of a snapshot counts."""

    payload: bytes
    whole: bool

    def conflation_key(self) -> str | None:
        """Snapshots replace each other; trades are all wanted."""
        return "data" if self.whole else None


class StatusArrived(Message[None]):
    """Event: the host tells when the exchange was last heard."""

    payload: bytes

    def conflation_key(self) -> str:
        """Only the newest counts."""
        return "status"


class HostEnded(Message[None]):
    """Event: the engine host has ended."""

    reason: str


class LookedAtAge(Message[None]):
    """Event, of the feed to itself: it is time to look at the data's age and at who needs them."""


class AwaitOpening(Message[None]):
    """Query: answered once the host has opened the feed, refused if it can't be opened."""


class Feed(AsyncActor):
    """Keeps one feed of the engine host and publishes it under its own address."""

    dispatcher: ClassVar[str | None] = "feeds"

    def __init__(
        self,
        key: FeedKey,
        host: Address,
        *,
        patience: Patience | None = None,
        idle_after: float = IDLE_AFTER,
    ) -> None:
        super().__init__()
        self._key = key
        self._host = host
        self._patience = patience or PATIENCE[key.kind]
        self._idle_after = idle_after
        self._undo: list[Callable[[], None]] = []

    async def prepare(self) -> None:
        """Listen to the host, and ask it in the background to open the feed."""
        self._system = self.system
        self._topic = "/".join(
            part
            for part in (self._key.kind, self._key.connector, self._key.trading_pair, self._key.interval)
            if part is not None
        )
        self._payload = b""
        self._arrived = asyncio.Event()
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._heard_at = self._needed_at = self.clock.monotonic()
        self._stale = False
        self._gap_due = self.incarnation > 1
        whole = self._key.kind != "trades"
        bus, own = self.system.bus, self.address
        tell = self.system.tell
        self._undo = [
            bus.subscribe(
                f"{self._host}/feed/{self._topic}",
                lambda _t, event: tell(own, DataArrived(payload=event, whole=whole)),
            ),
            bus.subscribe(
                f"{self._host}/feed_status/{self._topic}",
                lambda _t, event: tell(own, StatusArrived(payload=event)),
            ),
            bus.subscribe(TOPIC, self._watch_host(own)),
        ]
        self.spawn(self._open(), "open")
        self.schedule(LOOK_PERIOD, LookedAtAge())

    def _watch_host(self, own: Address) -> Callable[[str, object], None]:
        system, host = self.system, self._host

        def watch(_topic: str, event: object) -> None:
            if isinstance(event, KernelEvent) and event.address == host and event.kind in {"crash", "hung", "stop"}:
                system.tell(own, HostEnded(reason=event.reason))

        return watch

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case DataArrived():
                return self._take(message.payload)
            case StatusArrived():
                return self._take_status(message.payload)
            case KeepFeed():
                self._needed_at = self.clock.monotonic()
                return None
            case GetFeed():
                self._needed_at = self.clock.monotonic()
                return self.defer(self._answer(message))
            case GetFeedHistory():
                self._needed_at = self.clock.monotonic()
                return self.defer(self._history())
            case AwaitOpening():
                return self.defer(self._await_opening())
            case LookedAtAge():
                return self._look()
            case HostEnded():
                raise HostLost(message.reason)
            case _:
                return super().receive(message)

    async def release(self) -> None:
        """Stop listening, and let the host close the feed: the next life subscribes anew, once."""
        for undo in self._undo:
            undo()
        self._system.alarms.clear(self._alarm)
        call = CallHost(method="close_feed", arguments={"topic": f"feed/{self._topic}"}, timeout=CLOSE_TIMEOUT)
        with contextlib.suppress(Refusal, ActorCrashed):
            await self._system.ask(self._host, call, timeout=CLOSE_TIMEOUT)

    async def _open(self) -> None:
        arguments: dict[str, Any] = {
            "kind": self._key.kind,
            "connector_name": self._key.connector,
            "trading_pair": self._key.trading_pair,
            "interval": self._key.interval,
        }
        try:
            call = CallHost(method="open_feed", arguments=arguments, timeout=OPEN_TIMEOUT)
            await self.ask(self._host, call, timeout=OPEN_TIMEOUT + 1)
        except (Invalid, NotFound) as refusal:
            # Trying again would not help: whoever opened the feed is told, and the feed ends.
            self._opened.set_exception(refusal)
            self._opened.exception()
            self._needed_at = float("-inf")
            return
        self._opened.set_result(None)

    async def _await_opening(self) -> None:
        await asyncio.shield(self._opened)

    def _take(self, payload: bytes) -> None:
        if self._gap_due:
            self._gap_due = False
            self._publish("gap")
        self._payload = payload
        self._hear(self.clock.monotonic())
        self._arrived.set()
        self._publish("update", payload)

    def _take_status(self, payload: bytes) -> None:
        heard_at = orjson.loads(payload).get("heard_at")
        if heard_at is not None:
            self._hear(self.clock.monotonic() - max(0.0, self.clock.now() - heard_at))

    def _hear(self, at: float) -> None:
        self._heard_at = max(self._heard_at, at)
        if self._stale and self._age() <= self._patience.stale:
            self._stale = False
            self.recover()
            self._system.alarms.clear(self._alarm)
            self._publish("fresh")

    def _look(self) -> None:
        age = self._age()
        if age > self._patience.dead:
            raise FeedSilent(f"{self._key.connector} said nothing about {self._key.trading_pair} for {age:.0f} s")
        if age > self._patience.stale and not self._stale:
            self._stale = True
            text = f"{self._key.name}: nothing heard for {age:.1f} s"
            self.degrade(text)
            self._system.alarms.raise_(self._alarm, text)
            self._publish("stale")
        self.tell(REGISTRY, FeedHeard(key=self._key, age=age, stale=self._stale))
        if self.clock.monotonic() - self._needed_at > self._idle_after:
            self.finish()
            return
        self.schedule(LOOK_PERIOD, LookedAtAge())

    async def _answer(self, query: GetFeed) -> FeedState:
        if not self._payload:
            try:
                async with asyncio.timeout(query.wait):
                    await self._await_opening()
                    await self._arrived.wait()
            except TimeoutError:
                raise Unavailable(f"no data of {self._key.name} yet", retry_after=2.0) from None
        if query.fresh and self._stale:
            raise Stale(f"{self._key.name} was last heard {self._age():.1f} s ago", retry_after=5.0)
        return FeedState(
            key=self._key, data=orjson.loads(self._payload), age=round(self._age(), 3), stale=self._stale
        )

    async def _history(self) -> dict[str, Any]:
        await self._await_opening()
        call = CallHost(method="feed_snapshot", arguments={"topic": f"feed/{self._topic}"}, timeout=OPEN_TIMEOUT)
        answer: dict[str, Any] = await self.ask(self._host, call, timeout=OPEN_TIMEOUT + 1)
        return answer

    def _publish(self, what: str, payload: bytes = b"") -> None:
        event = FeedEvent(what=what, key=self._key, at=self.clock.now(), payload=payload, age=self._age())
        self.publish(self.address, event)

    def _age(self) -> float:
        return max(0.0, self.clock.monotonic() - self._heard_at)

    @property
    def _alarm(self) -> str:
        return f"stale/{self._key.name}"
