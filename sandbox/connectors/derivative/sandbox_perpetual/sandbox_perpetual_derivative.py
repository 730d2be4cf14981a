"""The connector `sandbox_perpetual`: hummingbot's connector for Binance futures, with other names and addresses."""

from decimal import Decimal
from typing import Any

from aviary.sandbox.connectors.address import base_url
from aviary.sandbox.connectors.introduction import introduced
from hummingbot.connector.derivative.binance_perpetual import binance_perpetual_constants as constants
from hummingbot.connector.derivative.binance_perpetual.binance_perpetual_api_order_book_data_source import (
    BinancePerpetualAPIOrderBookDataSource,
)
from hummingbot.connector.derivative.binance_perpetual.binance_perpetual_auth import BinancePerpetualAuth
from hummingbot.connector.derivative.binance_perpetual.binance_perpetual_derivative import (
    BinancePerpetualDerivative,
)
from hummingbot.connector.derivative.binance_perpetual.binance_perpetual_user_stream_data_source import (
    BinancePerpetualUserStreamDataSource,
)
from hummingbot.connector.derivative.sandbox_perpetual import sandbox_perpetual_web_utils as web_utils
from hummingbot.core.web_assistant.connections.data_types import RESTMethod

LISTEN_KEY_ATTEMPTS = 4
"""Tries to get a listen key, one, two and four seconds apart, as hummingbot makes them."""

LISTEN_KEY_TIMEOUT = 5.0


class SandboxPerpetualAuth(BinancePerpetualAuth):  # type: ignore[misc]
    """Binance's signatures; the secret is sent along, so that the exchange can keep the first one of a key."""

    def header_for_authentication(self) -> dict[str, str]:
        """Headers of an authenticated request."""
        return introduced(super().header_for_authentication(), self._api_secret)


class SandboxPerpetualOrderBookDataSource(BinancePerpetualAPIOrderBookDataSource):  # type: ignore[misc]
    """Order books, trades and funding."""

    async def _connected_websocket_assistant(self) -> Any:
        return await self._connected(constants.PUBLIC_WS_ENDPOINT)

    async def _connected_market_websocket_assistant(self) -> Any:
        return await self._connected(constants.MARKET_WS_ENDPOINT)

    async def _connected(self, endpoint: str) -> Any:
        socket = await self._api_factory.get_ws_assistant()
        await socket.connect(
            ws_url=web_utils.wss_url(endpoint, self._domain), ping_timeout=constants.HEARTBEAT_TIME_INTERVAL
        )
        return socket


class SandboxPerpetualUserStreamDataSource(BinancePerpetualUserStreamDataSource):  # type: ignore[misc]
    """The user stream by listen key."""

    async def _get_listen_key(self, max_retries: int = LISTEN_KEY_ATTEMPTS - 1) -> str:
        assistant = await self._api_factory.get_rest_assistant()
        for attempt in range(max_retries + 1):
            try:
                answer = await assistant.execute_request(
                    url=web_utils.private_rest_url(constants.BINANCE_USER_STREAM_ENDPOINT, self._domain),
                    method=RESTMethod.POST,
                    throttler_limit_id=constants.BINANCE_USER_STREAM_ENDPOINT,
                    headers=self._auth.header_for_authentication(),
                    timeout=LISTEN_KEY_TIMEOUT,
                )
                return str(answer["listenKey"])
            except OSError as error:
                if attempt == max_retries:
                    raise OSError(f"No listen key for the user stream after {attempt} retries: {error}") from error
                self.logger().warning(f"Retry {attempt + 1} of fetching the listen key: {error!r}")
                await self._sleep(2.0**attempt)
        raise OSError("No attempt to get a listen key was allowed")

    async def _connected_websocket_assistant(self) -> Any:
        await self._ensure_listen_key_task_running()
        await self._listen_key_initialized_event.wait()
        socket = await self._get_ws_assistant()
        url = web_utils.wss_url(constants.PRIVATE_WS_ENDPOINT, self._domain)
        await socket.connect(
            ws_url=f"{url}?listenKey={self._current_listen_key}", ping_timeout=self.HEARTBEAT_TIME_INTERVAL
        )
        return socket


class SandboxPerpetualDerivative(BinancePerpetualDerivative):  # type: ignore[misc]
    """The perpetual connector. The exchange's address is read when it is made, and serves as its domain."""

    web_utils = web_utils

    def __init__(
        self,
        balance_asset_limit: dict[str, dict[str, Decimal]] | None = None,
        rate_limits_share_pct: Decimal = Decimal(100),
        sandbox_perpetual_api_key: str | None = None,
        sandbox_perpetual_api_secret: str | None = None,
        trading_pairs: list[str] | None = None,
        trading_required: bool = True,  # noqa: FBT001, FBT002 -- hummingbot's signature
        domain: str | None = None,
    ) -> None:
        super().__init__(
            balance_asset_limit=balance_asset_limit,
            rate_limits_share_pct=rate_limits_share_pct,
            binance_perpetual_api_key=sandbox_perpetual_api_key,
            binance_perpetual_api_secret=sandbox_perpetual_api_secret,
            trading_pairs=trading_pairs,
            trading_required=trading_required,
            domain=domain or base_url(),
        )

    @property
    def name(self) -> str:
        """The connector's name."""
        return "sandbox_perpetual"

    @property
    def authenticator(self) -> SandboxPerpetualAuth:
        """What signs the requests."""
        return SandboxPerpetualAuth(
            self.binance_perpetual_api_key, self.binance_perpetual_secret_key, self._time_synchronizer
        )

    def _create_web_assistants_factory(self) -> Any:
        return web_utils.build_api_factory(
            throttler=self._throttler,
            time_synchronizer=self._time_synchronizer,
            domain=self._domain,
            auth=self._auth,
        )

    def _create_order_book_data_source(self) -> SandboxPerpetualOrderBookDataSource:
        return SandboxPerpetualOrderBookDataSource(
            trading_pairs=self._trading_pairs,
            connector=self,
            api_factory=self._web_assistants_factory,
            domain=self.domain,
        )

    def _create_user_stream_data_source(self) -> SandboxPerpetualUserStreamDataSource:
        return SandboxPerpetualUserStreamDataSource(
            auth=self._auth,
            connector=self,
            api_factory=self._web_assistants_factory,
            domain=self.domain,
        )
