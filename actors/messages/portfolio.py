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
    units: Decimal
    price: Decimal | None
    value: Decimal | None
    available_units: Decimal
    stale: bool
    """Whether the exchange was out of reach, so that units or price are the last that were known."""


type PortfolioState = dict[str, dict[str, tuple[Holding, ...]]]
"""Holdings by account and connector; none of a connector whose balances were not known yet."""


class GetPortfolioState(Message[PortfolioState]):
    """What the accounts hold; `refresh` asks the exchanges, otherwise it is as of their last news.

    Wallets of Gateway are not among it, whether they are to be skipped or not.
    """

    handler_limit = SLOW

    account_names: Names | None = None
    connector_names: Names | None = None
    refresh: bool = False
    skip_gateway: bool = False


class GetKnownHoldings(Message[PortfolioState]):
    """What is held on each connector that has told it, as of its last news; the others are left out."""

    handler_limit = SLOW


class GetTokenDistribution(Message[dict[str, Any]]):
    """The share of each token in the whole, with the accounts and connectors it lies on."""

    handler_limit = SLOW

    account_names: Names | None = None
    connector_names: Names | None = None


class GetAccountDistribution(Message[dict[str, Any]]):
    """The share of each account and connector in the whole."""

    handler_limit = SLOW
