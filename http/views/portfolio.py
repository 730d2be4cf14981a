"""What is answered about the shares of tokens and accounts."""

from aviary.actors.core.message import Value


class Part(Value):
    """What lies on a connector."""

    value: float
    """In USDT."""
    units: float
    """Units of the token."""


class AccountPart(Part):
    """What lies on an account."""

    percentage: float
    """Its share in the whole, in percent."""
    connectors: dict[str, Part]
    """By connector."""


class TokenShare(Value):
    """The share of a token."""

    token: str
    """The token's name."""
    total_units: float
    """How many are held."""
    total_value: float
    """What they are worth, in USDT."""
    percentage: float
    """Their share in the whole, in percent."""
    accounts: dict[str, AccountPart]
    """By account."""


class TokenDistribution(Value):
    """The shares of all tokens."""

    total_portfolio_value: float
    """What all of it is worth, in USDT."""
    token_count: int
    """How many tokens there are."""
    distribution: tuple[TokenShare, ...]
    """Each token, the most valuable first."""
    account_filter: str
    """The accounts that were asked about, separated by commas; `all_accounts` if none were named."""


class ConnectorShare(Value):
    """The share of a connector."""

    value: float
    """In USDT."""
    percentage: float
    """Its share in the whole, in percent."""


class AccountShare(Value):
    """The share of an account."""

    account: str
    """The account's name."""
    total_value: float
    """What it holds, in USDT."""
    percentage: float
    """Its share in the whole, in percent."""
    connectors: dict[str, ConnectorShare]
    """By connector."""


class AccountDistribution(Value):
    """The shares of all accounts."""

    total_portfolio_value: float
    """What all of it is worth, in USDT."""
    account_count: int
    """How many accounts there are."""
    distribution: tuple[AccountShare, ...]
    """Each account, the most valuable first."""
