"""Orders as they are checked, told and understood: pure functions around the connector actor."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Any

from aviary.actors.accounts.reconciliation import OpenOrder
from aviary.actors.core.message import Value
from aviary.actors.core.refusal import Invalid
from aviary.persistence.fills import Fill

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from aviary.actors.messages.connectors import TradingRule
    from aviary.actors.messages.trading import PlaceOrder
    from aviary.persistence.order_states import OrderState
    from aviary.persistence.orders import Order

PAIRS_NAMED = 10
"""Pairs that a refusal of an unknown one names."""

STATES: Mapping[str, OrderState] = {
    "PENDING_CREATE": "open",
    "OPEN": "open",
    "PENDING_CANCEL": "open",
    "PARTIALLY_FILLED": "partially_filled",
    "FILLED": "filled",
    "CANCELED": "cancelled",
    "FAILED": "failed",
}
"""What an exchange's word for an order that it was asked about means to us."""

EVENTS: Mapping[str, OrderState] = {
    "created": "open",
    "completed": "filled",
    "cancelled": "cancelled",
    "expired": "cancelled",
}
"""News of an order that are taken as they are. A failure is not: hummingbot reports one when it lost track."""


class CheckedOrder(Value):
    """An order that makes sense for its pair, rounded to the exchange's steps."""

    amount: Decimal
    price: Decimal | None
    position_action: str


def check_order(
    wanted: PlaceOrder,
    rules: Mapping[str, TradingRule],
    order_types: Collection[str],
    *,
    perpetual: bool,
) -> CheckedOrder:
    """The order as it will be sent. Raises `Invalid`, naming the field, for one that can't be taken."""
    pair = wanted.trading_pair
    rule = rules.get(pair)
    if rule is None:
        named = ", ".join(sorted(rules)[:PAIRS_NAMED])
        more = "" if len(rules) <= PAIRS_NAMED else f" and {len(rules) - PAIRS_NAMED} more"
        raise Invalid(
            f"Trading pair '{pair}' not supported on {wanted.connector_name}. Available pairs: {named}{more}",
            "trading_pair",
        )
    if wanted.order_type not in order_types:
        raise Invalid(
            f"Order type {wanted.order_type} is not supported on {wanted.connector_name}:"
            f" {', '.join(sorted(order_types))}",
            "order_type",
        )
    limit = wanted.order_type != "MARKET"
    if limit and wanted.price is None:
        raise Invalid("Price is required for LIMIT and LIMIT_MAKER orders", "price")
    amount = round_down(wanted.amount, rule.min_base_amount_increment)
    price = None
    if limit and wanted.price is not None:
        price = round_down(wanted.price, rule.min_price_increment)
        if price <= 0:
            raise Invalid(f"Price {wanted.price:f} is below the step {rule.min_price_increment:f}", "price")
    _check_size(pair, amount, price, rule)
    action = "NIL" if not perpetual else ("OPEN" if wanted.position_action == "NIL" else wanted.position_action)
    return CheckedOrder(amount=amount, price=price, position_action=action)


def _check_size(pair: str, amount: Decimal, price: Decimal | None, rule: TradingRule) -> None:
    if amount < rule.min_order_size or amount <= 0:
        raise Invalid(
            f"Order amount {amount:f} is below minimum order size {rule.min_order_size:f} for {pair}", "amount"
        )
    if amount > rule.max_order_size:
        raise Invalid(
            f"Order amount {amount:f} is above maximum order size {rule.max_order_size:f} for {pair}", "amount"
        )
    if price is not None and amount * price < rule.min_notional_size:
        raise Invalid(
            f"Order notional value {(amount * price).normalize():f} is below minimum notional size"
            f" {rule.min_notional_size.normalize():f} for {pair}. Increase the amount or price to meet the"
            " minimum requirement.",
            "amount",
        )


def round_down(number: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` that is not above `number`; a step of 0 leaves it."""
    if step <= 0:
        return number
    return ((number / step).to_integral_value(ROUND_FLOOR) * step).normalize() + Decimal(0)


def open_order(row: Mapping[str, Any]) -> OpenOrder:
    """An order out of the host's list of what rests on the exchange."""
    return OpenOrder(
        client_order_id=row["client_order_id"],
        exchange_order_id=row.get("exchange_order_id"),
        state=row["state"],
        executed=Decimal(row["executed_base"] or 0),
    )


def fill_of(row: Mapping[str, Any], account: str, connector: str) -> Fill:
    """A fill as the host tells it."""
    amount, price = Decimal(row["amount"]), Decimal(row["price"])
    paid, currency = Decimal(0), None
    for token, flat in row["fees"].items():
        if currency in {None, token}:
            paid, currency = paid + Decimal(flat or 0), token
    percent = Decimal(row.get("fee_percent") or 0)
    if currency is None and percent:
        # In the quote, unless said otherwise; the exchange's own number is only in flat fees.
        paid = amount * price * percent
        currency = row.get("fee_percent_token") or row["trading_pair"].split("-")[1]
    return Fill(
        trade_id=str(row["trade_id"]),
        client_order_id=row["client_order_id"],
        account=account,
        connector=connector,
        trading_pair=row["trading_pair"],
        side=row["side"],
        amount=amount,
        price=price,
        fee_paid=paid,
        fee_currency=currency,
        timestamp=float(row["timestamp"]),
    )


def tracked_form(order: Order) -> dict[str, Any]:
    """An order as a new host takes it over from an earlier one."""
    return {
        "client_order_id": order.client_order_id,
        "exchange_order_id": order.exchange_order_id,
        "trading_pair": order.trading_pair,
        "side": order.side,
        "order_type": order.order_type,
        "price": None if order.price is None else f"{order.price:f}",
        "amount": f"{order.amount:f}",
        "position_action": order.position_action,
    }
