"""The frames of a feed's subscription: the released server's, and the documented ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from aviary.http.json import dumps
from aviary.http.streams.connection import framed

if TYPE_CHECKING:
    from aviary.actors.messages.feeds import FeedEvent, FeedKey
    from aviary.config.clock import Clock
    from aviary.http.streams.connection import Subscription


class FeedFrames:
    """Takes a feed's events and makes frames of what waits; one object a subscription.

    The data that several subscribers get alike are encoded once, and kept on the event.
    """

    def __init__(self, key: FeedKey, name: str, depth: int, records: int, clock: Clock, *, documented: bool) -> None:
        self._key = key
        self._name = name
        self._depth = depth
        self._records = records
        self._clock = clock
        self._documented = documented
        self._last_candle: float | None = None
        self._last_at: float | None = None
        self._last_data: bytes | None = None

    # In

    def take(self, subscription: Subscription, event: FeedEvent) -> None:
        """An event came."""
        if event.what == "update":
            if self._key.kind == "trades":
                subscription.items.extend(event.data.get("trades", ()))
            else:
                subscription.conflated += subscription.waiting is not None
                subscription.waiting = event
            self._last_at = event.at
        else:
            notice = {
                "type": event.what,
                "subscription_id": self._name,
                "sequence": subscription.next_sequence(),
                "age": round(event.age, 3),
                "timestamp": event.at,
            }
            if event.what == "gap":
                notice |= {"from": self._last_at, "to": event.at}
                self._last_candle = None
                self._last_data = None
            subscription.notices.append(framed(dumps(notice)))
        subscription.poke()

    # Out

    def first(self, subscription: Subscription, data: dict[str, Any]) -> bytes | None:
        """The snapshot that begins a subscription; `None` if there is nothing to show."""
        match self._key.kind:
            case "candles":
                candles = data.get("candles", [])[-self._records :]
                if not candles:
                    return None
                self._last_candle = candles[-1]["timestamp"]
                return self._frame(subscription, "candles", candles)
            case "trades":
                return None
            case kind:
                return self._frame(subscription, kind, self._shaped(data))

    def make(self, subscription: Subscription) -> bytes | None:
        """A frame of what waits."""
        if self._key.kind == "trades":
            items = list(subscription.items)
            subscription.items.clear()
            return self._frame(subscription, "trades", [trade_of(item) for item in items]) if items else None
        event, subscription.waiting = subscription.waiting, None
        if event is None:
            return None
        if self._key.kind == "candles":
            return self._candles(subscription, event)
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

    def _candles(self, subscription: Subscription, event: FeedEvent) -> bytes | None:
        candles = event.data.get("candles", [])
        if not candles:
            return None
        newest = candles[-1]
        began = self._last_candle is not None and newest["timestamp"] > self._last_candle
        self._last_candle = newest["timestamp"]
        if began:
            return self._frame(subscription, "candles", candles)
        return self._frame(subscription, "candle_update", newest)

    def _shaped(self, data: dict[str, Any]) -> dict[str, Any]:
        if self._key.kind == "order_book":
            return {"bids": data.get("bids", [])[: self._depth], "asks": data.get("asks", [])[: self._depth]}
        return {name: value for name, value in data.items() if name != "timestamp"}

    def _frame(self, subscription: Subscription, kind: str, data: object) -> bytes:
        frame = {
            "type": kind,
            "subscription_id": self._name,
            "data": data,
            "sequence": subscription.next_sequence(),
            "timestamp": self._clock.now(),
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
