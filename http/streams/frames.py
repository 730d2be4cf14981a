"""The frames of a feed's subscription: the released server's, and the documented ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from aviary.http.json import dumps
from aviary.http.streams.connection import framed

if TYPE_CHECKING:
    from aviary.actors.messages.feeds import FeedEvent, FeedKey
    from aviary.config.clock import Clock
    from aviary.http.streams.subscription import Subscription


class FeedFrames:
    """Takes a feed's events and makes frames of what waits; one object a subscription.

    The data that several subscribers get alike are encoded once, and kept on the event.
    """

    def __init__(
        self, key: FeedKey, name: str, depth: int, records: int, clock: Clock, *, documented: bool
    ) -> None:
        self.last_at: float | None = None
        """Unix seconds of the snapshot or the last event that was taken."""
        self._key = key
        self._name = name
        self._depth = depth
        self._records = records
        self._clock = clock
        self._documented = documented
        self._candles: dict[float, dict[str, Any]] = {}
        self._newest_sent: float | None = None
        self._last_data: bytes | None = None

    # In

    def take(self, subscription: Subscription, event: FeedEvent) -> None:
        """An event came."""
        if event.what == "update":
            self._take_update(subscription, event)
            self.last_at = event.at
        elif event.what != "gap" or self._has_begun(subscription):
            self.notice(subscription, event.what, event.at, event.age)
        subscription.poke()

    def _has_begun(self, subscription: Subscription) -> bool:
        # Who subscribes while the feed comes back misses nothing: the first frame will be whole. Trades have
        # no snapshot, they count from the subscription on.
        return self.last_at is not None if self._key.kind == "trades" else subscription.sequence > 0

    def _take_update(self, subscription: Subscription, event: FeedEvent) -> None:
        if self._key.kind == "trades":
            for trade in event.data.get("trades", ()):
                subscription.keep(trade)
            return
        if self._key.kind == "candles":
            self._remember(event.data.get("candles", ()))
        subscription.conflated += subscription.waiting is not None
        subscription.waiting = event

    def notice(self, subscription: Subscription, what: str, at: float, age: float) -> None:
        """Tell of a gap, of data that got stale, or that are fresh again."""
        frame = {"type": what, "subscription_id": self._name, "age": round(age, 3), "timestamp": at}
        if what == "gap":
            frame |= {"from": self.last_at, "to": at}
            self._last_data = None
        frame["sequence"] = subscription.next_sequence()
        subscription.notices.append(framed(dumps(frame)))

    def _remember(self, candles: Any) -> None:
        for candle in candles:
            self._candles[candle["timestamp"]] = candle
        if len(self._candles) > self._records:
            for timestamp in sorted(self._candles)[: -self._records]:
                del self._candles[timestamp]

    # Out

    def first(self, subscription: Subscription, data: dict[str, Any]) -> bytes | None:
        """The snapshot that begins a subscription, or follows a gap; `None` if there is nothing to show."""
        self.last_at = self._clock.now()
        if self._key.kind == "trades":
            return None
        # What waits was published before the snapshot was given.
        subscription.waiting = None
        match self._key.kind:
            case "candles":
                self._remember(data.get("candles", ()))
                return self._all_candles(subscription)
            case kind:
                self._last_data = dumps(self._shaped(data))
                return self._frame(subscription, kind, orjson.Fragment(self._last_data))

    def make(self, subscription: Subscription) -> bytes | None:
        """A frame of what waits."""
        if self._key.kind == "trades":
            items = [trade_of(item) for item in subscription.items]
            subscription.items.clear()
            return self._frame(subscription, "trades", items) if items else None
        event, subscription.waiting = subscription.waiting, None
        if event is None:
            return None
        if self._key.kind == "candles":
            return self._candle_frame(subscription)
        data = self._encoded(event)
        if data == self._last_data:
            return None
        self._last_data = data
        return self._frame(subscription, self._key.kind, orjson.Fragment(data))

    def _encoded(self, event: FeedEvent) -> bytes:
        known = event.encoded.get(self._depth)
        if known is None:
            known = event.encoded[self._depth] = dumps(self._shaped(event.data))
        return known

    def _candle_frame(self, subscription: Subscription) -> bytes | None:
        newest = max(self._candles, default=None)
        if newest is None:
            return None
        if self._newest_sent is None or newest > self._newest_sent:
            return self._all_candles(subscription)
        return self._frame(subscription, "candle_update", self._candles[newest])

    def _all_candles(self, subscription: Subscription) -> bytes | None:
        if not self._candles:
            return None
        times = sorted(self._candles)
        self._newest_sent = times[-1]
        return self._frame(subscription, "candles", [self._candles[at] for at in times])

    def _shaped(self, data: dict[str, Any]) -> dict[str, Any]:
        if self._key.kind == "order_book":
            return {"bids": data.get("bids", [])[: self._depth], "asks": data.get("asks", [])[: self._depth]}
        return {name: value for name, value in data.items() if name != "timestamp"}

    def _frame(self, subscription: Subscription, kind: str, data: object) -> bytes:
        frame = {
            "type": kind,
            "subscription_id": self._name,
            "data": data,
            "timestamp": self._clock.now(),
            "sequence": subscription.next_sequence(),
        }
        if self._documented:
            frame |= {
                "connector": self._key.connector,
                "trading_pair": self._key.trading_pair,
                "conflated": subscription.conflated,
            }
        return framed(dumps(frame))


def trade_of(item: dict[str, Any]) -> dict[str, Any]:
    """A trade in the released server's form."""
    return {
        "timestamp": item["timestamp"],
        "price": item["price"],
        "amount": item["amount"],
        "side": str(item["side"]).lower(),
    }
