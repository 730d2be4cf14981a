"""What may be asked of the connector catalogue, and of one account's connector about itself."""

from collections.abc import Hashable, Mapping
from decimal import Decimal
from typing import Any, Literal

from aviary.actors.core.message import Message, Value
from aviary.actors.messages.accounts import AccountName
from aviary.actors.messages.names import ConnectorName
from pydantic import Field

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

    connector_name: ConnectorName


class TradingRule(Value):
    """What the exchange takes for a pair: amounts in base, values in quote units."""

    min_order_size: Decimal
    """The smallest amount of an order, in base units; 0 if there is no bound."""
    max_order_size: Decimal
    """The largest amount of an order, in base units; 1e56 if there is no bound."""
    min_price_increment: Decimal
    """The step of prices, in quote units."""
    min_base_amount_increment: Decimal
    """The step of amounts, in base units."""
    min_quote_amount_increment: Decimal
    """The step of amounts in quote units; 0 if there is none."""
    min_notional_size: Decimal
    """The smallest value of an order, in quote units; 0 if there is no bound."""
    min_order_value: Decimal
    """The smallest value of an order in quote units, where the exchange sets another than `min_notional_size`;
    0 if there is none."""
    max_price_significant_digits: Decimal
    """How many digits of a price count; 1e56 if all do."""
    supports_limit_orders: bool
    """Whether limit orders are taken."""
    supports_market_orders: bool
    """Whether market orders are taken."""
    buy_order_collateral_token: str | None
    """The token that a buy order is paid with; null if that is not known."""
    sell_order_collateral_token: str | None
    """The token that a sell order is paid with; null if that is not known."""

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

    connector_name: ConnectorName
    trading_pairs: tuple[str, ...] | None = Field(default=None, max_length=MAX_PAIRS)
    """Pairs whose rules are wanted, at most 200; all of them by default."""


class OrderTypes(Value):
    """The order types of a connector."""

    connector: str
    """The connector's name."""
    supported_order_types: tuple[str, ...]
    """`LIMIT`, `MARKET`, `LIMIT_MAKER`: those that it takes."""


class GetOrderTypes(Message[OrderTypes]):
    """The order types a connector supports."""

    handler_limit = SLOW

    connector_name: ConnectorName


class Markets(Value):
    """The pairs of a connector."""

    connector: str
    """The connector's name."""
    trading_pairs: tuple[str, ...]
    """Every pair, such as `BTC-USDT`."""


class ListMarkets(Message[Markets]):
    """Every pair a connector trades."""

    handler_limit = SLOW

    connector_name: ConnectorName


class GetCandleIntervals(Message[tuple[str, ...]]):
    """The lengths of candles that a connector has, such as `1m`; empty if it has no candles."""

    handler_limit = SLOW

    connector_name: ConnectorName


class ConnectorDetails(Value):
    """A connector as the catalogue knows it."""

    name: str
    """The connector's name."""
    config_map: dict[str, Any]
    """The fields of its credential, by name."""
    supported_order_types: tuple[str, ...]
    """`LIMIT`, `MARKET`, `LIMIT_MAKER`: those that it takes."""


class GetConnectorDetails(Message[ConnectorDetails]):
    """Configuration and order types of a connector."""

    handler_limit = SLOW

    connector_name: ConnectorName


class GetPrices(Message[dict[str, Decimal]]):
    """The last traded prices of pairs on a connector; those that it does not trade are left out."""

    handler_limit = SLOW

    connector_name: ConnectorName
    trading_pairs: tuple[str, ...] = Field(max_length=MAX_PAIRS)
    """The pairs, at most 200."""


# One account's connector


class Balance(Value):
    """What an account holds of a token."""

    total: Decimal
    """Units of the token, those in open orders among them."""
    available: Decimal
    """Units of the token that no order holds."""
    stale: bool = False
    """Whether the exchange is out of reach, so that this is what it said last."""
    age: float = 0.0
    """Seconds for which what is stale has been so."""


class GetBalances(Message[dict[str, Balance]]):
    """Balances by token. `refresh` asks the exchange; otherwise they are as of its last news, however old."""

    refresh: bool = False
    """Whether to ask the exchange."""


class ConnectorStatus(Value):
    """How a connector is. Times are Unix seconds."""

    account_name: str
    """The account's name."""
    connector_name: str
    """The connector's name."""
    phase: Literal["opening", "connecting", "reconciling", "ready", "interrupted"]
    """How far it is; only `ready` takes orders."""
    reason: str
    """Why it does not take orders; empty if it does."""
    since: float
    """Since when it is in this phase, Unix seconds."""
    heard_at: float | None
    """When its host last spoke of it."""
    unresolved: int
    """Orders whose fate is unknown."""
    foreign: tuple[str, ...]
    """Orders that rest on the exchange under these keys and are not ours, by client order id."""


class GetConnectorStatus(Message[ConnectorStatus]):
    """Query: how the connector is, whether it takes orders, and what it knows to be in doubt."""

    account_name: AccountName
    connector_name: ConnectorName


class WaitUntilReady(Message[None]):
    """Answered once the connector takes orders; `Unavailable`, saying why, after `patience` seconds."""

    handler_limit = SLOW

    patience: float = Field(default=20.0, ge=0, le=50)
    """Seconds to wait, 20 by default."""


class ReopenConnector(Message[None]):
    """Command: open the connector anew in its host, with the keys that are kept now."""


class ConnectorSpoke(Message[None]):
    """Event: the engine host said something about this connector; the payload is JSON, as it came."""

    topic: str
    """`order`, `fill`, `balance`, `position` or `connector`, and the connector's name after a slash."""
    payload: bytes
    """JSON, as it came."""

    def conflation_key(self) -> Hashable | None:
        """Of balances, positions and status only the newest counts."""
        return None if self.topic.startswith(("order/", "fill/")) else self.topic
