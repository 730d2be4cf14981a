"""What hummingbot's settings ask of the connector `sandbox`."""

from aviary.sandbox.connectors.credentials import key_field, secret_field
from hummingbot.client.config.config_data_types import BaseConnectorConfigMap
from hummingbot.connector.exchange.binance.binance_utils import DEFAULT_FEES
from pydantic import ConfigDict, SecretStr

CENTRALIZED = True

EXAMPLE_PAIR = "BTC-USDT"


class SandboxConfigMap(BaseConnectorConfigMap):  # type: ignore[misc]
    """Key and secret; any key that begins with `sandbox` will do."""

    connector: str = "sandbox"
    sandbox_api_key: SecretStr = key_field()
    sandbox_api_secret: SecretStr = secret_field()
    model_config = ConfigDict(title="sandbox")


KEYS = SandboxConfigMap.model_construct()

__all__ = ["CENTRALIZED", "DEFAULT_FEES", "EXAMPLE_PAIR", "KEYS", "SandboxConfigMap"]
