"""The connector `sandbox`: hummingbot's connector for Binance, with other names and addresses."""

from decimal import Decimal
from typing import Any

from aviary.sandbox.connectors.address import base_url, websocket_url
from aviary.sandbox.connectors.introduction import introduced
from hummingbot.connector.exchange.binance import binance_constants as constants
from hummingbot.connector.exchange.binance.binance_api_order_book_data_source import BinanceAPIOrderBookDataSource
from hummingbot.connector.exchange.binance.binance_api_user_stream_data_source import (
    BinanceAPIUserStreamDataSource,
)
from hummingbot.connector.exchange.binance.binance_auth import BinanceAuth
from hummingbot.connector.exchange.binance.binance_exchange import BinanceExchange
from hummingbot.connector.exchange.sandbox import sandbox_web_utils
from hummingbot.core.web_assistant.connections.data_types import RESTMethod


class SandboxAuth(BinanceAuth):  # type: ignore[misc]
    """Binance's signatures; the secret is sent along, so that the exchange can keep the first one of a key."""

    def header_for_authentication(self) -> dict[str, str]:
        """Headers of an authenticated request."""
        return introduced(super().header_for_authentication(), self.secret_key)


class SandboxOrderBookDataSource(BinanceAPIOrderBookDataSource):  # type: ignore[misc]
    """Order books and trades."""

    async def _request_order_book_snapshot(self, trading_pair: str) -> dict[str, Any]:
        symbol = await self._connector.exchange_symbol_associated_to_pair(trading_pair=trading_pair)
        assistant = await self._api_factory.get_rest_assistant()
        snapshot: dict[str, Any] = await assistant.execute_request(
            url=sandbox_web_utils.public_rest_url(constants.SNAPSHOT_PATH_URL, self._domain),
            params={"symbol": symbol, "limit": "1000"},
            method=RESTMethod.GET,
            throttler_limit_id=constants.SNAPSHOT_PATH_URL,
        )
        return snapshot

    async def _connected_websocket_assistant(self) -> Any:
        socket = await self._api_factory.get_ws_assistant()
        await socket.connect(
            ws_url=websocket_url(self._domain) + "/ws", ping_timeout=constants.WS_HEARTBEAT_TIME_INTERVAL
        )
        return socket


class SandboxUserStreamDataSource(BinanceAPIUserStreamDataSource):  # type: ignore[misc]
    """The user stream over the websocket API."""

    async def _connected_websocket_assistant(self) -> Any:
        socket = await self._get_ws_assistant()
        await socket.connect(
            ws_url=websocket_url(self._domain) + "/ws-api/v3", ping_timeout=constants.WS_HEARTBEAT_TIME_INTERVAL
        )
        return socket


class SandboxExchange(BinanceExchange):  # type: ignore[misc]
    """The spot connector. The exchange's address is read when it is made, and serves as its domain."""

    web_utils = sandbox_web_utils

    def __init__(
        self,
        sandbox_api_key: str,
        sandbox_api_secret: str,
        balance_asset_limit: dict[str, dict[str, Decimal]] | None = None,
        rate_limits_share_pct: Decimal = Decimal(100),
        trading_pairs: list[str] | None = None,
        trading_required: bool = True,  # noqa: FBT001, FBT002 -- hummingbot's signature
        domain: str | None = None,
    ) -> None:
        super().__init__(
            binance_api_key=sandbox_api_key,
            binance_api_secret=sandbox_api_secret,
            balance_asset_limit=balance_asset_limit,
            rate_limits_share_pct=rate_limits_share_pct,
            trading_pairs=trading_pairs,
            trading_required=trading_required,
            domain=domain or base_url(),
        )

    @property
    def name(self) -> str:
        """The connector's name."""
        return "sandbox"

    @property
    def authenticator(self) -> SandboxAuth:
        """What signs the requests."""
        return SandboxAuth(api_key=self.api_key, secret_key=self.secret_key, time_provider=self._time_synchronizer)

    def _create_web_assistants_factory(self) -> Any:
        return sandbox_web_utils.build_api_factory(
            throttler=self._throttler,
            time_synchronizer=self._time_synchronizer,
            domain=self._domain,
            auth=self._auth,
        )

    def _create_order_book_data_source(self) -> SandboxOrderBookDataSource:
        return SandboxOrderBookDataSource(
            trading_pairs=self._trading_pairs,
            connector=self,
            domain=self.domain,
            api_factory=self._web_assistants_factory,
        )

    def _create_user_stream_data_source(self) -> SandboxUserStreamDataSource:
        return SandboxUserStreamDataSource(
            auth=self._auth,
            trading_pairs=self._trading_pairs,
            connector=self,
            api_factory=self._web_assistants_factory,
            domain=self.domain,
        )
