"""What is answered about accounts and the keys that connectors take."""

from typing import Any

from aviary.actors.core.message import Value
from aviary.actors.messages.connectors import Balance


class NoBalances(Value):
    """Why the balances of a connector are not known."""

    error: str
    """The reason, in words."""


type AccountBalances = dict[str, dict[str, Balance] | NoBalances]
"""By connector, then by token."""


class KeyField(Value):
    """A field of a connector's credential."""

    type: str
    """The name of its type; `SecretStr` for what is kept secret."""
    required: bool
    """Whether it has to be given."""
    default: Any = None
    """What it is if it is not given; left out if there is nothing."""


type KeyFields = dict[str, KeyField]
"""By the field's name."""
