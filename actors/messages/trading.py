"""What may be asked about trading, of all accounts together and of one account's connector about orders and positions."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from aviary.actors.core.message import Message, Value
from aviary.actors.messages.accounts import AccountName
from aviary.actors.messages.connectors import Name
from aviary.actors.messages.names import TradingPair
from pydantic import BeforeValidator, Field, StringConstraints

type Side = Literal["BUY", "SELL"]
type Quantity = Annotated[Decimal, Field(gt=0, lt=Decimal("1e30"), allow_inf_nan=False)]
type OrderId = Annotated[str, StringConstraints(min_length=1, max_length=100)]
type Names = Annotated[
    tuple[Annotated[str, StringConstraints(max_length=200)], ...],
    Field(max_length=200),
    BeforeValidator(lambda names: names.split(",") if isinstance(names, str) else names),
]
"""Names to choose by; in a query several are separated by commas. None, and an empty list, mean all."""

type Moment = Annotated[float, Field(ge=0, lt=1e15, allow_inf_nan=False)]
"""Unix time in seconds, or in milliseconds if it is too large for that."""

SLOW = 75.0
"""Seconds an order may take: rules, an id and the order itself are asked of the host, one after another."""

PAGE = 100
MAX_PAGE = 1000


# Orders


class PlaceOrder(Message["PlacedOrder"]):
    """Place an order. Amount in base, price in quote units; a limit order needs a price.

    The amount and the price are rounded down to the exchange's steps. `Rejected` with the exchange's
    own words if it says no; if it says nothing the answer's `state` is `unresolved`.
    """

    handler_limit = SLOW

    account_name: AccountName
    connector_name: Name
    trading_pair: TradingPair
    trade_type: Side
    amount: Quantity
    order_type: Literal["LIMIT", "MARKET", "LIMIT_MAKER"] = "LIMIT"
    price: Quantity | None = None
    position_action: Literal["OPEN", "CLOSE", "NIL"] = "OPEN"


class PlacedOrder(Value):
    """An order that was sent. `amount` and `price` are text, as the released server has them."""

    order_id: str
    account_name: str
    connector_name: str
    trading_pair: str
    trade_type: Side
    amount: str
    order_type: str
    price: str | None
    status: str = "submitted"
    state: str
    """`open`, or `unresolved` as long as nobody knows whether the exchange took it."""


class CancelOrder(Message["CancelledOrder"]):
    """Cancel an order that may rest on the exchange. `NotFound` if there is no such active order."""

    handler_limit = SLOW

    account_name: AccountName
    connector_name: Name
    client_order_id: OrderId


class CancelOrderById(Message["CancelledOrder"]):
    """Cancel an order by its id alone; the account and connector may be named too."""

    handler_limit = SLOW

    client_order_id: OrderId
    account_name: str | None = Field(default=None, max_length=200)
    connector_name: str | None = Field(default=None, max_length=100)


class CancelledOrder(Value):
    """What became of a cancellation."""

    status: str = "success"
    message: str
    order_id: str
    state: str
    """`cancelled`, or `pending_cancel` as long as the exchange has not said so."""


class OrderView(Value):
    """An order in the released server's form; `state` is ours. Times are ISO 8601 in UTC."""

    order_id: str
    account_name: str
    connector_name: str
    trading_pair: str
    trade_type: str
    order_type: str
    amount: Decimal
    price: Decimal | None
    status: str
    filled_amount: Decimal
    average_fill_price: Decimal | None
    fee_paid: Decimal | None
    fee_currency: str | None
    created_at: str
    updated_at: str
    exchange_order_id: str | None
    error_message: str | None
    position_action: str
    state: str


class TradeView(Value):
    """A fill in the released server's form."""

    trade_id: str
    order_id: str
    account_name: str
    connector_name: str
    trading_pair: str
    trade_type: str
    amount: Decimal
    price: Decimal
    fee_paid: Decimal
    fee_currency: str | None
    timestamp: str


class PositionView(Value):
    """An open position. Amount in base units, prices and profit in quote units."""

    account_name: str
    connector_name: str
    trading_pair: str
    side: str
    amount: Decimal
    entry_price: Decimal
    unrealized_pnl: Decimal
    leverage: Decimal


class Pagination(Value):
    """Where a page stands."""

    limit: int
    has_more: bool
    next_cursor: str | None
    total_count: int
    """How many fit the question; of orders and trades no more than 10 000 are counted."""


class ListPage[Item](Value):
    """A part of a list, newest first. `unavailable` names connectors that could not be asked, and why."""

    data: tuple[Item, ...]
    pagination: Pagination
    unavailable: dict[str, str] = Field(default_factory=dict)


class _Selection(Value):
    account_names: Names | None = None
    connector_names: Names | None = None
    limit: int = Field(default=PAGE, ge=1, le=MAX_PAGE)
    cursor: str | None = Field(default=None, max_length=400)


class ListActiveOrders(_Selection, Message[ListPage[OrderView]]):
    """Orders that may rest on an exchange."""

    trading_pairs: Names | None = None


class SearchOrders(_Selection, Message[ListPage[OrderView]]):
    """Orders of any state."""

    trading_pairs: Names | None = None
    status: str | None = Field(default=None, max_length=40)
    start_time: Moment | None = None
    end_time: Moment | None = None


class ListTrades(_Selection, Message[ListPage[TradeView]]):
    """Fills."""

    trading_pairs: Names | None = None
    trade_types: Names | None = None
    start_time: Moment | None = None
    end_time: Moment | None = None


# Perpetuals


class ListPositions(_Selection, Message[ListPage[PositionView]]):
    """Open positions, as the exchanges see them now."""

    handler_limit = SLOW


class ListFundingPayments(_Selection, Message[ListPage[dict[str, Any]]]):
    """The last funding payment of each pair that is held."""

    handler_limit = SLOW

    trading_pair: str | None = Field(default=None, max_length=100)
    start_time: Moment | None = None
    end_time: Moment | None = None


class Confirmed(Value):
    """That something was set."""

    status: str = "success"
    message: str


class SetLeverage(Message[Confirmed]):
    """Set the leverage of a pair."""

    handler_limit = SLOW

    account_name: AccountName
    connector_name: Name
    trading_pair: TradingPair
    leverage: int = Field(ge=1, le=125)


class PositionMode(Value):
    """Whether an account holds one position a pair, or one a side."""

    position_mode: str
    connector: str
    account: str


class GetPositionMode(Message[PositionMode]):
    """The position mode of an account."""

    handler_limit = SLOW

    account_name: AccountName
    connector_name: Name


class SetPositionMode(Message[Confirmed]):
    """Set the position mode: `HEDGE`, or `ONEWAY` in any spelling."""

    handler_limit = SLOW

    account_name: AccountName
    connector_name: Name
    position_mode: str = Field(max_length=20)
    trading_pair: TradingPair | None = None


class ClosePosition(Message[PlacedOrder]):
    """Close the position in a pair with a market order; `amount` closes a part of it."""

    handler_limit = SLOW

    account_name: AccountName
    connector_name: Name
    trading_pair: TradingPair
    side: Literal["LONG", "SHORT"] | None = None
    amount: Quantity | None = None


# Of one connector


class GetPositions(Message[tuple[PositionView, ...]]):
    """Open positions of one connector; none on a spot connector."""

    handler_limit = SLOW


class GetLastFundingPayments(Message[tuple[dict[str, Any], ...]]):
    """The last funding payment of each pair with a position."""

    handler_limit = SLOW
