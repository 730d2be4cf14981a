"""What the template imports, so that no child has to."""

import importlib

MODULES = (
    "hummingbot.client.settings",
    "hummingbot.client.config.security",
    "hummingbot.client.hummingbot_application",
    "hummingbot.client.runner",
    "hummingbot.connector.exchange.binance.binance_exchange",
    "hummingbot.connector.derivative.binance_perpetual.binance_perpetual_derivative",
    "hummingbot.data_feed.candles_feed.candles_factory",
    "hummingbot.data_feed.market_data_provider",
    "hummingbot.strategy_v2.controllers.controller_base",
    "hummingbot.strategy_v2.controllers.market_making_controller_base",
    "hummingbot.strategy_v2.controllers.directional_trading_controller_base",
    "hummingbot.strategy_v2.executors.executor_orchestrator",
    "hummingbot.strategy.strategy_v2_base",
    "hummingbot.remote_iface.mqtt",
    "aviary.actors.engine.host",
)
"""Modules of hosts, bots and workers. Each of them may take no loop, thread or connection when imported."""


def preload() -> None:
    """Import all of it, and make the simulated exchange a connector like any other."""
    for module in MODULES:
        importlib.import_module(module)

    from aviary.sandbox.connectors import register

    register()
