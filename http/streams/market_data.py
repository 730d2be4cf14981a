"""Market data over websockets: `/ws/market-data`, the released clients', and `/market-data/stream`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aviary.actors.core.refusal import ActorCrashed, Refusal
from aviary.actors.messages.feeds import FeedKey, GetFeed, GetFeedHistory
from aviary.http.streams.connection import Connection, Subscription
from aviary.http.streams.frames import FeedFrames
from aviary.http.streams.session import BadRequest, Session, number_of, text_of
from pydantic import ValidationError

if TYPE_CHECKING:
    from aviary.actors.core.system import System
    from aviary.http.streams.hub import FeedHub

RELEASED_KINDS = ("candles", "order_book", "trades")
"""What the released server streams."""

KINDS = (*RELEASED_KINDS, "ticker", "funding")
"""What this one streams."""

FIRST_TIMEOUT = 10.0
"""Seconds that the first snapshot of a feed may take."""


class MarketDataSession(Session):
    """Subscriptions to feeds."""

    def __init__(
        self, connection: Connection, system: System, hub: FeedHub, session_id: str, *, documented: bool
    ) -> None:
        super().__init__(connection, system.clock, session_id)
        self._system = system
        self._hub = hub
        self._documented = documented
        self._feeds: dict[Subscription, tuple[FeedKey, str, FeedFrames]] = {}

    async def subscribe(self, request: dict[str, Any]) -> Subscription:
        """Open the feed and answer; nothing is pushed before that answer."""
        key = self._key(request)
        depth = int(number_of(request, "depth", 10, 1, 1000))
        records = int(number_of(request, "max_records", 100, 1, 5000))
        interval = number_of(request, "update_interval", 1.0, 0.25, 60.0)
        address = await self._hub.open(key)
        name = "_".join(
            part for part in (key.kind, key.connector, key.trading_pair, key.interval) if part is not None
        )
        frames = FeedFrames(key, name, depth, records, self._system.clock, documented=self._documented)
        subscription = Subscription(self.connection, name, interval, frames.make)
        self.add(subscription)
        self._feeds[subscription] = (key, address, frames)
        answer: dict[str, Any] = {"type": "subscribed", "subscription_id": name}
        if self._documented:
            answer |= {"kind": key.kind, "connector": key.connector, "trading_pair": key.trading_pair}
            answer |= {"update_interval": interval}
        self.connection.say(answer)
        return subscription

    async def begin(self, subscription: Subscription) -> None:
        """Send the snapshot, then whatever the feed says."""
        key, address, frames = self._feeds[subscription]
        self._hub.listen(key, subscription, frames.take)
        try:
            if key.kind == "candles":
                data = await self._system.ask(address, GetFeedHistory(), timeout=FIRST_TIMEOUT)
            elif key.kind == "trades":
                return
            else:
                data = (await self._system.ask(address, GetFeed(), timeout=FIRST_TIMEOUT + 1)).data
        except (Refusal, ActorCrashed):
            # The feed is coming up or recovering: its first event will be the first frame.
            return
        frame = frames.first(subscription, data)
        if frame is not None and subscription.open:
            self.connection.write(frame)

    def drop(self, subscription: Subscription) -> None:
        """End a subscription and let go of its feed."""
        super().drop(subscription)
        self._hub.leave(subscription)
        self._feeds.pop(subscription, None)

    def _key(self, request: dict[str, Any]) -> FeedKey:
        kind = request.get("type")
        if kind not in KINDS:
            raise BadRequest(f"Invalid subscription type: {kind}")
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
