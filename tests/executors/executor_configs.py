"""Configurations of executors that the tests begin."""

from decimal import Decimal
from typing import Any

type Config = dict[str, Any]

FAR = Decimal("0.9")
"""Of the market's price: a buying order there rests."""


def position(price: Decimal, pair: str = "BTC-USDT", **changes: Any) -> Config:
    """An entry far below the market."""
    return {
        "type": "position_executor",
        "connector_name": "sandbox",
        "trading_pair": pair,
        "side": "BUY",
        "amount": "0.01",
        "entry_price": f"{price * FAR:f}",
        **changes,
    }


def entered(price: Decimal, pair: str = "BTC-USDT", **changes: Any) -> Config:
    """An entry at the market, with exits far away."""
    barriers = {"open_order_type": "MARKET", "take_profit": "0.5", "stop_loss": "0.5"}
    return position(price, pair, entry_price=None, triple_barrier_config=barriers, **changes)


def grid(price: Decimal, pair: str = "ETH-USDT", **changes: Any) -> Config:
    """Three levels that all enter below the market; their exits rest far above it, and so does the end of the range."""
    return {
        "type": "grid_executor",
        "connector_name": "sandbox",
        "trading_pair": pair,
        "side": 1,
        "start_price": f"{price * Decimal('0.85'):f}",
        "end_price": f"{price * Decimal('1.05'):f}",
        "safe_extra_spread": "0.05",
        "limit_price": "0",
        "total_amount_quote": "300",
        "min_order_amount_quote": "90",
        "min_spread_between_orders": "0.01",
        "max_open_orders": 3,
        "order_frequency": 0,
        "triple_barrier_config": {"take_profit": "0.3", "take_profit_order_type": "LIMIT"},
        **changes,
    }


def order(price: Decimal, pair: str = "SOL-USDT", **changes: Any) -> Config:
    """A limit order far below the market."""
    return {
        "type": "order_executor",
        "connector_name": "sandbox",
        "trading_pair": pair,
        "side": "BUY",
        "amount": "2",
        "execution_strategy": "LIMIT",
        "price": f"{price * FAR:f}",
        **changes,
    }


def dca(price: Decimal, pair: str = "BTC-USDT", **changes: Any) -> Config:
    """Two levels far below the market."""
    return {
        "type": "dca_executor",
        "connector_name": "sandbox",
        "trading_pair": pair,
        "side": "BUY",
        "amounts_quote": ["300", "300"],
        "prices": [f"{price * FAR:f}", f"{price * FAR * FAR:f}"],
        "take_profit": "0.9",
        **changes,
    }


def twap(_price: Decimal, pair: str = "ETH-USDT", **changes: Any) -> Config:
    """Three slices at the market, one every six seconds."""
    return {
        "type": "twap_executor",
        "connector_name": "sandbox",
        "trading_pair": pair,
        "side": "BUY",
        "total_amount_quote": "300",
        "total_duration": 12,
        "order_interval": 6,
        **changes,
    }
