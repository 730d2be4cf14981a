"""What may be asked of executors and of their registry, and what they say."""

from collections.abc import Hashable
from decimal import Decimal
from typing import Annotated, Any, Literal

from aviary.actors.core.message import Message, Value
from aviary.actors.core.refusal import Invalid
from aviary.actors.messages.accounts import AccountName
from aviary.actors.messages.names import ConnectorName, TradingPair
from aviary.actors.messages.trading import MAX_PAGE, PAGE, Names, Pagination
from pydantic import BeforeValidator, Field, StringConstraints

REGISTRY = "executor-registry"
"""The address of whoever answers for all executors."""

EXECUTORS = "executors"
"""The supervisor under which each executor has its actor, by its id."""

SLOW = 75.0
"""Seconds that beginning an executor may take: books, rules and leverage are asked for first."""

MAX_LINES = 1_000

MASTER = "master_account"

type Text = Annotated[str, StringConstraints(max_length=200)]
type ExecutorId = Annotated[
    str,
    StringConstraints(min_length=1, max_length=64),
    Field(description="The executor's id, as it was answered when it was begun", examples=["buy-1"]),
]
type ControllerId = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200),
    Field(description="Whom it belongs to: a name of your own, such as a strategy's", examples=["main"]),
]
type Level = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
    Field(description="Only lines of this level; any by default"),
    BeforeValidator(lambda text: text.upper() if isinstance(text, str) else text),
]


class ConfigRefused(Invalid):
    """A configuration makes no sense; `problems` says where and why, in the list form that clients read."""

    def __init__(self, problems: tuple[dict[str, Any], ...]) -> None:
        super().__init__(
            "; ".join(f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in problems),
            "executor_config",
        )
        self.problems = problems


# Of all executors


class CreateExecutor(Message["CreatedExecutor"]):
    """Begin an executor on an account.

    The configuration is checked by hummingbot's own classes and by the exchange's rules before anything is placed
    (`ConfigRefused`). After a crash it goes on where it was, or with `after_crash="flatten"` is closed instead.
    `Conflict` if its id is in use.
    """

    handler_limit = SLOW

    executor_config: dict[str, Any] = Field(
        examples=[
            {
                "id": "buy-1",
                "type": "order_executor",
                "connector_name": "sandbox",
                "trading_pair": "BTC-USDT",
                "side": "BUY",
                "amount": "0.001",
                "execution_strategy": "MARKET",
            }
        ]
    )
    """What it does; `/executors/types/{executor_type}/config` tells the fields of each `type`."""
    account_name: AccountName | None = None
    """Whose keys it trades with; `master_account` by default."""
    controller_id: ControllerId | None = None
    """Whom it belongs to; `main` by default."""
    after_crash: Literal["resume", "flatten"] = "resume"
    """Whether it goes on where it was after a crash, or is closed instead."""


class CreatedExecutor(Value):
    """An executor that was begun."""

    executor_id: str
    """Its id."""
    executor_type: str
    """Its type."""
    connector_name: str
    """Where it trades; of two markets, where its maker is or where it buys."""
    trading_pair: str
    """What it trades there."""
    controller_id: str
    """Whom it belongs to."""
    status: str
    """`RUNNING`; `TERMINATED` if it ended at once; `NOT_STARTED` if its host was not there yet."""
    created_at: str
    """When it was begun, ISO 8601 in UTC."""


class SearchExecutors(Message["ExecutorPage"]):
    """Executors, newest first. `Invalid` for a cursor that none of our pages gave."""

    limit: int = Field(default=PAGE, ge=1, le=MAX_PAGE)
    """Executors a page has at most."""
    cursor: str | None = Field(default=None, max_length=200)
    """The `next_cursor` of the page before; the first page without one."""
    account_names: Names | None = None
    connector_names: Names | None = None
    trading_pairs: Names | None = None
    executor_types: Names | None = None
    status: Text | None = None
    """`NOT_STARTED`, `RUNNING`, `SHUTTING_DOWN` or `TERMINATED`; any by default."""
    controller_ids: Names | None = None


class ExecutorPage(Value):
    """A part of the list of executors."""

    data: tuple[dict[str, Any], ...]
    """The executors."""
    pagination: Pagination
    """Where the page stands."""


class GetExecutor(Message[dict[str, Any]]):
    """One executor, running or ended."""

    executor_id: ExecutorId


class StopExecutor(Message["StoppedExecutor"]):
    """Have an executor end: with its position closed, or held. It does so in its own time.

    One that has ended is answered with what it is.
    """

    handler_limit = SLOW

    executor_id: ExecutorId
    keep_position: bool = False
    """Whether what it holds is held on, and not closed."""


class StoppedExecutor(Value):
    """That an executor is about to end, or has ended."""

    executor_id: str
    """The executor's id."""
    status: str
    """`stopping`, or the status of one that has ended."""
    keep_position: bool
    """Whether what it holds is, or was, held on."""
    close_type: str | None = None
    """How one ended that has."""


class GetExecutorLogs(Message["ExecutorLogs"]):
    """The newest lines that an executor logged, oldest first."""

    executor_id: ExecutorId
    level: Level | None = None
    limit: int = Field(default=50, ge=1, le=MAX_LINES)
    """How many lines at most."""


class LoggedLine(Value):
    """A line that an executor logged."""

    timestamp: str
    """When, ISO 8601 in UTC."""
    level: str
    """`INFO`, `WARNING`, `ERROR` or another."""
    message: str
    """What it says."""
    exc_info: str | None
    """The traceback of what failed, if something did."""


class ExecutorLogs(Value):
    """Lines of an executor's log."""

    executor_id: str
    """The executor's id."""
    logs: tuple[LoggedLine, ...]
    """The lines, oldest first."""
    total_count: int
    """How many lines of the level are kept."""


class GetExecutorsSummary(Message[dict[str, Any]]):
    """What runs now, added up."""


class GetExecutorsPerformance(Message[dict[str, Any]]):
    """Results of all executors, or of one controller's, running and ended."""

    controller_id: Text | None = None
    """Only of this controller; of all by default."""


class ListActiveExecutors(Message[dict[str, Any]]):
    """`{"data", "total_count"}`: executors that run, and the newest that ended, all that fit the filters."""

    account_name: Text | None = None
    connector_name: Text | None = None
    trading_pair: Text | None = None
    executor_type: Text | None = None
    status: Text | None = None
    controller_id: Text | None = None


# Positions held


class ListPositionsHeld(Message[dict[str, Any]]):
    """What executors left to be held, by account, controller, connector and pair."""

    controller_id: Text | None = None
    """Only of this controller; of all by default."""


class GetPositionHeld(Message[dict[str, Any]]):
    """What is held of one pair."""

    connector_name: ConnectorName
    trading_pair: TradingPair
    account_name: Text = MASTER
    """Whose it is."""
    controller_id: Text = "main"
    """Whose it is there."""


class ClearPositionHeld(Message[dict[str, str]]):
    """Count what is held of one pair no longer; nothing is traded."""

    connector_name: ConnectorName
    trading_pair: TradingPair
    account_name: Text = MASTER
    """Whose it is."""
    controller_id: Text = "main"
    """Whose it is there."""


# Kinds


class ListExecutorTypes(Message[dict[str, Any]]):
    """The kinds of executors."""


class GetExecutorSchema(Message[dict[str, Any]]):
    """The fields of a kind's configuration."""

    executor_type: Text = Field(examples=["grid_executor"])
    """One of `/executors/types/available`."""


# Inside


class BringUpExecutors(Message[None]):
    """The registry's message to itself: start the actors of all executors that have not ended."""


class ExecutorSpoke(Message[None]):
    """Event: the engine host said something about this executor; the payload is JSON, as it came."""

    kind: Literal["event", "report"]
    payload: bytes

    def conflation_key(self) -> Hashable | None:
        """Of reports only the newest counts."""
        return self.kind if self.kind == "report" else None


class LookAfterExecutor(Message[None]):
    """An executor's duty: see that the host has what it should have."""


class WaitUntilBegun(Message["Begun"]):
    """Answered once an executor has begun or ended, or after `patience` seconds with how it is."""

    handler_limit = SLOW

    patience: float = Field(default=20.0, ge=0, le=60)


class Begun(Value):
    """How an executor is."""

    status: str
    close_type: str | None = None


class Held(Value):
    """What is held of one pair, in base and quote units."""

    account_name: str
    controller_id: str
    connector_name: str
    trading_pair: str
    buy_base: Decimal = Decimal(0)
    buy_quote: Decimal = Decimal(0)
    sell_base: Decimal = Decimal(0)
    sell_quote: Decimal = Decimal(0)
    fees_quote: Decimal = Decimal(0)
    executor_ids: tuple[str, ...] = ()
    last_updated: float = 0.0
