"""Hummingbot's objects in the port's notation: JSON values, Decimals as plain text, NaN as null."""

from decimal import Decimal
from typing import Any


def clean(value: Any) -> str | None:
    """A number as text without an exponent, `None` for nothing and for NaN."""
    if value is None:
        return None
    number = Decimal(str(value))
    return f"{number:f}" if number.is_finite() else None


def fee_of(fee: Any) -> dict[str, Any]:
    """A fee: `fee_percent` (of `fee_percent_token`) and `fees`, the flat amounts by token."""
    fees: dict[str, Decimal] = {}
    for flat in fee.flat_fees:
        fees[flat.token] = fees.get(flat.token, Decimal(0)) + flat.amount
    return {
        "fee_percent": clean(fee.percent),
        "fee_percent_token": fee.percent_token,
        "fees": {token: clean(amount) for token, amount in fees.items()},
    }


def order_of(order: Any) -> dict[str, Any]:
    """An order that hummingbot tracks."""
    return {
        "client_order_id": order.client_order_id,
        "exchange_order_id": order.exchange_order_id,
        "trading_pair": order.trading_pair,
        "side": order.trade_type.name,
        "order_type": order.order_type.name,
        "price": clean(order.price),
        "amount": clean(order.amount),
        "position_action": order.position.name,
        "state": order.current_state.name,
        "executed_base": clean(order.executed_amount_base),
        "executed_quote": clean(order.executed_amount_quote),
        "creation_timestamp": order.creation_timestamp,
        "last_update_timestamp": order.last_update_timestamp,
    }


def trade_of(update: Any, order: Any) -> dict[str, Any]:
    """A fill of a known order, in the form of a `fill/…` event."""
    return {
        "client_order_id": order.client_order_id,
        "exchange_order_id": str(update.exchange_order_id),
        "trade_id": str(update.trade_id),
        "trading_pair": order.trading_pair,
        "side": order.trade_type.name,
        "order_type": order.order_type.name,
        "price": clean(update.fill_price),
        "amount": clean(update.fill_base_amount),
        "position": order.position.name,
        "timestamp": update.fill_timestamp,
        **fee_of(update.fee),
    }


def rule_of(rule: Any) -> dict[str, Any]:
    """A trading rule, with the released server's field names."""
    return {
        "min_order_size": clean(rule.min_order_size),
        "max_order_size": clean(rule.max_order_size),
        "min_price_increment": clean(rule.min_price_increment),
        "min_base_amount_increment": clean(rule.min_base_amount_increment),
        "min_quote_amount_increment": clean(rule.min_quote_amount_increment),
        "min_notional_size": clean(rule.min_notional_size),
        "min_order_value": clean(rule.min_order_value),
        "max_price_significant_digits": clean(rule.max_price_significant_digits),
        "supports_limit_orders": rule.supports_limit_orders,
        "supports_market_orders": rule.supports_market_orders,
        "buy_order_collateral_token": rule.buy_order_collateral_token,
        "sell_order_collateral_token": rule.sell_order_collateral_token,
    }


def balances_of(connector: Any) -> dict[str, dict[str, str | None]]:
    """A connector's balances by token, `total` and `available`; empty ones are left out."""
    totals = connector.get_all_balances()
    return {
        token: {"total": clean(total), "available": clean(connector.get_available_balance(token))}
        for token, total in totals.items()
        if total != 0
    }


def positions_of(connector: Any) -> list[dict[str, Any]]:
    """A perpetual connector's open positions."""
    return [
        {
            "trading_pair": position.trading_pair,
            "side": position.position_side.name,
            "amount": clean(position.amount),
            "entry_price": clean(position.entry_price),
            "unrealized_pnl": clean(position.unrealized_pnl),
            "leverage": clean(position.leverage),
        }
        for position in connector.account_positions.values()
    ]
