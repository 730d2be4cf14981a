"""What is answered about feeds and books."""

from aviary.actors.core.message import Value


class ActiveFeed(Value):
    """A feed that runs."""

    feed_type: str
    """What it brings: `order_book`, `trades`, `candles`, `ticker` or `funding`."""
    last_access_time: float
    """When it was last needed, Unix seconds."""
    seconds_since_access: float
    """Seconds since then."""
    will_expire_in: float | None
    """Seconds until it stops, if nobody needs it again; null if it is held."""
    config: str
    """What it was opened with, in words."""
    connector: str
    """The connector's name."""
    trading_pair: str
    """The pair, such as `BTC-USDT`."""
    interval: str | None
    """The length of its candles; null for other feeds."""
    address: str
    """Where its actor is."""
    opened_at: float
    """When it was opened, Unix seconds."""
    age: float | None
    """Seconds since the exchange was last heard; null before the first time."""
    stale: bool
    """Whether that is too long ago to trade on."""


type ActiveFeeds = dict[str, ActiveFeed]
"""By the feed's name."""


class PairAnswer(Value):
    """What became of a pair's book."""

    success: bool
    """Whether anything was done."""
    connector_name: str
    """The connector's name."""
    trading_pair: str
    """The pair, such as `BTC-USDT`."""
    message: str
    """What was done, in words."""


class BookTask(Value):
    """The actor that follows a book."""

    exists: bool
    """Whether there is one."""
    done: bool
    """Whether it has ended."""
    cancelled: bool
    """Always false; clients of the released server look for it."""
    exception: str | None
    """Why its last life ended; null if none did by a failure."""
    state: str | None
    """How it is; null if there is none."""
    restarts: int
    """How often it was restarted."""


class BookState(Value):
    """A book that is followed."""

    age: float | None
    """Seconds since the exchange was last heard; null before the first time."""
    stale: bool
    """Whether that is too long ago to trade on."""
    opened_at: float
    """Since when it is followed, Unix seconds."""
    best_bid: float | None
    """The highest price that is wanted at, in quote units."""
    best_ask: float | None
    """The lowest price that is offered at, in quote units."""
    bid_count: int
    """Levels that are known of those who buy."""
    ask_count: int
    """Levels that are known of those who sell."""


class BookDiagnostics(Value):
    """The books of a connector."""

    connector_name: str
    """The connector's name."""
    has_order_book_tracker: bool
    """Whether any book is followed."""
    tracker_ready: bool
    """Whether all of them are up to date."""
    tasks: dict[str, BookTask]
    """By address, the actors that follow them."""
    trading_pairs: tuple[str, ...]
    """The pairs whose book is followed."""
    order_books: dict[str, BookState]
    """By pair."""


class RestartedBooks(Value):
    """That the books of a connector were started over."""

    success: bool
    """That they were."""
    message: str
    """The same in words."""
    trading_pairs: tuple[str, ...]
    """Their pairs."""


class FundingPayment(Value):
    """The last funding payment of a pair."""

    account_name: str
    """The account's name."""
    connector_name: str
    """The connector's name."""
    trading_pair: str
    """The pair, such as `BTC-USDT`."""
    timestamp: str
    """When it was paid, ISO 8601 in UTC."""
    funding_rate: float
    """The rate, as a share of the position's value."""
    funding_payment: float
    """What the account got, in quote units; negative for what it paid."""
