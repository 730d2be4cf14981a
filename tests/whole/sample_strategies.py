"""A market-making configuration, and the smallest sources that an upload can have."""

from typing import Any

CONTROLLER: dict[str, Any] = {
    "controller_name": "pmm_simple",
    "controller_type": "market_making",
    "connector_name": "sandbox",
    "trading_pair": "BTC-USDT",
    "total_amount_quote": 1000,
    "buy_spreads": [0.001],
    "sell_spreads": [0.001],
    "executor_refresh_time": 60,
}


def controller_source(name: str) -> str:
    """A generic controller that does nothing."""
    return f"""
from hummingbot.strategy_v2.controllers.controller_base import ControllerBase, ControllerConfigBase


class {name.title()}Config(ControllerConfigBase):
    controller_name: str = "{name}"
    controller_type: str = "generic"
    size: int = 3


class {name.title()}(ControllerBase):
    pass
"""


def script_source(name: str) -> str:
    """A script that does nothing."""
    return f"""
from hummingbot.strategy.strategy_v2_base import StrategyV2Base, StrategyV2ConfigBase


class {name.title()}Config(StrategyV2ConfigBase):
    script_file_name: str = "{name}.py"


class {name.title()}(StrategyV2Base):
    pass
"""
