"""What the accounts held and were worth in the past, and how they have done. Values are in the quote of the time."""

from decimal import Decimal
from typing import Literal, TypedDict

from aviary.actors.core.message import Message, Value
from aviary.actors.messages.trading import MAX_PAGE, Moment, Names
from pydantic import Field

READ_LIMIT = 25.0
"""Seconds a question about the past may take."""

SNAPSHOT_LIMIT = 150.0
"""Seconds a snapshot may take: every connector is asked, then the market."""

type HistoryInterval = Literal["5m", "15m", "30m", "1h", "4h", "12h", "1d"]


class PastHolding(TypedDict):
    """A token on a connector at a moment; `price` and `value` are null if nobody had a price for it.

    `stale` tells whether units or price were older than the moment. A plain mapping: pages have tens of thousands.
    """

    token: str
    units: float
    price: float | None
    value: float | None
    available_units: float
    stale: bool


class PastState(Value):
    """What was held at a moment (ISO 8601), by account and connector, priced in `quote_token`."""

    timestamp: str
    state: dict[str, dict[str, tuple[PastHolding, ...]]]
    quote_token: str


class HistoryFilters(Value):
    """What a page was asked for."""

    account_names: tuple[str, ...] | None
    connector_names: tuple[str, ...] | None
    start_time: float | None
    end_time: float | None
    interval: HistoryInterval


class HistoryPagination(Value):
    """Where a page stands. A cursor belongs to the question that it was given for."""

    limit: int
    has_more: bool
    next_cursor: str | None
    current_cursor: str | None
    filters: HistoryFilters


class PortfolioHistory(Value):
    """What was held, newest first."""

    data: tuple[PastState, ...]
    pagination: HistoryPagination


class GetPortfolioHistory(Message[PortfolioHistory]):
    """What was held, newest first: every snapshot (`5m`), or the last one of each longer interval.

    `Invalid` for a cursor that was not given for this question.
    """

    handler_limit = READ_LIMIT

    limit: int = Field(default=100, ge=1, le=MAX_PAGE)
    start_time: Moment | None = None
    end_time: Moment | None = None
    cursor: str | None = Field(default=None, max_length=400)
    account_names: Names | None = None
    connector_names: Names | None = None
    interval: HistoryInterval = "5m"


class Result(Value):
    """How something has done between two moments (ISO 8601).

    `profit` leaves out what came in and went out (`net_flow`). `untold_flow` is how much of that may be
    trading instead; with `flows_told` false, deposits and withdrawals may be in the profit. Returns,
    drawdowns and volatility are shares (0.01 is one per cent), null where there is not enough to tell.
    """

    start_time: str
    end_time: str
    start_value: Decimal
    end_value: Decimal
    net_flow: Decimal
    untold_flow: Decimal
    flows_told: bool
    profit: Decimal
    total_return: float | None
    time_weighted_return: float | None
    max_drawdown: float | None
    current_drawdown: float | None
    volatility: float | None
    sharpe: float | None
    samples: int
    fees: dict[str, float]
    fees_value: float | None


class AccountResult(Value):
    """How an account has done, and each of its connectors."""

    total: Result
    connectors: dict[str, Result]


class Unpriced(Value):
    """A token that is held and has no price: it counts in no value."""

    account_name: str
    connector_name: str
    token: str
    units: Decimal


class PortfolioPerformance(Value):
    """How the accounts have done together and one by one; `total` is null if there is nothing to tell from.

    `notes` say in words what the numbers leave out.
    """

    quote_token: str
    interval: HistoryInterval
    total: Result | None
    accounts: dict[str, AccountResult]
    unpriced: tuple[Unpriced, ...]
    notes: tuple[str, ...]


class GetPortfolioPerformance(Message[PortfolioPerformance]):
    """How the accounts have done between two moments, by default over all that is kept.

    `interval` is the distance of the values that returns are measured between; by default it fits the time.
    """

    handler_limit = READ_LIMIT

    start_time: Moment | None = None
    end_time: Moment | None = None
    account_names: Names | None = None
    connector_names: Names | None = None
    interval: HistoryInterval | None = None


class TakeSnapshot(Message[None]):
    """The keeper's message to itself: look whether a snapshot is due."""

    handler_limit = SNAPSHOT_LIMIT


class ThinOut(Message[None]):
    """The keeper's message to itself: thin out what has grown old."""

    handler_limit = READ_LIMIT
