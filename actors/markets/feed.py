"""A market-data feed: the last snapshot of one pair, and everything that changes it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import orjson
from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.events import KernelEvent, topic_of
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
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from aviary.actors.core.address import Address

LOOK_PERIOD = 1.0
"""Seconds between two looks at the data's age."""

OPEN_TIMEOUT = 20.0
"""Seconds that the host may take to open a feed."""

CLOSE_TIMEOUT = 2.0
"""Seconds that the host may take to close one."""

CATCH_UP_LIMIT = 5.0
"""Seconds that candles have to complete their history after a start; then what is there has to do."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds of silence: after `stale` the data are said to be old, after `dead` the feed starts anew."""

    stale: float
    dead: float


PATIENCE: Mapping[FeedKind, Patience] = MappingProxyType(
    {
        # The host starts a silent stream over by itself, after 15 seconds and then ever more patiently: a feed
        # gives it three tries, since a pair can just be quiet.
        "order_book": Patience(10.0, 120.0),
        "ticker": Patience(10.0, 120.0),
        # These two live off the book's stream too; their age is the stream's, not the last trade's.
        "trades": Patience(10.0, 120.0),
        "funding": Patience(10.0, 120.0),
        # Many exchanges send a candle only when somebody trades.
        "candles": Patience(60.0, 300.0),
    }
)
"""How long each kind of feed puts up with silence."""


class FeedNotOpened(Exception):
    """The host could not open the feed; another try may help."""


class FeedFailed(Exception):
    """The feed broke inside the host, which has closed it."""


class FeedSilent(Exception):
    """The exchange has said nothing for too long; a new subscription may help."""


class HostLost(Exception):
    """The engine host that the feed came from is gone."""


class _OfOneLife(Message[None]):
    # What an earlier life was sent and did not read tells nothing about this one.
    life: int


class DataArrived(_OfOneLife):
    """Event: the host sent something, as JSON. Only the newest of a snapshot counts."""

    payload: bytes
    whole: bool

    def conflation_key(self) -> str | None:
        """Snapshots replace each other; trades are all wanted."""
        return "data" if self.whole else None


class StatusArrived(_OfOneLife):
    """Event: the host tells when the exchange was last heard."""

    payload: bytes

    def conflation_key(self) -> str:
        """Only the newest counts."""
        return "status"


class HostEnded(_OfOneLife):
    """Event: the engine host has ended."""

    reason: str


class LookedAtAge(Message[None]):
    """Event, of the feed to itself: it is time to look at the data's age."""


class AwaitOpening(Message[None]):
    """Query: answered once the host has opened the feed, refused if it can't be opened."""


class Feed(AsyncActor):
    """Keeps one feed of the engine host and publishes it under its own address.

    It ends when its supervisor stops it, or when the host says that there is no such thing. A feed that is
    `resumed` takes the place of one that had subscribers: they are told of the gap.
    """

    dispatcher: ClassVar[str | None] = "feeds"

    def __init__(
        self, key: FeedKey, host: Address, *, patience: Patience | None = None, resumed: bool = False
    ) -> None:
        super().__init__()
        self._key = key
        self._host = host
        self._patience = patience or PATIENCE[key.kind]
        self._resumed = resumed
        self._undo: list[Callable[[], None]] = []
        self._host_gone = False
        self._keeps_alarm = False

    async def prepare(self) -> None:
        """Listen to the host, and ask it in the background to open the feed."""
        self._system = self.system
        self._sequence = 0
        self._data: dict[str, Any] | None = None
        self._payload = b""
        self._refused = False
        self._arrived = asyncio.Event()
        self._whole = asyncio.Event()
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._heard_at: float | None = None
        self._began_at = self.clock.monotonic()
        self._resumes = self._resumed or self.incarnation > 1
        self._stale = any(alarm.name == self._key.alarm for alarm in self.system.alarms.standing())
        self._trouble: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
        self._listen()
        self.spawn(self._await_trouble(), "trouble")
        self.spawn(self._open(), "open")
        self.every(LOOK_PERIOD, LookedAtAge())

    def _listen(self) -> None:
        bus, tell, own, life, host = self.system.bus, self.system.tell, self.address, self.incarnation, self._host
        whole = self._key.kind != "trades"

        def data(_topic: str, event: Any) -> None:
            tell(own, DataArrived(life=life, payload=event, whole=whole))

        def status(_topic: str, event: Any) -> None:
            tell(own, StatusArrived(life=life, payload=event))

        def kernel(_topic: str, event: object) -> None:
            if isinstance(event, KernelEvent) and event.kind in {"crash", "hung", "stop"}:
                tell(own, HostEnded(life=life, reason=event.reason))

        self._undo = [
            bus.subscribe(f"{host}/feed/{self._key.path}", data),
            bus.subscribe(f"{host}/feed_status/{self._key.path}", status),
            bus.subscribe(topic_of(host), kernel),
        ]

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        if isinstance(message, _OfOneLife) and message.life != self.incarnation:
            return None
        match message:
            case DataArrived():
                return self._take(message.payload)
            case StatusArrived():
                return self._take_status(message.payload)
            case GetFeed():
                return self.defer(self._last(message))
            case GetFeedHistory():
                return self.defer(self._history(message))
            case AwaitOpening():
                return self.defer(self._await_opening())
            case LookedAtAge():
                return self._look()
            case HostEnded():
                self._host_gone = True
                return self._fail(HostLost(f"the engine host ended: {message.reason}"))
            case _:
                return super().receive(message)

    async def release(self) -> None:
        """Stop listening, and let the host close the feed: the next life subscribes anew, once."""
        for undo in self._undo:
            undo()
        if not self._keeps_alarm:
            self._system.alarms.clear(self._key.alarm)
        if self._host_gone:
            return
        call = CallHost(method="close_feed", arguments={"topic": self._topic}, timeout=CLOSE_TIMEOUT)
        with contextlib.suppress(Refusal, ActorCrashed):
            await self._system.ask(self._host, call, timeout=CLOSE_TIMEOUT)

    async def _await_trouble(self) -> None:
        raise await self._trouble

    def _fail(self, error: Exception) -> None:
        # Not raised in the handler: it is not the message that is to blame, and none is set aside as poison
        # because hosts keep dying.
        if not self._trouble.done():
            self._trouble.set_result(error)

    # Opening

    async def _open(self) -> None:
        arguments: dict[str, Any] = {
            "kind": self._key.kind,
            "connector_name": self._key.connector,
            "trading_pair": self._key.trading_pair,
            "interval": self._key.interval,
        }
        call = CallHost(method="open_feed", arguments=arguments, timeout=OPEN_TIMEOUT)
        try:
            await self.ask(self._host, call, timeout=OPEN_TIMEOUT + 1)
        except (Invalid, NotFound) as refusal:
            # Trying again would not help: whoever opened the feed is told, and the feed ends.
            self._opened.set_exception(refusal)
            self._opened.exception()
            self._refused = True
            return
        except ActorCrashed as crash:
            self._host_gone = True
            raise HostLost("the engine host ended while it opened the feed") from crash
        except Refusal as refusal:
            self._note_silence(f"{self._key.name} can't be opened: {refusal.detail}")
            self._keeps_alarm = True
            raise FeedNotOpened(refusal.detail) from refusal
        self._opened.set_result(None)
        if self._resumes and self._key.kind == "trades":
            self._resumes = False
            self._publish("gap")

    async def _await_opening(self) -> None:
        await asyncio.shield(self._opened)

    # What the host says

    def _take(self, payload: bytes) -> None:
        self._data = data = orjson.loads(payload)
        self._payload = payload
        self._hear(max(0.0, self.clock.now() - (data.get("timestamp") or self.clock.now())))
        self._arrived.set()
        if self._key.kind != "candles" or data.get("complete"):
            self._whole.set()
        if self._resumes:
            if not self._whole.is_set() and self._catch_up_time() > 0:
                # Who is told of the gap asks for the candles in it: they must be there by then.
                return
            self._resumes = False
            self._publish("gap")
        self._publish("update", payload)

    def _catch_up_time(self) -> float:
        return self._began_at + CATCH_UP_LIMIT - self.clock.monotonic()

    def _take_status(self, payload: bytes) -> None:
        status = orjson.loads(payload)
        if status.get("state") == "failed":
            self._fail(FeedFailed(f"the feed failed in the engine host: {status.get('detail')}"))
            return
        age = status.get("age")
        if age is not None and self._hear(age) and self._payload and self._key.kind != "trades":
            # Who waited for it gets what has stood still, and is right again.
            self._publish("update", self._payload)

    # Age

    def _hear(self, age: float) -> bool:
        """The exchange was heard `age` seconds ago; whether stale data are fresh by that."""
        at = self.clock.monotonic() - age
        self._heard_at = at if self._heard_at is None else max(self._heard_at, at)
        known = self._data is not None or self._key.kind == "trades"
        if not self._stale or not known or self._silence() > self._patience.stale:
            return False
        self._stale = False
        self.recover()
        self._system.alarms.clear(self._key.alarm)
        self._publish("fresh")
        return True

    def _look(self) -> None:
        if self._refused:
            self.finish()
            return
        silence = self._silence()
        if silence > self._patience.dead:
            self._keeps_alarm = True
            text = f"{self._key.connector} said nothing of {self._key.trading_pair} for {silence:.0f} s"
            self._fail(FeedSilent(text))
            return
        if silence > self._patience.stale:
            self._note_silence(f"{self._key.name}: nothing heard for {silence:.0f} s")
        age = None if self._heard_at is None else round(silence, 3)
        self.tell(REGISTRY, FeedHeard(key=self._key, age=age, stale=self._stale))

    def _note_silence(self, text: str) -> None:
        self.degrade(text)
        if not self._stale:
            self._stale = True
            self._system.alarms.raise_(self._key.alarm, text)
            self._publish("stale")

    def _silence(self) -> float:
        since = self._began_at if self._heard_at is None else self._heard_at
        return max(0.0, self.clock.monotonic() - since)

    # Questions

    async def _last(self, query: GetFeed) -> FeedState:
        await self._await_data(query.wait)
        if query.fresh and self._stale:
            raise Stale(f"{self._key.name} was last heard {self._silence():.1f} s ago", retry_after=5.0)
        return FeedState(key=self._key, data=self._data or {}, age=round(self._silence(), 3), stale=self._stale)

    async def _history(self, query: GetFeedHistory) -> dict[str, Any]:
        if self._key.kind == "trades":
            await self._await_opening()
        else:
            await self._await_data(query.wait)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(query.wait, max(0.0, self._catch_up_time()))):
                    await self._whole.wait()
        arguments: dict[str, Any] = {"topic": self._topic}
        if query.depth is not None:
            arguments["depth"] = query.depth
        call = CallHost(method="feed_snapshot", arguments=arguments)
        try:
            answer: dict[str, Any] | None = await self.ask(self._host, call, timeout=call.timeout + 1)
        except ActorCrashed as crash:
            raise Unavailable(f"the engine host ended while it was asked for {self._key.name}") from crash
        if answer is None:
            raise Unavailable(f"no data of {self._key.name} yet", retry_after=1.0)
        return {**answer, "age": round(self._silence(), 3), "stale": self._stale}

    async def _await_data(self, limit: float) -> None:
        if self._data is not None:
            return
        try:
            async with asyncio.timeout(limit):
                await self._await_opening()
                await self._arrived.wait()
        except TimeoutError:
            raise Unavailable(f"no data of {self._key.name} yet", retry_after=2.0) from None

    # Telling

    def _publish(self, what: Literal["update", "gap", "stale", "fresh"], payload: bytes = b"") -> None:
        self._sequence += 1
        event = FeedEvent(
            what=what,
            key=self._key,
            sequence=self._sequence,
            at=self.clock.now(),
            payload=payload,
            age=self._silence(),
        )
        self.publish(self.address, event)

    @property
    def _topic(self) -> str:
        return f"feed/{self._key.path}"
