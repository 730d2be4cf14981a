"""Positions that executors left to be held: the sum of what their orders traded. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from aviary.actors.executors.views import iso
from aviary.actors.messages.executors import Held

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aviary.persistence.executors import KeptExecutor
    from aviary.persistence.fills import Fill

type Market = tuple[str, str]
"""Connector and pair."""


def held_by(fills: Iterable[tuple[KeptExecutor, Fill]]) -> tuple[Held, ...]:
    """Fills of executors that hold what they traded, added up by account, controller, connector and pair."""
    found: dict[tuple[str, str, str, str], Held] = {}
    for executor, fill in fills:
        key = executor.account, executor.controller_id, fill.connector, fill.trading_pair
        account, controller, connector, pair = key
        one = found.get(key) or Held(
            account_name=account, controller_id=controller, connector_name=connector, trading_pair=pair
        )
        side = fill.side.lower()
        ids = one.executor_ids
        found[key] = one.model_copy(
            update={
                f"{side}_base": getattr(one, f"{side}_base") + fill.amount,
                f"{side}_quote": getattr(one, f"{side}_quote") + fill.amount * fill.price,
                "fees_quote": one.fees_quote + (fee_in_quote(fill) or Decimal(0)),
                "executor_ids": ids if executor.executor_id in ids else (*ids, executor.executor_id),
                "last_updated": max(one.last_updated, fill.timestamp),
            }
        )
    return tuple(found.values())


def fee_in_quote(fill: Fill) -> Decimal | None:
    """A fill's fee in quote units; `None` for one that was paid in a third token, whose price the fill does not tell."""
    base, _, quote = fill.trading_pair.partition("-")
    if not fill.fee_paid:
        return Decimal(0)
    if fill.fee_currency == base:
        return fill.fee_paid * fill.price
    return fill.fee_paid if fill.fee_currency == quote else None


def view_of(one: Held, price: Decimal | None) -> dict[str, Any]:
    """What is held, in the form that clients read; unrealised profit is null where no price is known."""
    buy_price = one.buy_quote / one.buy_base if one.buy_base else None
    sell_price = one.sell_quote / one.sell_base if one.sell_base else None
    net = one.buy_base - one.sell_base
    matched = min(one.buy_base, one.sell_base)
    realized = Decimal(0)
    if matched and buy_price is not None and sell_price is not None:
        realized = matched * (sell_price - buy_price)
    unrealized = Decimal(0) if not net else None
    entry = buy_price if net > 0 else sell_price
    if net and price is not None and entry is not None:
        unrealized = net * (price - entry)
    return {
        "trading_pair": one.trading_pair,
        "connector_name": one.connector_name,
        "account_name": one.account_name,
        "controller_id": one.controller_id,
        "buy_amount_base": float(one.buy_base),
        "buy_amount_quote": float(one.buy_quote),
        "sell_amount_base": float(one.sell_base),
        "sell_amount_quote": float(one.sell_quote),
        "net_amount_base": float(net),
        "buy_breakeven_price": _number(buy_price),
        "sell_breakeven_price": _number(sell_price),
        "matched_amount_base": float(matched),
        "unmatched_amount_base": float(abs(net)),
        "position_side": "LONG" if net > 0 else "SHORT" if net < 0 else None,
        "realized_pnl_quote": float(realized),
        "cum_fees_quote": float(one.fees_quote),
        "unrealized_pnl_quote": _number(unrealized),
        "executor_count": len(one.executor_ids),
        "executor_ids": list(one.executor_ids),
        "last_updated": iso(one.last_updated),
        "current_price": _number(price),
    }


def summary_of(held: Iterable[Held], prices: Mapping[Market, Decimal]) -> dict[str, Any]:
    """All that is held. The sum of unrealised profit is null if one of its parts is."""
    views = [view_of(one, prices.get((one.connector_name, one.trading_pair))) for one in held]
    waiting = [view["unrealized_pnl_quote"] for view in views]
    return {
        "total_positions": len(views),
        "total_realized_pnl": sum(view["realized_pnl_quote"] for view in views),
        "total_unrealized_pnl": None if None in waiting else sum(waiting),
        "positions": views,
    }


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
