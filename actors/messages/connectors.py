"""What may be asked of the connector catalogue, and of one account's connector about itself."""

from collections.abc import Hashable, Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from aviary.actors.core.message import Message, Value
from pydantic import Field, StringConstraints

type Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]

MAX_PAIRS = 200
"""Pairs that one question may name."""


SLOW = 60.0
"""Seconds a question to the catalogue may take: the host for public data may have to start first."""


# The catalogue


class ListConnectors(Message[tuple[str, ...]]):
    """Every connector a credential can be added for."""

    handler_limit = SLOW


class GetConfigMap(Message[dict[str, Any]]):
    """The fields of a connector's credential, by name: `type`, `required`, and `default` if there is one."""

    handler_limit = SLOW

    connector_name: Name


class TradingRule(Value):
    """What the exchange takes for a pair: amounts in base, values in quote units."""

    min_order_size: Decimal
    max_order_size: Decimal
    min_price_increment: Decimal
    min_base_amount_increment: Decimal
    min_quote_amount_increment: Decimal
    min_notional_size: Decimal
    min_order_value: Decimal
    max_price_significant_digits: Decimal
    supports_limit_orders: bool
    supports_market_orders: bool
    buy_order_collateral_token: str | None
    sell_order_collateral_token: str | None

    @classmethod
    def from_host(cls, row: Mapping[str, Any]) -> "TradingRule":
        """A rule as the host tells it; a bound that the exchange does not set is 0, or out of reach."""
        bounds = {name: value for name, value in row.items() if value is not None}
        return cls(**{**_NO_BOUNDS, **bounds})


_NO_BOUNDS: dict[str, Any] = {
    "min_order_size": Decimal(0),
    "max_order_size": Decimal("1e56"),
    "min_price_increment": Decimal(0),
    "min_base_amount_increment": Decimal(0),
    "min_quote_amount_increment": Decimal(0),
    "min_notional_size": Decimal(0),
    "min_order_value": Decimal(0),
    "max_price_significant_digits": Decimal("1e56"),
    "buy_order_collateral_token": None,
    "sell_order_collateral_token": None,
}


class GetTradingRules(Message[dict[str, TradingRule]]):
    """Trading rules by pair, of some pairs or of all."""

    handler_limit = SLOW

    connector_name: Name
    trading_pairs: tuple[str, ...] | None = Field(default=None, max_length=MAX_PAIRS)


class OrderTypes(Value):
    """The order types of a connector."""

    connector: str
    supported_order_types: tuple[str, ...]


class GetOrderTypes(Message[OrderTypes]):
    """The order types a connector supports."""

    handler_limit = SLOW

    connector_name: Name


class Markets(Value):
    """The pairs of a connector."""

    connector: str
    trading_pairs: tuple[str, ...]


class ListMarkets(Message[Markets]):
    """Every pair a connector trades."""

    handler_limit = SLOW

    connector_name: Name


class GetCandleIntervals(Message[tuple[str, ...]]):
    """The lengths of candles that a connector has, such as `1m`; empty if it has no candles."""

    handler_limit = SLOW

    connector_name: Name


class ConnectorDetails(Value):
    """A connector as the catalogue knows it."""

    name: str
    config_map: dict[str, Any]
    supported_order_types: tuple[str, ...]


class GetConnectorDetails(Message[ConnectorDetails]):
    """Configuration and order types of a connector."""

    handler_limit = SLOW

    connector_name: Name


class GetPrices(Message[dict[str, Decimal]]):
    """The last traded prices of pairs on a connector; those that it does not trade are left out."""

    handler_limit = SLOW

    connector_name: Name
    trading_pairs: tuple[str, ...] = Field(max_length=MAX_PAIRS)


# One account's connector


class Balance(Value):
    """What an account holds of a token."""

    total: Decimal
    available: Decimal
    stale: bool = False
    """Whether the exchange is out of reach, so that this is what it said last."""
    age: float = 0.0
    """Seconds for which what is stale has been so."""


class GetBalances(Message[dict[str, Balance]]):
    """Balances by token. `refresh` asks the exchange; otherwise they are as of its last news, however old."""

    refresh: bool = False


class ConnectorStatus(Value):
    """How a connector is. Times are Unix seconds."""

    account_name: str
    connector_name: str
    phase: Literal["opening", "connecting", "reconciling", "ready", "interrupted"]
    reason: str
    """Why it does not take orders; empty if it does."""
    since: float
    heard_at: float | None
    """When its host last spoke of it."""
    unresolved: int
    """Orders whose fate is unknown."""
    foreign: tuple[str, ...]
    """Orders that rest on the exchange under these keys and are not ours, by client order id."""


class GetConnectorStatus(Message[ConnectorStatus]):
    """Query: how the connector is, whether it takes orders, and what it knows to be in doubt."""

    account_name: Name
    connector_name: Name


class WaitUntilReady(Message[None]):
    """Answered once the connector takes orders; `Unavailable`, saying why, after `patience` seconds."""

    handler_limit = SLOW

    patience: float = Field(default=20.0, ge=0, le=50)


class ReopenConnector(Message[None]):
    """Command: open the connector anew in its host, with the keys that are kept now."""


class ConnectorSpoke(Message[None]):
    """Event: the engine host said something about this connector; the payload is JSON, as it came."""

    topic: str
    """`order`, `fill`, `balance`, `position` or `connector`, and the connector's name after a slash."""
    payload: bytes

    def conflation_key(self) -> Hashable | None:
        """Of balances, positions and status only the newest counts."""
        return None if self.topic.startswith(("order/", "fill/")) else self.topic
