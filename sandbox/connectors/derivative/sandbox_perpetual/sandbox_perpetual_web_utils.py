"""Addresses and request factories of the connector `sandbox_perpetual`; its domain is the exchange's address."""

from collections.abc import Callable
from typing import Any

from aviary.sandbox.connectors.address import base_url, websocket_url
from aviary.sandbox.connectors.requests import factory_of, server_time
from hummingbot.connector.derivative.binance_perpetual import binance_perpetual_constants as constants
from hummingbot.connector.derivative.binance_perpetual.binance_perpetual_web_utils import (
    BinancePerpetualRESTPreProcessor,
    build_api_factory_without_time_synchronizer_pre_processor,
    create_throttler,
    is_exchange_information_valid,
)

__all__ = [
    "build_api_factory",
    "create_throttler",
    "get_current_server_time",
    "is_exchange_information_valid",
    "private_rest_url",
    "public_rest_url",
    "wss_url",
]


def public_rest_url(path_url: str, domain: str | None = None) -> str:
    """Full address of a public endpoint."""
    return f"{domain or base_url()}/fapi/{path_url}"


def private_rest_url(path_url: str, domain: str | None = None) -> str:
    """Full address of a private endpoint."""
    return public_rest_url(path_url, domain)


def wss_url(endpoint: str, domain: str | None = None) -> str:
    """Full address of a websocket endpoint."""
    return f"{websocket_url(domain or base_url())}/{endpoint}"


def build_api_factory(
    throttler: Any = None,
    time_synchronizer: Any = None,
    domain: str | None = None,
    time_provider: Callable[[], Any] | None = None,
    auth: Any = None,
) -> Any:
    """A factory of request assistants that keep to the exchange's time."""
    throttler = throttler or create_throttler()
    provider = time_provider or (lambda: get_current_server_time(throttler=throttler, domain=domain))
    return factory_of(throttler, time_synchronizer, provider, auth, [BinancePerpetualRESTPreProcessor()])


async def get_current_server_time(throttler: Any = None, domain: str | None = None) -> float:
    """The exchange's time in Unix milliseconds."""
    factory = build_api_factory_without_time_synchronizer_pre_processor(throttler=throttler or create_throttler())
    url = public_rest_url(constants.SERVER_TIME_PATH_URL, domain)
    return await server_time(factory, url, constants.SERVER_TIME_PATH_URL)
