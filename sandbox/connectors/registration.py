"""Telling hummingbot of the connectors."""

import importlib
import sys
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent

_PACKAGES = ("exchange", "derivative")

_SETTINGS = "hummingbot.client.settings"
_CANDLES = "hummingbot.data_feed.candles_feed.candles_factory"
_RATES = "hummingbot.core.rate_oracle.rate_oracle"
_CLIENT_CONFIG = "hummingbot.client.config.client_config_map"

SPOT = "sandbox"
PERPETUAL = "sandbox_perpetual"


def register() -> None:
    """Make both connectors known to the hummingbot of this process. Calling it again changes nothing.

    hummingbot's root path must have been replaced before, where it is to be: the settings module is imported here.
    """
    for name in _PACKAGES:
        package = importlib.import_module(f"hummingbot.connector.{name}")
        folder = str(_HERE / name)
        if folder not in package.__path__:
            package.__path__.append(folder)
    _register_settings(importlib.import_module(_SETTINGS))
    _register_candles(importlib.import_module(_CANDLES))
    # The client configuration offers the rate sources that exist when it is imported.
    already = sys.modules.get(_CLIENT_CONFIG)
    _register_rates(importlib.import_module(_RATES))
    _register_rate_mode(already or importlib.import_module(_CLIENT_CONFIG))


def _register_settings(settings: Any) -> None:
    catalogue = settings.AllConnectorSettings
    if not getattr(catalogue, "knows_sandbox", False):
        create = catalogue.create_connector_settings.__func__

        def create_with_sandbox(cls: Any) -> Any:
            create(cls)
            _add_settings(settings, cls.all_connector_settings)
            return cls.all_connector_settings

        catalogue.create_connector_settings = classmethod(create_with_sandbox)
        catalogue.knows_sandbox = True
    if catalogue.all_connector_settings:
        _add_settings(settings, catalogue.all_connector_settings)


def _add_settings(settings: Any, known: dict[str, Any]) -> None:
    for package, name in (("exchange", SPOT), ("derivative", PERPETUAL)):
        if name in known:
            continue
        described = importlib.import_module(f"hummingbot.connector.{package}.{name}.{name}_utils")
        known[name] = settings.ConnectorSetting(
            name=name,
            type=settings.ConnectorType[package.capitalize()],
            example_pair=described.EXAMPLE_PAIR,
            centralised=described.CENTRALIZED,
            use_ethereum_wallet=False,
            trade_fee_schema=described.DEFAULT_FEES,
            config_keys=described.KEYS,
            is_sub_domain=False,
            parent_name=None,
            domain_parameter=None,
            use_eth_gas_lookup=False,
        )


def _register_candles(factory: Any) -> None:
    from aviary.sandbox.connectors.candles import SandboxPerpetualCandles, SandboxSpotCandles

    feeds = factory.CandlesFactory._candles_map  # noqa: SLF001 -- there is no other way in
    feeds.setdefault(SPOT, SandboxSpotCandles)
    feeds.setdefault(PERPETUAL, SandboxPerpetualCandles)


def _register_rates(oracle: Any) -> None:
    from aviary.sandbox.connectors.rates import SandboxRateSource

    oracle.RATE_ORACLE_SOURCES.setdefault(SPOT, SandboxRateSource)


def _register_rate_mode(client_config: Any) -> None:
    if SPOT in client_config.RATE_SOURCE_MODES:
        return
    from pydantic import ConfigDict

    # The configuration accepts instances of the modes it was made with, so this one is a kind of Binance's.
    mode = type(
        "SandboxRateSourceMode",
        (client_config.BinanceRateSourceMode,),
        {
            "__module__": __name__,
            "__annotations__": {"name": str},
            "name": SPOT,
            "model_config": ConfigDict(title=SPOT),
        },
    )
    client_config.RATE_SOURCE_MODES[SPOT] = mode
