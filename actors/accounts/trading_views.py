"""Orders, fills and pages of them in the released server's form. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aviary.actors.core.refusal import Invalid
from aviary.actors.messages.trading import ListPage, OrderView, Pagination, TradeView
from aviary.persistence.order_states import LIVE, TERMINAL, released_status
from aviary.persistence.values import UnknownCursor, number_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aviary.persistence.fills import Fill
    from aviary.persistence.order_states import OrderState
    from aviary.persistence.orders import Order
    from aviary.persistence.values import Page


def order_view(order: Order) -> OrderView:
    """An order in the released server's form."""
    return OrderView(
        order_id=order.client_order_id,
        account_name=order.account,
        connector_name=order.connector,
        trading_pair=order.trading_pair,
        trade_type=order.side,
        order_type=order.order_type,
        amount=order.amount,
        price=order.price,
        status=released_status(order.state),
        filled_amount=order.filled_amount,
        average_fill_price=order.average_price,
        fee_paid=order.fee_paid,
        fee_currency=order.fee_currency,
        created_at=iso(order.created_at),
        updated_at=iso(order.updated_at),
        exchange_order_id=order.exchange_order_id,
        error_message=order.error,
        position_action=order.position_action,
        state=order.state,
    )


def trade_view(fill: Fill) -> TradeView:
    """A fill in the released server's form."""
    return TradeView(
        trade_id=f"{fill.client_order_id}_{fill.trade_id}",
        order_id=fill.client_order_id,
        account_name=fill.account,
        connector_name=fill.connector,
        trading_pair=fill.trading_pair,
        trade_type=fill.side,
        amount=fill.amount,
        price=fill.price,
        fee_paid=fill.fee_paid,
        fee_currency=fill.fee_currency,
        timestamp=iso(fill.timestamp),
    )


def iso(moment: float) -> str:
    """ISO 8601, in UTC."""
    return datetime.fromtimestamp(moment, UTC).isoformat()


def states_of(status: str | None) -> tuple[OrderState, ...]:
    """The states that a client means by one of the released server's words, or of ours; all for none.

    Raises `Invalid`.
    """
    if not status:
        return ()
    every = sorted(LIVE | TERMINAL)
    found = tuple(state for state in every if status.upper() in {released_status(state), state.upper()})
    if not found:
        known = sorted({released_status(state) for state in every})
        raise Invalid(f"status: {status!r} is not one of {', '.join(known)}", "status")
    return found


def known_cursor[Place](meaning: Callable[[str | None], Place], cursor: str | None) -> Place:
    """What a cursor means in its list. `Invalid` for one that no page of it had."""
    try:
        return meaning(cursor)
    except UnknownCursor:
        raise Invalid("cursor: it must be the next_cursor of a page of this list", "cursor") from None


def page_of[Row, View](page: Page[Row], view: Callable[[Row], View]) -> ListPage[View]:
    """A page out of the database."""
    return ListPage(
        data=tuple(view(row) for row in page.data),
        pagination=Pagination(
            limit=page.limit,
            has_more=page.has_more,
            next_cursor=page.next_cursor,
            total_count=page.total_count,
        ),
    )


def page_of_all[Item](
    rows: Iterable[Item], limit: int, cursor: str | None, silent: dict[str, str]
) -> ListPage[Item]:
    """A page of what the connectors answered; `silent` are those that did not, and why."""
    everything = list(rows)
    begin = known_cursor(number_of, cursor) or 0
    end = begin + limit
    more = end < len(everything)
    return ListPage(
        data=tuple(everything[begin:end]),
        pagination=Pagination(
            limit=limit, has_more=more, next_cursor=str(end) if more else None, total_count=len(everything)
        ),
        unavailable=silent,
    )
