"""The fields of a credential, as hummingbot's settings describe them."""

from typing import Any

from pydantic import Field


def credential_field(what: str, hint: str) -> Any:
    """A secret that an operator is asked for."""
    return Field(
        default=...,
        json_schema_extra={
            "prompt": f"Enter your sandbox API {what} ({hint})",
            "is_secure": True,
            "is_connect_key": True,
            "prompt_on_new": True,
        },
    )


def key_field() -> Any:
    """The API key."""
    return credential_field("key", "any text that begins with 'sandbox'")


def secret_field() -> Any:
    """The API secret."""
    return credential_field("secret", "any text")
