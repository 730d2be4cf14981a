"""A source for hummingbot's rate oracle that reads this exchange, so that rates work without internet."""

from typing import Any

from hummingbot.core.rate_oracle.sources.binance_rate_source import BinanceRateSource


class SandboxRateSource(BinanceRateSource):  # type: ignore[misc]
    """Mid prices of the connector `sandbox`."""

    @property
    def name(self) -> str:
        """The source's name."""
        return "sandbox"

    _binance_exchange: Any

    def _ensure_exchanges(self) -> None:
        if self._binance_exchange is None:
            from hummingbot.connector.exchange.sandbox.sandbox_exchange import SandboxExchange

            self._binance_exchange = SandboxExchange(
                sandbox_api_key="", sandbox_api_secret="", trading_pairs=[], trading_required=False
            )
