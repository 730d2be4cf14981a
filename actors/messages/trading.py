"""What may be asked about trading, of all accounts together and of one account's connector about orders and positions."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from aviary.actors.core.message import Message, Value
from aviary.actors.messages.accounts import AccountName
from aviary.actors.messages.names import ConnectorName, OptionalMoment, TradingPair
from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints

type Side = Annotated[Literal["BUY", "SELL"], Field(description="Whether base is bought or sold")]
type Quantity = Annotated[Decimal, Field(gt=0, lt=Decimal("1e30"), allow_inf_nan=False)]
type OrderId = Annotated[
    str,
    StringConstraints(min_length=1, max_length=100),
    Field(description="The order's `order_id`, as it was answered when it was placed", examples=["sandbox-1"]),
]
type Names = Annotated[
    tuple[Annotated[str, StringConstraints(max_length=200)], ...],
    Field(
        max_length=200,
        description="Names to choose by; several are separated by commas in a query. All if there is none",
    ),
    BeforeValidator(lambda names: names.split(",") if isinstance(names, str) else names),
]
"""Names to choose by; in a query several are separated by commas. None, and an empty list, mean all."""

SLOW = 75.0
"""Seconds an order may take: rules, an id and the order itself are asked of the host, one after another."""

PAGE = 100
MAX_PAGE = 1000


# Orders


class PlaceOrder(Message["PlacedOrder"]):
    """Place an order. Amount in base, price in quote units; a limit order needs a price.

    The amount and the price are rounded down to the exchange's steps. `Rejected` with the exchange's
    own words if it says no; if it says nothing the answer's `state` is `unresolved`. `NoAnswer`, with the id of
    the order that may have been placed, if nobody is left to say so.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"price": 40000}]})

    handler_limit = SLOW

    account_name: AccountName
    connector_name: ConnectorName
    trading_pair: TradingPair
    trade_type: Side
    """Whether base is bought or sold."""
    amount: Quantity = Field(examples=["0.01"])
    """How much, in base units; rounded down to the exchange's step."""
    order_type: Literal["LIMIT", "MARKET", "LIMIT_MAKER"] = "LIMIT"
    """`LIMIT` by default. `LIMIT_MAKER` is refused by the exchange if it would trade at once."""
    price: Quantity | None = None
    """Of a limit order, in quote units; rounded down to the exchange's step. None for a market order."""
    position_action: Literal["OPEN", "CLOSE", "NIL"] = "OPEN"
    """Of a perpetual pair, whether the order opens or closes a position; `OPEN` by default, without meaning on
    a spot connector."""


class NewOrderId(Message[str]):
    """Query: a client order id that no order has, in the connector's style. `Unavailable` if it takes no orders."""

    trading_pair: TradingPair
    trade_type: Side


class PlaceOrderAs(Message["PlacedOrder"]):
    """Place an order under an id that whoever asks knows beforehand, so that it can tell it whatever happens."""

    handler_limit = SLOW

    order: PlaceOrder
    client_order_id: OrderId


class PlacedOrder(Value):
    """An order that was sent. `amount` and `price` are text, as the released server has them."""

    order_id: str
    """The order's id, by which it is cancelled and looked for."""
    account_name: str
    """The account's name."""
    connector_name: str
    """The connector's name."""
    trading_pair: str
    """The pair, such as `BTC-USDT`."""
    trade_type: Side
    """Whether base is bought or sold."""
    amount: str
    """Base units, after rounding."""
    order_type: str
    """`LIMIT`, `MARKET` or `LIMIT_MAKER`."""
    price: str | None
    """Quote units, after rounding; null for a market order."""
    status: str = "submitted"
    """Always `submitted`; see `state`."""
    state: str
    """`open`, or `unresolved` as long as nobody knows whether the exchange took it."""


class CancelOrder(Message["CancelledOrder"]):
    """Cancel an order that may rest on the exchange. `NotFound` if there is no such active order."""

    handler_limit = SLOW

    account_name: AccountName
    connector_name: ConnectorName
    client_order_id: OrderId


class CancelOrderById(Message["CancelledOrder"]):
    """Cancel an order by its id alone; the account and connector may be named too."""

    handler_limit = SLOW

    client_order_id: OrderId
    account_name: str | None = Field(default=None, max_length=200)
    """Only an order of this account; any by default."""
    connector_name: str | None = Field(default=None, max_length=100)
    """Only an order of this connector; any by default."""


class CancelledOrder(Value):
    """What became of a cancellation."""

    status: str = "success"
    """Always `success`; see `state`."""
    message: str
    """What happened, in words."""
    order_id: str
    """The order's id."""
    state: str
    """`cancelled`, or `pending_cancel` as long as the exchange has not said so."""


class OrderView(Value):
    """An order in the released server's form; `state` is ours. Times are ISO 8601 in UTC."""

    order_id: str
    """The order's id, by which it is cancelled."""
    account_name: str
    """The account's name."""
    connector_name: str
    """The connector's name."""
    trading_pair: str
    """The pair, such as `BTC-USDT`."""
    trade_type: str
    """`BUY` or `SELL`."""
    order_type: str
    """`LIMIT`, `MARKET` or `LIMIT_MAKER`."""
    amount: Decimal
    """Base units."""
    price: Decimal | None
    """Quote units; null for a market order."""
    status: str
    """`SUBMITTED`, `OPEN`, `PARTIALLY_FILLED`, `FILLED`, `CANCELLED` or `FAILED`, as the released server has
    them."""
    filled_amount: Decimal
    """What was traded of it, in base units."""
    average_fill_price: Decimal | None
    """Quote units; null before the first fill."""
    fee_paid: Decimal | None
    """In units of `fee_currency`; null before the first fill."""
    fee_currency: str | None
    """The token that fees were paid in; null before the first fill."""
    created_at: str
    """When it was placed, ISO 8601 in UTC."""
    updated_at: str
    """When something was last heard of it, ISO 8601 in UTC."""
    exchange_order_id: str | None
    """The exchange's own id; null as long as it is not known."""
    error_message: str | None
    """Why it failed; null if it did not."""
    position_action: str
    """`OPEN`, `CLOSE` or `NIL`."""
    state: str
    """What is known of it, more finely than `status`: `unresolved` for one, as long as nobody knows whether the
    exchange took it."""


class TradeView(Value):
    """A fill in the released server's form."""

    trade_id: str
    """The fill's id."""
    order_id: str
    """The id of the order that was filled."""
    account_name: str
    """The account's name."""
    connector_name: str
    """The connector's name."""
    trading_pair: str
    """The pair, such as `BTC-USDT`."""
    trade_type: str
    """`BUY` or `SELL`."""
    amount: Decimal
    """Base units."""
    price: Decimal
    """Quote units."""
    fee_paid: Decimal
    """In units of `fee_currency`."""
    fee_currency: str | None
    """The token that the fee was paid in; null if that is not known."""
    timestamp: str
    """When it was traded, ISO 8601 in UTC."""


class PositionView(Value):
    """An open position. Amount in base units, prices and profit in quote units."""

    account_name: str
    """The account's name."""
    connector_name: str
    """The connector's name."""
    trading_pair: str
    """The pair, such as `BTC-USDT`."""
    side: str
    """`LONG` or `SHORT`."""
    amount: Decimal
    """Base units."""
    entry_price: Decimal
    """The average price that it was opened at, in quote units."""
    unrealized_pnl: Decimal
    """What closing it at the present price would gain, in quote units."""
    leverage: Decimal
    """How many times the margin it may be worth."""
    stale: bool = False
    """Whether the exchange is out of reach, so that this is what it said last."""
    age: float = 0.0
    """Seconds for which what is stale has been so."""


class Pagination(Value):
    """Where a page stands."""

    limit: int
    """How many a page may hold."""
    has_more: bool
    """Whether there is a page after this one."""
    next_cursor: str | None
    """What to send as `cursor` for the next page; null on the last one."""
    total_count: int
    """How many fit the question; of orders and trades no more than 10 000 are counted."""


class ListPage[Item](Value):
    """A part of a list, newest first. `unavailable` names connectors that could not be asked, and why."""

    data: tuple[Item, ...]
    """The page's rows."""
    pagination: Pagination
    """Where the page stands."""
    unavailable: dict[str, str] = Field(default_factory=dict)
    """By connector, as `account/connector`, why it could not be asked; empty if all could."""


class _Selection(Value):
    account_names: Names | None = None
    """Only of these accounts; several are separated by commas in a query. All by default."""
    connector_names: Names | None = None
    """Only of these connectors; several are separated by commas in a query. All by default."""
    limit: int = Field(default=PAGE, ge=1, le=MAX_PAGE)
    """How many a page may hold, 1 to 1000; 100 by default."""
    cursor: str | None = Field(default=None, max_length=400)
    """The `next_cursor` of the page before; the first page by default, and for a cursor that is not known."""


class ListActiveOrders(_Selection, Message[ListPage[OrderView]]):
    """Orders that may rest on an exchange."""

    trading_pairs: Names | None = None
    """Only of these pairs; several are separated by commas in a query. All by default."""


class SearchOrders(_Selection, Message[ListPage[OrderView]]):
    """Orders of any state."""

    trading_pairs: Names | None = None
    """Only of these pairs. All by default."""
    status: str | None = Field(default=None, max_length=40)
    """Only orders of this status, such as `FILLED`, or of this state; all by default."""
    start_time: OptionalMoment = None
    """Only what is not older; by default from the beginning."""
    end_time: OptionalMoment = None
    """Only what is not newer; by default until now."""


class ListTrades(_Selection, Message[ListPage[TradeView]]):
    """Fills."""

    trading_pairs: Names | None = None
    """Only of these pairs; several are separated by commas in a query. All by default."""
    trade_types: Names | None = None
    """Only `BUY` or only `SELL`; both by default."""
    start_time: OptionalMoment = None
    """Only what is not older; by default from the beginning."""
    end_time: OptionalMoment = None
    """Only what is not newer; by default until now."""


# Perpetuals


class ListPositions(_Selection, Message[ListPage[PositionView]]):
    """Open positions, as the exchanges see them now; of one that does not answer the last that were known."""

    handler_limit = SLOW


class ListFundingPayments(_Selection, Message[ListPage[dict[str, Any]]]):
    """The last funding payment of each pair that is held."""

    handler_limit = SLOW

    trading_pair: str | None = Field(default=None, max_length=100)
    """Only of this pair; all that are held by default."""


class Confirmed(Value):
    """That something was set."""

    status: str = "success"
    """Always `success`."""
    message: str
    """What was set, in words."""


class SetLeverage(Message[Confirmed]):
    """Set the leverage of a pair."""

    handler_limit = SLOW

    account_name: AccountName
    connector_name: ConnectorName = Field(examples=["sandbox_perpetual"])
    trading_pair: TradingPair
    leverage: int = Field(ge=1, le=125, examples=[5])
    """How many times the margin a position may be worth, 1 to 125."""


class PositionMode(Value):
    """Whether an account holds one position a pair, or one a side."""

    position_mode: str
    """`ONEWAY` or `HEDGE`."""
    connector: str
    """The connector's name."""
    account: str
    """The account's name."""


class GetPositionMode(Message[PositionMode]):
    """The position mode of an account."""

    handler_limit = SLOW

    account_name: AccountName
    connector_name: ConnectorName = Field(examples=["sandbox_perpetual"])


class SetPositionMode(Message[Confirmed]):
    """Set the position mode: `HEDGE`, or `ONEWAY` in any spelling."""

    handler_limit = SLOW

    account_name: AccountName
    connector_name: ConnectorName = Field(examples=["sandbox_perpetual"])
    position_mode: str = Field(max_length=20, examples=["ONEWAY"])
    """`HEDGE`, one position a side, or `ONEWAY`, one a pair; in any spelling, such as `one-way`."""
    trading_pair: TradingPair | None = None
    """For exchanges that set it of a pair alone; of every pair by default."""


class ClosePosition(Message[PlacedOrder]):
    """Close the position in a pair with a market order; `amount` closes a part of it."""

    handler_limit = SLOW

    account_name: AccountName
    connector_name: ConnectorName = Field(examples=["sandbox_perpetual"])
    trading_pair: TradingPair
    side: Literal["LONG", "SHORT"] | None = None
    """Which position, where there is one a side; the only one by default."""
    amount: Quantity | None = None
    """How much of it, in base units; all of it by default."""


# Of one connector


class GetPositions(Message[tuple[PositionView, ...]]):
    """Open positions of one connector; none on a spot connector.

    The exchange is asked, unless only what it said last is wanted, which is called stale.
    """

    handler_limit = SLOW

    last_known: bool = False


class GetLastFundingPayments(Message[tuple[dict[str, Any], ...]]):
    """The last funding payment of each pair with a position."""

    handler_limit = SLOW
