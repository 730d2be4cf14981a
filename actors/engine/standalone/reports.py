"""What an executor says of itself, as JSON."""

from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from typing import Any

from pydantic import BaseModel

LEFT_OUT = frozenset({"levels_by_state", "filled_orders", "failed_orders", "canceled_orders", "fill_events"})
"""Of a grid: what grows with every order."""


def plain(value: Any) -> Any:
    """A value as JSON: enums by name, decimals as numbers, what is no number as null."""
    match value:
        case None | bool() | int() | str():
            return value.name if isinstance(value, Enum) else value
        case float():
            return value if value - value == 0 else None
        case Decimal():
            return float(value) if value.is_finite() else None
        case Enum():
            return value.name
        case BaseModel():
            return {name: plain(getattr(value, name)) for name in type(value).model_fields}
        case Mapping():
            return {str(plain(key)): plain(one) for key, one in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(one) for one in value]
        case _:
            return str(value)


def report_of(executor: Any) -> dict[str, Any]:
    """An executor's state and results. Raises what hummingbot's own sums raise, while there is no price for instance."""
    info = executor.executor_info
    custom = {name: one for name, one in info.custom_info.items() if name not in LEFT_OUT}
    return {
        "status": info.status.name,
        "close_type": None if info.close_type is None else info.close_type.name,
        "close_timestamp": info.close_timestamp,
        "is_trading": info.is_trading,
        "side": plain(info.side),
        "net_pnl_quote": plain(info.net_pnl_quote),
        "net_pnl_pct": plain(info.net_pnl_pct),
        "cum_fees_quote": plain(info.cum_fees_quote),
        "filled_amount_quote": plain(info.filled_amount_quote),
        "config": plain(executor.config),
        "custom_info": plain(custom),
    }
