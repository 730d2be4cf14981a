"""What hummingbot's settings ask of the connector `sandbox_perpetual`."""

from aviary.sandbox.connectors.credentials import key_field, secret_field
from hummingbot.client.config.config_data_types import BaseConnectorConfigMap
from hummingbot.connector.derivative.binance_perpetual.binance_perpetual_utils import DEFAULT_FEES
from pydantic import ConfigDict, SecretStr

CENTRALIZED = True

EXAMPLE_PAIR = "BTC-USDT"


class SandboxPerpetualConfigMap(BaseConnectorConfigMap):  # type: ignore[misc]
    """Key and secret; any key that begins with `sandbox` will do."""

    connector: str = "sandbox_perpetual"
    sandbox_perpetual_api_key: SecretStr = key_field()
    sandbox_perpetual_api_secret: SecretStr = secret_field()
    model_config = ConfigDict(title="sandbox_perpetual")


KEYS = SandboxPerpetualConfigMap.model_construct()

__all__ = ["CENTRALIZED", "DEFAULT_FEES", "EXAMPLE_PAIR", "KEYS", "SandboxPerpetualConfigMap"]
