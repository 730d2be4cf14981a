"""What is answered about executors and the positions that they left."""

from typing import Any

from aviary.actors.core.message import Value


class ExecutorRow(Value):
    """An executor, running or ended. Numbers are in quote units if nothing else is said."""

    id: str
    """Its id."""
    timestamp: float | None
    """The moment that its configuration names, Unix seconds; its time limit counts from there."""
    type: str
    """Its type."""
    status: str
    """`NOT_STARTED`, `RUNNING`, `SHUTTING_DOWN` or `TERMINATED`."""
    config: dict[str, Any]
    """Its configuration with all defaults; enum values by name."""
    net_pnl_quote: float
    """Profit or loss, fees taken off."""
    net_pnl_pct: float
    """The same as a fraction of what was traded."""
    cum_fees_quote: float
    """Fees paid."""
    filled_amount_quote: float
    """Volume traded."""
    is_active: bool
    """Whether it has not ended."""
    is_trading: bool
    """Whether it holds something."""
    custom_info: dict[str, Any]
    """What its type tells besides."""
    close_timestamp: float | None
    """When it ended, Unix seconds."""
    close_type: str | None
    """Why it ended: `TAKE_PROFIT`, `STOP_LOSS`, `EARLY_STOP`, `POSITION_HOLD` and others."""
    controller_id: str
    """Whom it belongs to."""
    executor_id: str
    """The same as `id`."""
    executor_type: str
    """The same as `type`."""
    account_name: str
    """Whose keys it trades with."""
    created_at: str
    """When it was begun, ISO 8601 in UTC."""
    connector_name: str
    """Where it trades; of two markets, where its maker is or where it buys."""
    trading_pair: str
    """What it trades there."""
    side: str | None
    """`BUY`, `SELL` or `RANGE`; null for arbitrage."""
    error_count: int
    """Errors that it logged."""
    last_error: str | None
    """The last of them."""
    after_crash: str
    """`resume` or `flatten`."""
    interrupted: str | None
    """Why one that has not ended does not run now; null if it runs."""


class Pages(Value):
    """Where a page of executors stands."""

    limit: int
    """Executors a page has at most."""
    has_more: bool
    """Whether another page follows."""
    next_cursor: str | None
    """What to ask for the next page with."""
    total_count: int
    """How many fit the filters; no more than 10 000 are counted."""


class ExecutorRows(Value):
    """A page of executors, newest first."""

    data: tuple[ExecutorRow, ...]
    """The executors."""
    pagination: Pages
    """Where the page stands."""


class RunningSums(Value):
    """What runs now, added up."""

    total_active: int
    """Executors that have not ended."""
    total_pnl_quote: float
    """Their profit or loss."""
    total_volume_quote: float
    """What they have traded."""
    by_type: dict[str, int]
    """How many of each type."""
    by_connector: dict[str, int]
    """How many on each connector."""
    by_status: dict[str, int]
    """How many in each status."""


class TypeResults(Value):
    """Results of one type of executors."""

    executor_type: str
    """The type."""
    total: int
    """Executors of it."""
    completed: int
    """Those that ended."""
    running: int
    """Those that did not."""
    pnl_quote: float
    """Their profit or loss."""
    volume_quote: float
    """What they traded."""
    fees_quote: float
    """Fees that they paid."""


class Performance(Value):
    """Results of executors, in quote units; those with a position held count by their position."""

    controller_id: str | None
    """Whose they are; null for all."""
    total_executors: int
    """How many there are, running or ended."""
    by_status: dict[str, int]
    """How many in each status."""
    pnl_total_quote: float
    """Profit of those that ended, and of what was bought and sold again of positions held."""
    unrealized_pnl_quote: float | None
    """Profit of those that run, and of positions held at market; null if a price is not known."""
    global_pnl_quote: float | None
    """Both together."""
    pnl_pct_avg: float
    """Mean profit of those that ended, as a fraction."""
    fees_total_quote: float
    """Fees that all paid."""
    volume_total_quote: float
    """What all traded."""
    win_rate: float
    """The fraction of those that ended with a profit."""
    sharpe_ratio: float | None
    """Mean over standard deviation of the profits of those that ended; null for fewer than two."""
    by_type: tuple[TypeResults, ...]
    """The same by type."""
    active_positions: int
    """Positions held."""
    position_hold_fees_quote: float
    """Fees that were paid for them."""


class HeldPosition(Value):
    """What executors left to be held of one pair. Amounts in base units if nothing else is said."""

    trading_pair: str
    """The pair."""
    connector_name: str
    """The connector."""
    account_name: str
    """The account."""
    controller_id: str
    """Whom it belongs to."""
    buy_amount_base: float
    """What was bought."""
    buy_amount_quote: float
    """What was paid for it, in quote units."""
    sell_amount_base: float
    """What was sold."""
    sell_amount_quote: float
    """What was got for it, in quote units."""
    net_amount_base: float
    """Bought less sold."""
    buy_breakeven_price: float | None
    """Mean price of what was bought."""
    sell_breakeven_price: float | None
    """Mean price of what was sold."""
    matched_amount_base: float
    """What was both bought and sold."""
    unmatched_amount_base: float
    """What was not."""
    position_side: str | None
    """`LONG`, `SHORT`, or null if nothing is left."""
    realized_pnl_quote: float
    """Profit of what was both bought and sold, in quote units, before fees."""
    cum_fees_quote: float
    """Fees paid, in quote units."""
    unrealized_pnl_quote: float | None
    """Profit of the rest at market, in quote units; null if the price is not known."""
    executor_count: int
    """How many executors left it."""
    executor_ids: tuple[str, ...]
    """Which."""
    last_updated: str | None
    """When it last changed, ISO 8601 in UTC."""
    current_price: float | None
    """The price that it is valued at."""


class HeldPositions(Value):
    """All positions held."""

    total_positions: int
    """How many."""
    total_realized_pnl: float
    """Sum of their realised profit."""
    total_unrealized_pnl: float | None
    """Sum of their unrealised profit; null if one of them is not known."""
    positions: tuple[HeldPosition, ...]
    """The positions."""


class Cleared(Value):
    """That a position is held no longer."""

    message: str
    """The same in words."""
    connector_name: str
    """The connector."""
    trading_pair: str
    """The pair."""


class ExecutorKind(Value):
    """A type of executors."""

    type: str
    """What it is called."""
    description: str
    """What it does."""
    use_case: str
    """What for."""


class ExecutorKinds(Value):
    """The types of executors."""

    executor_types: tuple[ExecutorKind, ...]
    """All of them."""


class ExecutorField(Value):
    """A field of a configuration."""

    name: str
    """What it is called."""
    required: bool
    """Whether it has to be given."""
    type: str
    """The name of its type."""
    description: str
    """What it is."""
    default: Any = None
    """What it is if it is not given."""


class ExecutorSchema(Value):
    """The fields of a type's configuration, as a list and as a JSON schema."""

    executor_type: str
    """The type."""
    config_class: str
    """Hummingbot's class of it."""
    description: str
    """What it does."""
    fields: tuple[ExecutorField, ...]
    """Its fields."""
    nested_types: dict[str, dict[str, Any]]
    """The types that they name: enums with `values` and `names`, others with `fields`."""
    properties: dict[str, dict[str, Any]]
    """JSON schema: its fields by name."""
    required: tuple[str, ...]
    """JSON schema: names of those that have to be given."""
