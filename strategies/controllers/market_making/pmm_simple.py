"""Pure market making: quotes at fixed distances on both sides of the middle price.

Each level is a position of its own: opened with a limit order, closed by take profit, stop loss or time. Quotes that
have not traded are moved every `executor_refresh_time` seconds. A bot sees this file as
`controllers.market_making.pmm_simple`.
"""

from decimal import Decimal
from typing import Any

from hummingbot.strategy_v2.controllers.market_making_controller_base import (
    MarketMakingControllerBase,
    MarketMakingControllerConfigBase,
)
from hummingbot.strategy_v2.executors.position_executor.data_types import PositionExecutorConfig
from pydantic import model_validator

DEFAULTS = {
    "buy_spreads": "0.01,0.02",
    "sell_spreads": "0.01,0.02",
    "buy_amounts_pct": "",
    "sell_amounts_pct": "",
}
"""Text as the base class parses it; an empty one means one equal share a level."""


class PMMSimpleConfig(MarketMakingControllerConfigBase):  # type: ignore[misc]  # hummingbot is untyped
    """The base class's fields are all there is: spreads, amounts, refresh time, barriers, leverage."""

    controller_name: str = "pmm_simple"

    @model_validator(mode="before")
    @classmethod
    def spell_out_defaults(cls, values: Any) -> Any:
        """Equal amounts on all levels unless told otherwise: the base class only parses what is given."""
        if isinstance(values, dict):
            given = {name: value for name, value in values.items() if value is not None}
            return {**DEFAULTS, **given}
        return values


class PMMSimple(MarketMakingControllerBase):  # type: ignore[misc]  # hummingbot is untyped
    """Keeps one position executor alive on each level."""

    def __init__(self, config: PMMSimpleConfig, *args: Any, **kwargs: Any) -> None:
        super().__init__(config, *args, **kwargs)
        self.config = config

    def get_executor_config(self, level_id: str, price: Decimal, amount: Decimal) -> PositionExecutorConfig | None:
        """What to open on a level; `None` if the exchange's rules leave nothing of the amount."""
        provider = self.market_data_provider
        connector, pair = self.config.connector_name, self.config.trading_pair
        quantized_price = provider.quantize_order_price(connector, pair, price)
        quantized_amount = provider.quantize_order_amount(connector, pair, amount)
        if quantized_amount <= 0 or quantized_price <= 0:
            return None
        return PositionExecutorConfig(
            timestamp=provider.time(),
            level_id=level_id,
            connector_name=connector,
            trading_pair=pair,
            entry_price=quantized_price,
            amount=quantized_amount,
            triple_barrier_config=self.config.triple_barrier_config,
            leverage=self.config.leverage,
            side=self.get_trade_type_from_level_id(level_id),
        )

    def to_format_status(self) -> list[str]:
        """One line for the status text."""
        reference = self.processed_data.get("reference_price")
        return [f"  Reference price: {reference}, {len(self.executors_info)} executors"]
