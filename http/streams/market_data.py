"""Market data over websockets: `/ws/market-data`, the released clients', and `/market-data/stream`."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aviary.actors.core.refusal import ActorCrashed, Refusal
from aviary.actors.messages.feeds import FeedEvent, FeedKey, GetFeed, GetFeedHistory
from aviary.http.streams.connection import Connection
from aviary.http.streams.frames import FeedFrames
from aviary.http.streams.parted import Left, Parted
from aviary.http.streams.session import BadRequest, Session, count_of, seconds_of, shown, text_of
from aviary.http.streams.subscription import Subscription
from pydantic import ValidationError

if TYPE_CHECKING:
    from aviary.actors.core.system import System
    from aviary.http.streams.hub import FeedHub

KINDS = ("candles", "order_book", "trades", "ticker", "funding")
"""What can be subscribed to; the released server has the first three."""

FIRST_TIMEOUT = 10.0
"""Seconds that the first snapshot of a feed may take."""

SHORTEST = 0.25
"""Seconds between two updates at least, as in the released server."""

LONGEST = 60.0
"""Seconds that two updates may be apart at most."""


@dataclass(frozen=True, slots=True)
class Stream:
    """What a subscription shows."""

    key: FeedKey
    address: str
    frames: FeedFrames
    request: dict[str, Any]


class MarketDataSession(Session):
    """Subscriptions to feeds, in the released server's frames."""

    documented = False

    def __init__(self, connection: Connection, system: System, hub: FeedHub, session_id: str) -> None:
        super().__init__(connection, system.clock, session_id)
        self._system = system
        self._hub = hub
        self._streams: dict[Subscription, Stream] = {}

    async def subscribe(self, request: dict[str, Any]) -> tuple[Subscription, dict[str, Any]]:
        """Open the feed and answer; nothing is pushed before that answer."""
        key = _key_of(request)
        depth = count_of(request, "depth", 10, 1000)
        records = count_of(request, "max_records", 100, 5000)
        interval = seconds_of(
            request, "update_interval", 1.0, (SHORTEST, LONGEST), brought_within=not self.documented
        )
        address = await self._hub.open(key)
        name = "_".join(
            part for part in (key.kind, key.connector, key.trading_pair, key.interval) if part is not None
        )
        frames = FeedFrames(key, name, depth, records, self._system.clock, documented=self.documented)
        subscription = Subscription(self.connection, name, interval, frames.make)
        self.add(subscription)
        self._streams[subscription] = Stream(key, address, frames, request)
        self._hub.listen(key, subscription, self._take)
        return subscription, {"type": "subscribed", "subscription_id": name}

    async def begin(self, subscription: Subscription) -> None:
        """Send the snapshot, then whatever the feed says."""
        stream = self._streams[subscription]
        try:
            data = await self._snapshot(stream)
        except (Refusal, ActorCrashed):
            # The feed is coming up or recovering: its first event will be the first frame.
            subscription.begin_with(None)
            return
        subscription.begin_with(stream.frames.first(subscription, data))

    async def _snapshot(self, stream: Stream) -> dict[str, Any]:
        match stream.key.kind:
            case "trades":
                return {}
            case "candles":
                return await self._system.ask(stream.address, GetFeedHistory(), timeout=FIRST_TIMEOUT)
            case _:
                query = GetFeed(wait=FIRST_TIMEOUT)
                return (await self._system.ask(stream.address, query, timeout=FIRST_TIMEOUT + 1)).data

    def _take(self, subscription: Subscription, event: FeedEvent) -> None:
        stream = self._streams.get(subscription)
        if stream is None:
            return
        stream.frames.take(subscription, event)
        if event.what == "gap" and stream.key.kind == "candles" and not subscription.held:
            # An update of candles holds the newest two; what the gap hid is in the feed's history.
            subscription.held = True
            self.work(subscription, self.begin(subscription))

    def drop(self, subscription: Subscription) -> None:
        """End a subscription and let go of its feed."""
        super().drop(subscription)
        stream = self._streams.pop(subscription, None)
        if stream is not None:
            self._hub.leave(stream.key, subscription)


class StreamSession(MarketDataSession):
    """Subscriptions to feeds, in the documented frames; a lost connection can be resumed."""

    documented = True
    actions = ("subscribe", "unsubscribe", "ping", "resume")

    def __init__(
        self, connection: Connection, system: System, hub: FeedHub, session_id: str, parted: Parted
    ) -> None:
        super().__init__(connection, system, hub, session_id)
        self._parted = parted

    async def subscribe(self, request: dict[str, Any]) -> tuple[Subscription, dict[str, Any]]:
        """Open the feed and answer with what was understood."""
        subscription, answer = await super().subscribe(request)
        key = self._streams[subscription].key
        about = {
            "kind": key.kind,
            "connector": key.connector,
            "trading_pair": key.trading_pair,
            "interval": key.interval,
            "update_interval": subscription.interval,
            "sequence": subscription.sequence,
        }
        return subscription, answer | about

    async def resume(self, request: dict[str, Any]) -> tuple[Subscription, ...]:
        """Take up what an earlier connection was subscribed to, each with its numbering and a gap notice."""
        earlier = text_of(request, "connection_id")
        kept = self._parted.take(earlier)
        if kept is None:
            raise BadRequest(f"Nothing to resume: {shown(earlier)}")
        outcomes = await asyncio.gather(*(self._take_up(left) for left in kept))
        self.connection.say(
            {
                "type": "resumed",
                "connection_id": earlier,
                "subscriptions": [
                    {"subscription_id": one.name, "sequence": one.sequence}
                    for one in outcomes
                    if isinstance(one, Subscription)
                ],
                "failed": [one for one in outcomes if not isinstance(one, Subscription)],
            }
        )
        resumed = tuple(one for one in outcomes if isinstance(one, Subscription))
        for subscription in resumed:
            self._streams[subscription].frames.notice(subscription, "gap", self._system.clock.now(), 0.0)
        return resumed

    async def _take_up(self, left: Left) -> Subscription | dict[str, str]:
        try:
            subscription, _ = await self.subscribe(left.request)
        except (Refusal, ActorCrashed, BadRequest) as trouble:
            return {"subscription_id": left.name, "message": str(trouble)}
        subscription.sequence = left.sequence
        self._streams[subscription].frames.last_at = left.last_at
        return subscription

    def part(self) -> None:
        """Remember what the client was subscribed to, then let go of it."""
        left = tuple(
            Left(one.name, stream.request, one.sequence, stream.frames.last_at)
            for one, stream in self._streams.items()
        )
        if left:
            self._parted.keep(self.id, left)
        super().part()


def _key_of(request: dict[str, Any]) -> FeedKey:
    kind = request.get("type")
    if kind not in KINDS:
        raise BadRequest(f"Invalid subscription type: {shown(kind)}")
    interval = None
    if kind == "candles":
        interval = request.get("interval", "1m")
        if not isinstance(interval, str):
            raise BadRequest("interval should be a text such as 1m")
    try:
        return FeedKey(
            kind=kind,
            connector=text_of(request, "connector"),
            trading_pair=text_of(request, "trading_pair"),
            interval=interval,
        )
    except ValidationError as error:
        wrong = error.errors(include_input=False, include_url=False)[0]
        raise BadRequest(f"{wrong['loc'][0]}: {wrong['msg']}") from None
