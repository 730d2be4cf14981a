"""The one place to trade at: finds the connector a request is for, and answers for all of them together."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.refusal import ActorCrashed, Conflict, Invalid, NotFound, Refusal
from aviary.actors.messages.accounts import Connection, ListAccounts, ListConnections
from aviary.actors.messages.database import Fetch
from aviary.actors.messages.trading import (
    CancelOrder,
    CancelOrderById,
    ClosePosition,
    GetLastFundingPayments,
    GetPositionMode,
    GetPositions,
    ListActiveOrders,
    ListFundingPayments,
    ListPage,
    ListPositions,
    ListTrades,
    OrderView,
    Pagination,
    PlaceOrder,
    PositionView,
    SearchOrders,
    SetLeverage,
    SetPositionMode,
    TradeView,
)
from aviary.persistence.order_states import LIVE, released_status
from aviary.persistence.orders import OrderFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from aviary.actors.core.address import Address
    from aviary.actors.core.message import Message
    from aviary.actors.messages.trading import CancelledOrder, PlacedOrder
    from aviary.persistence.fills import Fill
    from aviary.persistence.order_states import OrderState
    from aviary.persistence.orders import Order
    from aviary.persistence.repositories import Repositories

PLACE_TIMEOUT = 27.0
"""Seconds for a request to a connector, which may wait for its next incarnation."""

READ_TIMEOUT = 10.0

ASK_TIMEOUT = 15.0
"""Seconds a connector has to say what it holds."""

MILLISECONDS_FROM = 1e11
"""From here on a time is in milliseconds: as seconds it would lie 3000 years ahead."""

STATES: tuple[OrderState, ...] = (
    *("intent", "unresolved", "open", "partially_filled", "pending_cancel"),
    *("filled", "cancelled", "rejected", "failed"),
)


class TradingDesk(AsyncActor):
    """Passes orders on to connectors, and answers from the database and from all connectors."""

    def __init__(self, registry: Address = "account-registry", database: Address = "database") -> None:
        super().__init__()
        self._registry = registry
        self._database = database

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case PlaceOrder() | CancelOrder() | SetLeverage() | GetPositionMode() | SetPositionMode():
                return self.defer(self._pass_on(message.account_name, message.connector_name, message))
            case CancelOrderById():
                return self.defer(self._cancel_by_id(message))
            case ClosePosition():
                return self.defer(self._close(message))
            case ListActiveOrders():
                return self.defer(self._orders(message, tuple(state for state in STATES if state in LIVE)))
            case SearchOrders():
                return self.defer(
                    self._orders(message, _states(message.status), message.start_time, message.end_time)
                )
            case ListTrades():
                return self.defer(self._trades(message))
            case ListPositions():
                return self.defer(self._positions(message))
            case ListFundingPayments():
                return self.defer(self._funding_payments(message))
            case _:
                return super().receive(message)

    # For one connector

    async def _pass_on(self, account: str, connector: str, message: Message[Any]) -> Any:
        address = await self._connection(account, connector)
        return await self.ask(address, message, timeout=PLACE_TIMEOUT)

    async def _connection(self, account: str, connector: str) -> Address:
        wanted = ListConnections(account_names=(account,), connector_names=(connector,))
        found = await self.ask(self._registry, wanted, timeout=READ_TIMEOUT)
        if not found:
            raise NotFound(f"Account '{account}' has no connector '{connector}'")
        return found[0].address

    async def _cancel_by_id(self, message: CancelOrderById) -> CancelledOrder:
        name = message.client_order_id
        found = [
            order
            for order in await self._fetch(lambda r: r.orders.find(name))
            if message.account_name in {None, order.account} and message.connector_name in {None, order.connector}
        ]
        live = [order for order in found if order.state in LIVE]
        if not live:
            raise NotFound(f"Order '{name}' not found in active orders")
        if len(live) > 1:
            raise Conflict(f"Several accounts have an order '{name}': name the account and the connector")
        order = live[0]
        cancel = CancelOrder(account_name=order.account, connector_name=order.connector, client_order_id=name)
        answer: CancelledOrder = await self._pass_on(order.account, order.connector, cancel)
        return answer

    async def _close(self, wanted: ClosePosition) -> PlacedOrder:
        address = await self._connection(wanted.account_name, wanted.connector_name)
        positions = await self.ask(address, GetPositions(), timeout=ASK_TIMEOUT)
        found = [
            position
            for position in positions
            if position.trading_pair == wanted.trading_pair and wanted.side in {None, position.side}
        ]
        if not found:
            raise NotFound(f"There is no open position in {wanted.trading_pair}")
        if len(found) > 1:
            raise Invalid("There is a position on each side: name the side", "side")
        position = found[0]
        if wanted.amount is not None and wanted.amount > position.amount:
            raise Invalid(f"The position is only {position.amount.normalize():f}", "amount")
        order = PlaceOrder(
            account_name=wanted.account_name,
            connector_name=wanted.connector_name,
            trading_pair=wanted.trading_pair,
            trade_type="SELL" if position.side == "LONG" else "BUY",
            amount=wanted.amount or position.amount,
            order_type="MARKET",
            position_action="CLOSE",
        )
        return await self.ask(address, order, timeout=PLACE_TIMEOUT)

    # For all of them

    async def _orders(
        self,
        wanted: ListActiveOrders | SearchOrders,
        states: tuple[OrderState, ...],
        since: float | None = None,
        until: float | None = None,
    ) -> ListPage[OrderView]:
        chosen = OrderFilter(
            accounts=await self._known(wanted.account_names),
            connectors=wanted.connector_names or (),
            trading_pairs=wanted.trading_pairs or (),
            states=states,
            since=_seconds(since),
            until=_seconds(until),
        )
        limit, cursor = wanted.limit, wanted.cursor
        page = await self._fetch(lambda r: r.orders.search(chosen, limit=limit, cursor=cursor))
        return ListPage(
            data=tuple(order_view(order) for order in page.data),
            pagination=Pagination(
                limit=page.limit,
                has_more=page.has_more,
                next_cursor=page.next_cursor,
                total_count=page.total_count,
            ),
        )

    async def _trades(self, wanted: ListTrades) -> ListPage[TradeView]:
        accounts = await self._known(wanted.account_names)
        sides = tuple(side.upper() for side in wanted.trade_types or ())
        if not set(sides) <= {"BUY", "SELL"}:
            raise Invalid("trade_types: BUY and SELL are known", "trade_types")
        page = await self._fetch(
            lambda r: r.fills.search(
                accounts=accounts,
                connectors=wanted.connector_names or (),
                trading_pairs=wanted.trading_pairs or (),
                sides=sides,
                since=_seconds(wanted.start_time),
                until=_seconds(wanted.end_time),
                limit=wanted.limit,
                cursor=wanted.cursor,
            )
        )
        return ListPage(
            data=tuple(trade_view(fill) for fill in page.data),
            pagination=Pagination(
                limit=page.limit,
                has_more=page.has_more,
                next_cursor=page.next_cursor,
                total_count=page.total_count,
            ),
        )

    async def _positions(self, wanted: ListPositions) -> ListPage[PositionView]:
        found, silent = await self._from_each(wanted, GetPositions())
        rows = [position for positions in found for position in positions]
        return _page(rows, wanted.limit, wanted.cursor, silent)

    async def _funding_payments(self, wanted: ListFundingPayments) -> ListPage[dict[str, Any]]:
        found, silent = await self._from_each(wanted, GetLastFundingPayments())
        rows = [
            {**payment, "timestamp": iso(payment["timestamp"])}
            for payments in found
            for payment in payments
            if wanted.trading_pair in {None, payment["trading_pair"]}
        ]
        return _page(rows, wanted.limit, wanted.cursor, silent)

    async def _from_each[R](
        self, wanted: ListPositions | ListFundingPayments, message: Message[R]
    ) -> tuple[list[R], dict[str, str]]:
        """What each perpetual connector answers, and why some did not."""
        chosen = ListConnections(account_names=wanted.account_names, connector_names=wanted.connector_names)
        connections = [
            connection
            for connection in await self.ask(self._registry, chosen, timeout=READ_TIMEOUT)
            if "_perpetual" in connection.connector_name
        ]
        silent: dict[str, str] = {}

        async def one(connection: Connection) -> R | None:
            try:
                return await self.ask(connection.address, message, timeout=ASK_TIMEOUT)
            except Refusal as refusal:
                silent[f"{connection.account_name}/{connection.connector_name}"] = refusal.detail
            except ActorCrashed as crash:
                silent[f"{connection.account_name}/{connection.connector_name}"] = str(crash)
            return None

        answers = await asyncio.gather(*(one(connection) for connection in connections))
        return [answer for answer in answers if answer is not None], silent

    async def _known(self, accounts: Sequence[str] | None) -> tuple[str, ...]:
        if not accounts:
            return ()
        known = await self.ask(self._registry, ListAccounts(), timeout=READ_TIMEOUT)
        for account in accounts:
            if account not in known:
                raise NotFound(f"Account '{account}' not found")
        return tuple(accounts)

    async def _fetch[R](self, work: Callable[[Repositories], R]) -> R:
        return await self.ask(self._database, Fetch(work=work), timeout=READ_TIMEOUT)


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


def _seconds(moment: float | None) -> float | None:
    return moment / 1000 if moment is not None and moment >= MILLISECONDS_FROM else moment


def _states(status: str | None) -> tuple[OrderState, ...]:
    if not status:
        return ()
    found = tuple(state for state in STATES if status.upper() in {released_status(state), state.upper()})
    if not found:
        known = sorted({released_status(state) for state in STATES})
        raise Invalid(f"status: {status!r} is not one of {', '.join(known)}", "status")
    return found


def _page[Item](rows: Iterable[Item], limit: int, cursor: str | None, silent: dict[str, str]) -> ListPage[Item]:
    everything = list(rows)
    begin = int(cursor) if cursor and cursor.isdecimal() else 0
    end = begin + limit
    more = end < len(everything)
    return ListPage(
        data=tuple(everything[begin:end]),
        pagination=Pagination(
            limit=limit, has_more=more, next_cursor=str(end) if more else None, total_count=len(everything)
        ),
        unavailable=silent,
    )
