"""What may be asked of a feed, and what it publishes."""

from functools import cached_property
from typing import Any, Literal

import orjson
from aviary.actors.core.message import Message, Value
from aviary.actors.messages.names import ConnectorName, TradingPair
from pydantic import Field

type FeedKind = Literal["order_book", "trades", "candles", "ticker", "funding"]

FEEDS = "feeds"
"""The supervisor of all feeds."""

REGISTRY = "feed-registry"
"""The actor that starts feeds."""


class FeedKey(Value):
    """Which feed. `interval` is for candles only."""

    kind: FeedKind
    connector: ConnectorName
    trading_pair: TradingPair
    interval: str | None = Field(default=None, pattern=r"^[0-9]{1,2}[smhdwM]$")

    @property
    def name(self) -> str:
        """The feed's own segment of its address."""
        parts = (self.kind, self.connector, self.trading_pair, self.interval)
        return ":".join(part for part in parts if part is not None)

    @property
    def path(self) -> str:
        """What follows `feed/` in the engine host's topics."""
        parts = (self.kind, self.connector, self.trading_pair, self.interval)
        return "/".join(part for part in parts if part is not None)

    @property
    def alarm(self) -> str:
        """The alarm that stands while its data are stale."""
        return f"stale/{self.name}"

    @property
    def address(self) -> str:
        """Where the feed is, and the bus topic that it publishes on."""
        return f"{FEEDS}/{self.name}"


class FeedEvent(Value):
    """What a feed publishes.

    An `update` carries the host's JSON as it came: the whole book, ticker or funding, the newest candles,
    or new trades. A `gap` tells that something may have been missed; the update after it shows the present,
    and `GetFeedHistory` what candles came between. `stale` and `fresh` tell when the exchange went quiet
    and spoke again.
    """

    what: Literal["update", "gap", "stale", "fresh"]
    key: FeedKey
    at: float
    """Unix seconds of this event."""
    sequence: int = 0
    """Counts the events of one life of the feed."""
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
    """What a feed has to show. `age` is in seconds since the exchange was heard; `stale` if over its limit."""

    key: FeedKey
    data: dict[str, Any]
    age: float
    stale: bool


class OpenFeed(Message[str]):
    """Command, to the registry: keep a feed running for a while; answers its address.

    Starts it on first use. `NotFound` or `Invalid` if there is no such connector, pair or interval.
    Repeat it while the feed is needed: without it the feed stops after idling, unless it is to be held.
    """

    key: FeedKey
    hold: bool = False
    """Whether it runs until `CloseFeed`, needed or not."""


class CloseFeed(Message[bool]):
    """Command, to the registry: let go of a feed; whether it ran. Whoever still needs it keeps it."""

    key: FeedKey


class ReopenFeed(Message[bool]):
    """Command, to the registry: start a feed over; whether it ran. Subscribers are told of the gap."""

    key: FeedKey


class GetFeed(Message[FeedState]):
    """Query, to a feed: the last snapshot, waited for up to `wait` seconds if there is none yet.

    Refused as `Stale` if it is too old and `fresh` is asked for.
    """

    wait: float = 10.0
    fresh: bool = False


class GetFeedHistory(Message[dict[str, Any]]):
    """Query, to a feed: all that its host remembers: every candle, the recent trades, `depth` levels of a book.

    It is the payload of an event with `age`, in seconds since the exchange was heard, and `stale` added.
    Waited for like `GetFeed`, but for trades: there may be none. New candles get some seconds of `wait` to
    be all there; `complete` tells whether they are.
    """

    depth: int | None = None
    wait: float = 10.0


class FeedInfo(Value):
    """A feed that runs. Times are Unix seconds, `age` and `expires_in` seconds."""

    key: FeedKey
    address: str
    age: float | None
    """Since the exchange was last heard; `None` before the first time."""
    stale: bool
    opened_at: float
    needed_at: float
    """When somebody last asked for it."""
    expires_in: float | None
    """Until it stops, if nobody asks again; `None` if it is held."""


class ListFeeds(Message[tuple[FeedInfo, ...]]):
    """Query, to the registry: every feed that runs."""


class FeedHeard(Message[None]):
    """Event, from a feed to the registry: how old its data are."""

    key: FeedKey
    age: float | None
    stale: bool

    def conflation_key(self) -> str:
        """Only the newest counts."""
        return self.key.name
