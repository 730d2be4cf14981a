"""Candle feeds: Binance's, pointed at this exchange. The address is read when a feed is made."""

from typing import Any

from aviary.sandbox.connectors.address import base_url, websocket_url
from hummingbot.data_feed.candles_feed.binance_perpetual_candles import BinancePerpetualCandles
from hummingbot.data_feed.candles_feed.binance_spot_candles import BinanceSpotCandles


class SandboxSpotCandles(BinanceSpotCandles):  # type: ignore[misc]
    """Candles of the connector `sandbox`."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._base_url = base_url()
        super().__init__(*arguments, **named)

    @property
    def name(self) -> str:
        """The feed's name."""
        return f"sandbox_{self._trading_pair}"

    @property
    def rest_url(self) -> str:
        """Where the REST API is."""
        return self._base_url

    @property
    def wss_url(self) -> str:
        """Where the streams are."""
        return websocket_url(self._base_url) + "/ws"


class SandboxPerpetualCandles(BinancePerpetualCandles):  # type: ignore[misc]
    """Candles of the connector `sandbox_perpetual`."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._base_url = base_url()
        super().__init__(*arguments, **named)

    @property
    def name(self) -> str:
        """The feed's name."""
        return f"sandbox_perpetual_{self._trading_pair}"

    @property
    def rest_url(self) -> str:
        """Where the REST API is."""
        return self._base_url

    @property
    def wss_url(self) -> str:
        """Where the streams are."""
        return websocket_url(self._base_url) + "/market/stream"
