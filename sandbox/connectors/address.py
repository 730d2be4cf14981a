"""Where the connectors find the exchange."""

import os

VARIABLE = "AVIARY_SANDBOX_URL"
"""Environment variable with the exchange's address, such as `http://127.0.0.1:8765`."""

DEFAULT = "http://127.0.0.1:8765"


def base_url() -> str:
    """The exchange's address, without a slash at the end; read anew at each call."""
    return os.environ.get(VARIABLE, DEFAULT).rstrip("/")


def websocket_url(base: str) -> str:
    """The address for websockets."""
    return "ws" + base.removeprefix("http")
