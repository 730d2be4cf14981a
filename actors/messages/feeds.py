"""What may be asked of a feed, and what it publishes."""

from functools import cached_property
from typing import Any, Literal

import orjson
from aviary.actors.core.message import Message, Value
from pydantic import Field

type FeedKind = Literal["order_book", "trades", "candles", "ticker", "funding"]

FEEDS = "feeds"
"""The supervisor of all feeds."""

REGISTRY = "feed-registry"
"""The actor that starts feeds."""

NAME = r"^[A-Za-z0-9_.-]{1,60}$"
"""What a connector or a pair may be called."""


class FeedKey(Value):
    """Which feed. `interval` is for candles only."""

    kind: FeedKind
    connector: str = Field(pattern=NAME)
    trading_pair: str = Field(pattern=NAME)
    interval: str | None = Field(default=None, pattern=r"^[0-9]{1,2}[smhdwM]$")

    @property
    def name(self) -> str:
        """The feed's own segment of its address."""
        parts = (self.kind, self.connector, self.trading_pair, self.interval)
        return ":".join(part for part in parts if part is not None)

    @property
    def address(self) -> str:
        """Where the feed is, and the bus topic that it publishes on."""
        return f"{FEEDS}/{self.name}"


class FeedEvent(Value):
    """What a feed publishes.

    An `update` carries the host's JSON as it came; a `gap` tells that something may have been missed and
    that a fresh snapshot follows; `stale` and `fresh` tell when the exchange went quiet and spoke again.
    """

    what: Literal["update", "gap", "stale", "fresh"]
    key: FeedKey
    at: float
    """Unix seconds of this event."""
    payload: bytes = b""
    age: float = 0.0
    """Seconds since the exchange last said anything."""

    @cached_property
    def data(self) -> dict[str, Any]:
        """The payload, decoded once for all who need it."""
        decoded: dict[str, Any] = orjson.loads(self.payload) if self.payload else {}
        return decoded

    @cached_property
    def encoded(self) -> dict[int, bytes]:
        """JSON that was made of the payload, by depth: what many subscribers get alike is encoded once."""
        return {}


class FeedState(Value):
    """A feed's last snapshot. `age` is in seconds; `stale` if it is over the kind's limit."""

    key: FeedKey
    data: dict[str, Any]
    age: float
    stale: bool


class OpenFeed(Message[str]):
    """Command, to the registry: keep a feed running for a while; answers its address.

    Starts it on first use. `NotFound` or `Invalid` if there is no such connector, pair or interval.
    Repeat it while the feed is needed: without it the feed stops after idling.
    """

    key: FeedKey


class KeepFeed(Message[None]):
    """Command, to a feed: somebody still needs it."""

    def conflation_key(self) -> str:
        """One is as good as many."""
        return "keep"


class GetFeed(Message[FeedState]):
    """Query, to a feed: the last snapshot, waited for up to `wait` seconds if there is none yet.

    Refused as `Stale` if it is too old and `fresh` is asked for.
    """

    wait: float = 10.0
    fresh: bool = False


class GetFeedHistory(Message[dict[str, Any]]):
    """Query, to a feed: everything that its host remembers, such as all candles or the recent trades."""


class FeedInfo(Value):
    """A feed that runs."""

    key: FeedKey
    address: str
    age: float | None
    stale: bool
    opened_at: float


class ListFeeds(Message[tuple[FeedInfo, ...]]):
    """Query, to the registry: every feed that runs."""


class CloseFeed(Message[bool]):
    """Command, to the registry: stop a feed now; whether it ran."""

    key: FeedKey


class FeedHeard(Message[None]):
    """Event, from a feed to the registry: how old its data are."""

    key: FeedKey
    age: float
    stale: bool

    def conflation_key(self) -> str:
        """Only the newest counts."""
        return self.key.name
