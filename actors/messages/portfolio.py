"""What may be asked about what the accounts hold, valued in one quote."""

from decimal import Decimal
from typing import Any

from aviary.actors.core.message import Message, Value
from aviary.actors.messages.trading import Names

SLOW = 60.0
"""Seconds for asking every connector, then the market."""


class Holding(Value):
    """A token on a connector. `price` and `value` are in the quote, null if nobody has a price for the token."""

    token: str
    """The token's name."""
    units: Decimal
    """How many the account holds, those in open orders among them."""
    price: Decimal | None
    """What one is worth, in the quote; null if nobody has a price."""
    value: Decimal | None
    """What all of them are worth, in the quote; null if nobody has a price."""
    available_units: Decimal
    """How many no order holds."""
    stale: bool
    """Whether the exchange was out of reach, so that units or price are the last that were known."""
    age: float
    """Seconds for which what is stale has been so."""


type PortfolioState = dict[str, dict[str, tuple[Holding, ...]]]
"""Holdings by account and connector; none of a connector whose balances were not known yet."""


class GetPortfolioState(Message[PortfolioState]):
    """What the accounts hold; `refresh` asks the exchanges, otherwise it is as of their last news.

    Wallets of Gateway are not among it, whether they are to be skipped or not.
    """

    handler_limit = SLOW

    account_names: Names | None = None
    """Only of these accounts; several are separated by commas in a query. All by default."""
    connector_names: Names | None = None
    """Only of these connectors; several are separated by commas in a query. All by default."""
    refresh: bool = False
    """Whether to ask the exchanges; by default they are not."""
    skip_gateway: bool = False
    """Whether wallets of Gateway are left out, which they are anyway."""


class GetKnownHoldings(Message[PortfolioState]):
    """What is held on each connector that has told it, as of its last news; the others are left out."""

    handler_limit = SLOW


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
