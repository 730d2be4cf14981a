"""Orders, trades and fills as the exchange keeps them. Prices are in ticks, amounts in lots, times in Unix milliseconds."""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from aviary.sandbox.instruments import Instrument

HOUSE = ""
"""Owner of the synthetic orders: the market itself, which has no key and no balances."""


class Side(StrEnum):
    """Direction of an order."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> "Side":
        """The side that this one trades with."""
        return Side.SELL if self is Side.BUY else Side.BUY

    @property
    def sign(self) -> int:
        """+1 for buying, -1 for selling."""
        return 1 if self is Side.BUY else -1


class OrderType(StrEnum):
    """Kinds of order; a perpetual's post-only order is a LIMIT with the time in force GTX."""

    LIMIT = "LIMIT"
    LIMIT_MAKER = "LIMIT_MAKER"
    MARKET = "MARKET"


class TimeInForce(StrEnum):
    """How long an order may rest."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    GTX = "GTX"


class Status(StrEnum):
    """Where an order stands."""

    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"

    @property
    def open(self) -> bool:
        """Whether the order may still trade."""
        return self in (Status.NEW, Status.PARTIALLY_FILLED)


class PositionSide(StrEnum):
    """Which position of a perpetual an order moves: the only one, or one of two in hedge mode."""

    BOTH = "BOTH"
    LONG = "LONG"
    SHORT = "SHORT"


@dataclass(slots=True, eq=False)
class Order:
    """One order. `price` is 0 for a market order; `worth` sums ticks times lots over its fills."""

    id: int
    owner: str
    instrument: Instrument
    client_id: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    price: int
    quantity: int
    created: int
    updated: int
    status: Status = Status.NEW
    filled: int = 0
    worth: int = 0
    reduce_only: bool = False
    position_side: PositionSide = PositionSide.BOTH
    reserved: Decimal = field(default=Decimal(0))
    """What is locked for the rest of the order: quote or base in spot, margin in perpetuals."""

    @property
    def remaining(self) -> int:
        """Lots that have not traded."""
        return self.quantity - self.filled

    @property
    def rests(self) -> bool:
        """Whether what does not trade at once goes to the book."""
        return self.type is not OrderType.MARKET and self.time_in_force in (TimeInForce.GTC, TimeInForce.GTX)

    @property
    def post_only(self) -> bool:
        """Whether the order is refused rather than taking liquidity."""
        return self.type is OrderType.LIMIT_MAKER or self.time_in_force is TimeInForce.GTX


@dataclass(frozen=True, slots=True)
class Trade:
    """What the public sees of a match."""

    id: int
    instrument: Instrument
    price: int
    quantity: int
    at: int
    buyer_is_maker: bool
    buyer_order: int
    seller_order: int


@dataclass(frozen=True, slots=True)
class Fill:
    """One side of a match: what happened to an order of a key."""

    trade: Trade
    order: Order
    is_maker: bool
    fee: Decimal
    fee_asset: str
    realized: Decimal = Decimal(0)
    """Profit realised by a perpetual's fill, in quote."""
