"""What hummingbot's settings ask of the connector `sandbox`."""

from hummingbot.client.config.config_data_types import BaseConnectorConfigMap
from hummingbot.connector.exchange.binance.binance_utils import DEFAULT_FEES
from pydantic import ConfigDict, Field, SecretStr

CENTRALIZED = True

EXAMPLE_PAIR = "BTC-USDT"


class SandboxConfigMap(BaseConnectorConfigMap):  # type: ignore[misc]
    """Key and secret; any key that begins with `sandbox` will do."""

    connector: str = "sandbox"
    sandbox_api_key: SecretStr = Field(
        default=...,
        json_schema_extra={
            "prompt": "Enter your sandbox API key (any text that begins with 'sandbox')",
            "is_secure": True,
            "is_connect_key": True,
            "prompt_on_new": True,
        },
    )
    sandbox_api_secret: SecretStr = Field(
        default=...,
        json_schema_extra={
            "prompt": "Enter your sandbox API secret (any text)",
            "is_secure": True,
            "is_connect_key": True,
            "prompt_on_new": True,
        },
    )
    model_config = ConfigDict(title="sandbox")


KEYS = SandboxConfigMap.model_construct()

__all__ = ["CENTRALIZED", "DEFAULT_FEES", "EXAMPLE_PAIR", "KEYS", "SandboxConfigMap"]
