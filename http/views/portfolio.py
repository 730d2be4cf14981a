"""What is answered about the shares of tokens and accounts."""

from aviary.actors.core.message import Value


class Part(Value):
    """What lies on a connector."""

    value: float | None
    """In the quote; null if nobody has a price."""
    units: float
    """Units of the token."""


class AccountPart(Part):
    """What lies on an account."""

    percentage: float | None
    """Its share in the whole, in percent; null if nobody has a price."""
    connectors: dict[str, Part]
    """By connector."""


class TokenShare(Value):
    """The share of a token."""

    token: str
    """The token's name."""
    total_units: float
    """How many are held."""
    total_value: float | None
    """What they are worth, in the quote; null if nobody has a price."""
    percentage: float | None
    """Their share in the whole, in percent; null if nobody has a price."""
    accounts: dict[str, AccountPart]
    """By account."""


class TokenDistribution(Value):
    """The shares of all tokens."""

    total_portfolio_value: float
    """What all of it is worth, in the quote."""
    token_count: int
    """How many tokens there are."""
    distribution: tuple[TokenShare, ...]
    """Each token, the most valuable first."""
    account_filter: str
    """The accounts that were asked about, separated by commas; `all_accounts` if none were named."""
    unpriced_tokens: tuple[str, ...]
    """What is held and has no price: it counts in no value."""


class ConnectorShare(Value):
    """The share of a connector."""

    value: float
    """In the quote."""
    percentage: float
    """Its share in the whole, in percent."""


class AccountShare(Value):
    """The share of an account."""

    account: str
    """The account's name."""
    total_value: float
    """What it holds, in the quote."""
    percentage: float
    """Its share in the whole, in percent."""
    connectors: dict[str, ConnectorShare]
    """By connector."""
    unpriced_tokens: tuple[str, ...]
    """What it holds that has no price: it counts in no value."""


class AccountDistribution(Value):
    """The shares of all accounts."""

    total_portfolio_value: float
    """What all of it is worth, in the quote."""
    account_count: int
    """How many accounts there are."""
    distribution: tuple[AccountShare, ...]
    """Each account, the most valuable first."""
    unpriced_tokens: tuple[str, ...]
    """What is held and has no price: it counts in no value."""
