"""What may be asked about what the accounts hold, valued in one quote."""

from decimal import Decimal
from typing import Any

from aviary.actors.core.message import Message, Value
from aviary.actors.messages.trading import Names

SLOW = 60.0
"""Seconds for asking every connector, then the market."""


class Holding(Value):
    """A token on a connector. `price` and `value` are in the quote, 0 if no price was ever known."""

    token: str
    """The token's name."""
    units: Decimal
    """How many the account holds, those in open orders among them."""
    price: Decimal
    """What one is worth, in the quote, which is USDT."""
    value: Decimal
    """What all of them are worth, in the quote, which is USDT."""
    available_units: Decimal
    """How many no order holds."""
    stale: bool
    """Whether the exchange was out of reach, so that units or price are the last that were known."""
    age: float
    """Seconds for which what is stale has been so."""


type PortfolioState = dict[str, dict[str, tuple[Holding, ...]]]
"""Holdings by account and connector; none of a connector whose balances were not known yet."""


class GetPortfolioState(Message[PortfolioState]):
    """What the accounts hold; `refresh` asks the exchanges, otherwise it is as of their last news."""

    handler_limit = SLOW

    account_names: Names | None = None
    """Only of these accounts; several are separated by commas in a query. All by default."""
    connector_names: Names | None = None
    """Only of these connectors; several are separated by commas in a query. All by default."""
    refresh: bool = False
    """Whether to ask the exchanges; by default they are not."""


class GetTokenDistribution(Message[dict[str, Any]]):
    """The share of each token in the whole, with the accounts and connectors it lies on."""

    handler_limit = SLOW

    account_names: Names | None = None
    """Only of these accounts; several are separated by commas in a query. All by default."""
    connector_names: Names | None = None
    """Only of these connectors; several are separated by commas in a query. All by default."""


class GetAccountDistribution(Message[dict[str, Any]]):
    """The share of each account and connector in the whole."""

    handler_limit = SLOW
