"""What the accounts held and were worth in the past, and how they have done. Values are in the quote of the time."""

from decimal import Decimal
from typing import Annotated, Literal, TypedDict

from aviary.actors.core.message import Message, Value
from aviary.actors.messages.names import Moment
from aviary.actors.messages.trading import MAX_PAGE, Names
from pydantic import Field

READ_LIMIT = 25.0
"""Seconds a question about the past may take."""

SNAPSHOT_LIMIT = 150.0
"""Seconds a snapshot may take: every connector is asked, then the market."""

type HistoryInterval = Annotated[
    Literal["5m", "15m", "30m", "1h", "4h", "12h", "1d"],
    Field(description="A distance in time: minutes, hours or a day", examples=["1h"]),
]


class PastHolding(TypedDict):
    """A token on a connector at a moment. A plain mapping: pages have tens of thousands."""

    token: Annotated[str, Field(description="The token's name")]
    units: Annotated[float, Field(description="How many the account held")]
    price: Annotated[float | None, Field(description="What one was worth, in the quote; null if nobody had a price")]
    value: Annotated[float | None, Field(description="What all of them were worth; null if nobody had a price")]
    available_units: Annotated[float, Field(description="How many no order held")]
    stale: Annotated[
        bool, Field(description="Whether units or price were older than the moment: the exchange was out of reach")
    ]


class PastState(Value):
    """What was held at a moment."""

    timestamp: str
    """The moment, ISO 8601."""
    state: dict[str, dict[str, tuple[PastHolding, ...]]]
    """Holdings by account and connector."""
    quote_token: str
    """What prices and values are in."""


class HistoryFilters(Value):
    """What a page was asked for."""

    account_names: tuple[str, ...] | None
    """The accounts; null for all."""
    connector_names: tuple[str, ...] | None
    """The connectors; null for all."""
    start_time: float | None
    """From when on, in Unix seconds; null for the beginning."""
    end_time: float | None
    """Until when, in Unix seconds; null for now."""
    interval: HistoryInterval
    """The distance of the states."""


class HistoryPagination(Value):
    """Where a page stands."""

    limit: int
    """How many a page may hold."""
    has_more: bool
    """Whether there is another page."""
    next_cursor: str | None
    """The `cursor` of the next page; null if there is none. It belongs to the question that it was given for."""
    current_cursor: str | None
    """The cursor that this page was asked for with."""
    filters: HistoryFilters
    """What was asked for."""


class PortfolioHistory(Value):
    """What was held."""

    data: tuple[PastState, ...]
    """The states, newest first."""
    pagination: HistoryPagination
    """Where the page stands."""


class GetPortfolioHistory(Message[PortfolioHistory]):
    """What was held, newest first: every snapshot, or the last one of each longer interval.

    `Invalid` for a cursor that was not given for this question.
    """

    handler_limit = READ_LIMIT

    limit: int = Field(default=100, ge=1, le=MAX_PAGE)
    """How many states a page may hold, 1 to 1000; 100 by default."""
    start_time: Moment | None = None
    """Only what is not older; by default from the beginning."""
    end_time: Moment | None = None
    """Only what is not newer; by default until now."""
    cursor: str | None = Field(default=None, max_length=400)
    """The `next_cursor` of the page before; the first page by default."""
    account_names: Names | None = None
    """Only of these accounts; several are separated by commas in a query. All by default."""
    connector_names: Names | None = None
    """Only of these connectors; several are separated by commas in a query. All by default."""
    interval: HistoryInterval = "5m"
    """The last state of each such stretch; every snapshot for `5m`, the default."""


class Result(Value):
    """How something has done between two moments.

    Returns, drawdowns and volatility are shares (0.01 is one per cent), null where there is not enough to tell.
    """

    start_time: str
    """When it begins, ISO 8601."""
    end_time: str
    """When it ends, ISO 8601."""
    start_value: Decimal
    """What was held at the beginning, in the quote."""
    end_value: Decimal
    """What was held at the end, in the quote."""
    net_flow: Decimal
    """What came in less what went out, in the quote: deposits and withdrawals, keys that were added or removed."""
    untold_flow: Decimal
    """How much of the flow may be trading instead, in the quote."""
    flows_told: bool
    """Whether deposits and withdrawals could be told from trading. If not they may be in the profit, or it in them."""
    profit: Decimal
    """What was made or lost, in the quote, without the flow."""
    total_return: float | None
    """The profit over the capital that was there on average."""
    time_weighted_return: float | None
    """What one unit of money has become, whenever it came in."""
    max_drawdown: float | None
    """The largest fall below an earlier height."""
    current_drawdown: float | None
    """The fall below the greatest height, at the end."""
    volatility: float | None
    """Standard deviation of the returns, for a year."""
    sharpe: float | None
    """Mean of the returns over their standard deviation, for a year, without a risk-free rate."""
    samples: int
    """How many values returns were measured between."""
    fees: dict[str, float]
    """Fees of orders placed here, by token."""
    fees_value: float | None
    """What the fees are worth now, in the quote; null if one of the tokens has no price."""


class AccountResult(Value):
    """How an account has done."""

    total: Result
    """The whole account."""
    connectors: dict[str, Result]
    """Each of its connectors."""


class Unpriced(Value):
    """A token that is held and has no price: it counts in no value."""

    account_name: str
    """Whose it is."""
    connector_name: str
    """Where it lies."""
    token: str
    """The token's name."""
    units: Decimal
    """How many are held."""


class PortfolioPerformance(Value):
    """How the accounts have done."""

    quote_token: str
    """What values are in."""
    interval: HistoryInterval
    """The distance of the values that returns are measured between."""
    total: Result | None
    """All together; null if there is nothing to tell from."""
    accounts: dict[str, AccountResult]
    """Each account."""
    unpriced: tuple[Unpriced, ...]
    """What is held and has no price."""
    notes: tuple[str, ...]
    """What the numbers leave out, in words."""


class GetPortfolioPerformance(Message[PortfolioPerformance]):
    """How the accounts have done between two moments, together and one by one."""

    handler_limit = READ_LIMIT

    start_time: Moment | None = None
    """When to begin; by default with the first snapshot."""
    end_time: Moment | None = None
    """When to end; by default with the last snapshot."""
    account_names: Names | None = None
    """Only of these accounts; several are separated by commas in a query. All by default."""
    connector_names: Names | None = None
    """Only of these connectors; several are separated by commas in a query. All by default."""
    interval: HistoryInterval | None = None
    """The distance of the values that returns are measured between; by default one that fits the time."""


class TakeSnapshot(Message[None]):
    """The keeper's message to itself: look whether a snapshot is due."""

    handler_limit = SNAPSHOT_LIMIT


class ThinOut(Message[None]):
    """The keeper's message to itself: thin out what has grown old."""

    handler_limit = READ_LIMIT
