"""What a venue tells the outside, in the order in which it happened."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from aviary.sandbox.instruments import Market
from aviary.sandbox.orders import Fill, Order, Trade


class Execution(StrEnum):
    """What happened to an order."""

    NEW = "NEW"
    TRADE = "TRADE"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class OrderReported:
    """An order of a key changed; `order` is a copy from that moment, `request_id` the id of a cancelling request."""

    order: Order
    execution: Execution
    fill: Fill | None
    request_id: str


@dataclass(frozen=True, slots=True)
class AccountChanged:
    """Balances of a key changed, and perhaps a position (`symbol`); `reason` is the exchange's word for why."""

    market: Market
    key: str
    assets: tuple[str, ...]
    at: int
    symbol: str = ""
    reason: str = "ORDER"


@dataclass(frozen=True, slots=True)
class BalanceMoved:
    """A key was given or lost an amount outside trading."""

    market: Market
    key: str
    asset: str
    change: Decimal
    at: int


@dataclass(frozen=True, slots=True)
class Traded:
    """A public trade."""

    trade: Trade


@dataclass(frozen=True, slots=True)
class LeverageSet:
    """The leverage of a key and symbol changed."""

    key: str
    symbol: str
    leverage: int
    at: int


type Event = OrderReported | AccountChanged | BalanceMoved | Traded | LeverageSet

type Listener = Callable[[Event], None]
