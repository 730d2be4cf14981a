"""Parameters of a request, read with Binance's refusals for those that are missing or malformed."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from aviary.sandbox.refusals import Refused, illegal, missing

_NUMBER = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
_CLIENT_ID = r"^[a-zA-Z0-9-_]{1,36}$"
_INTEGER = r"^[0-9]{1,20}$"

_GREATEST = 2**63 - 1
"""Binance's whole numbers are signed and have 64 bits, and so are those of SQLite."""


class Parameters:
    """What a client sent, query and body together."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def __contains__(self, name: str) -> bool:
        return bool(self._values.get(name))

    def text(self, name: str) -> str:
        """A mandatory text."""
        value = self._values.get(name)
        if not value:
            raise missing(name)
        return value

    def optional(self, name: str) -> str | None:
        """A text, or None."""
        return self._values.get(name) or None

    def decimal(self, name: str) -> Decimal:
        """A mandatory number that is not negative."""
        value = self.text(name)
        if not re.fullmatch(_NUMBER, value):
            raise illegal(name, _NUMBER)
        try:
            return Decimal(value)
        except InvalidOperation as error:
            raise illegal(name, _NUMBER) from error

    def integer(self, name: str, default: int | None = None) -> int:
        """A whole number that is not negative; mandatory unless there is a default."""
        if default is not None and name not in self:
            return default
        value = self.text(name)
        if not re.fullmatch(_INTEGER, value) or int(value) > _GREATEST:
            raise illegal(name, _INTEGER)
        return int(value)

    def optional_integer(self, name: str) -> int | None:
        """A whole number, or None."""
        return self.integer(name) if name in self else None

    def choice[Choice: StrEnum](self, name: str, choices: type[Choice], refusal: Refused) -> Choice:
        """One of an enumeration's values; anything else is refused as given."""
        value = self.text(name).upper()
        try:
            return choices(value)
        except ValueError as error:
            raise refusal from error

    def flag(self, name: str) -> bool:
        """A truth value; absent means false."""
        value = (self._values.get(name) or "false").lower()
        if value not in ("true", "false"):
            raise illegal(name, "true|false")
        return value == "true"

    def client_id(self, name: str) -> str | None:
        """A client order id, or None."""
        value = self.optional(name)
        if value is not None and not re.fullmatch(_CLIENT_ID, value):
            raise illegal(name, _CLIENT_ID)
        return value
