"""What may be asked of the account registry."""

from typing import Annotated, Any

from aviary.actors.core.message import Message, Value
from aviary.actors.messages.names import ConnectorName
from pydantic import Field, SecretStr, StringConstraints

ACCOUNT_NAME = r"[A-Za-z0-9_-]{1,64}"

type AccountName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200),
    Field(
        description="The account's name, such as `master_account`, which is always there",
        examples=["master_account"],
    ),
]
"""As sent; what a new account may be called is checked by the registry, in the released server's words."""

type Credential = dict[Annotated[str, StringConstraints(max_length=100)], SecretStr | bool | int | float]
"""A connector's fields by name. Texts are secret until the connector says otherwise."""

MAX_FIELDS = 40

SANDBOX_KEYS = {"sandbox_api_key": "sandbox-desk", "sandbox_api_secret": "any"}
"""What opens an account of the simulated exchange: any key that begins like this."""

SLOW = 150.0
"""Seconds a change may take: a start of a host, a question to an exchange, the encryption, one after another."""


class Done(Value):
    """That something was done, in words."""

    message: str
    """What was done, in words."""


class ListAccounts(Message[tuple[str, ...]]):
    """Every account's name."""


class CreateAccount(Message[Done]):
    """Add an account: letters, digits, `_` and `-`. `Invalid` if it is there already."""

    handler_limit = SLOW

    account_name: AccountName = Field(
        json_schema_extra={"maxLength": 64, "pattern": f"^{ACCOUNT_NAME}$", "examples": ["desk"]}
    )
    """What to call it: 1 to 64 letters, digits, `_` and `-`."""


class DeleteAccount(Message[Done]):
    """Remove an account and its credentials. The first one, `master_account`, stays.

    Orders that rest on exchanges are left there; the answer says how many.
    """

    handler_limit = SLOW

    account_name: AccountName = Field(examples=["desk"])


class ListCredentials(Message[tuple[str, ...]]):
    """The connectors that an account holds keys for."""

    account_name: AccountName


class AddCredential(Message[Done]):
    """Check keys against the exchange, keep them, and connect.

    Keys that are there already are replaced once the new ones are known to work, and stay otherwise.
    """

    handler_limit = SLOW

    account_name: AccountName
    connector_name: ConnectorName
    values: Credential = Field(default_factory=dict, max_length=MAX_FIELDS, examples=[SANDBOX_KEYS])
    """The connector's fields by name, those that `/connectors/{connector_name}/config-map` lists; at most 40."""


class DeleteCredential(Message[Done]):
    """Disconnect and remove the keys. Orders that rest on the exchange are left there; the answer says how many."""

    handler_limit = SLOW

    account_name: AccountName
    connector_name: ConnectorName


class UpdateCredentials(Message[Done]):
    """Add or replace keys for several connectors; the first that is refused ends it."""

    handler_limit = SLOW

    account_name: AccountName
    credentials: dict[ConnectorName, Credential] = Field(
        min_length=1,
        max_length=MAX_FIELDS,
        examples=[
            {
                "sandbox_perpetual": {
                    key.replace("sandbox", "sandbox_perpetual"): text for key, text in SANDBOX_KEYS.items()
                }
            }
        ],
    )
    """Of each connector, by name, its fields by name."""


class Connection(Value):
    """A credential and where its connector is found."""

    account_name: str
    """The account's name."""
    connector_name: str
    """The connector's name."""
    address: str
    """Where its actor is."""


class ListConnections(Message[tuple[Connection, ...]]):
    """The credentials of some accounts and connectors, all if none are named; `NotFound` for an unknown one."""

    account_names: tuple[str, ...] | None = None
    connector_names: tuple[str, ...] | None = None


class GetAccountBalances(Message[dict[str, Any]]):
    """An account's balances by connector."""

    account_name: AccountName


class BringUp(Message[None]):
    """The registry's message to itself: start what should run and does not."""
