"""The one place to trade at: finds the connector a request is for, and answers for all of them together."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from aviary.actors.accounts.trading_views import (
    iso,
    known_cursor,
    order_view,
    page_of,
    page_of_all,
    states_of,
    trade_view,
)
from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.refusal import ActorCrashed, Conflict, Invalid, NoAnswer, NotFound, Refusal
from aviary.actors.hosts.calls import before_the_exchange
from aviary.actors.keeping.records import Records
from aviary.actors.messages.accounts import Connection, ListAccounts, ListConnections
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
    NewOrderId,
    OrderView,
    PlaceOrder,
    PlaceOrderAs,
    PositionView,
    SearchOrders,
    SetLeverage,
    SetPositionMode,
    TradeView,
)
from aviary.persistence.order_states import LIVE
from aviary.persistence.orders import OrderFilter
from aviary.persistence.values import number_of, place_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aviary.actors.core.address import Address
    from aviary.actors.core.message import Message
    from aviary.actors.messages.trading import CancelledOrder, Confirmed, PlacedOrder, PositionMode

    type OfConnector = PlaceOrder | CancelOrder | ClosePosition | SetLeverage | GetPositionMode | SetPositionMode

ACT_TIMEOUT = 27.0
"""Seconds for all that a request to a connector takes, which may wait for its next incarnation. The front end waits
a little longer: whoever asked is told what is known."""

SHORTEST_WAIT = 0.1

READ_TIMEOUT = 10.0

ASK_TIMEOUT = 15.0
"""Seconds a connector has to say what it holds."""


class TradingService(AsyncActor):
    """Passes orders on to connectors, and answers from the database and from all connectors."""

    keeps_nothing = True

    def __init__(self, registry: Address = "account-registry") -> None:
        super().__init__()
        self._registry = registry

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case PlaceOrder():
                return self.defer(self._place(message))
            case CancelOrder():
                return self.defer(self._cancel(message, self._latest()))
            case SetLeverage() | SetPositionMode():
                return self.defer(self._change(message))
            case GetPositionMode():
                return self.defer(self._position_mode(message))
            case CancelOrderById():
                return self.defer(self._cancel_by_id(message))
            case ClosePosition():
                return self.defer(self._close(message))
            case ListActiveOrders():
                return self.defer(self._active(message))
            case SearchOrders():
                return self.defer(self._search(message))
            case ListTrades():
                return self.defer(self._trades(message))
            case ListPositions():
                return self.defer(self._positions(message))
            case ListFundingPayments():
                return self.defer(self._funding_payments(message))
            case _:
                return super().receive(message)

    # For one connector

    async def _place(self, wanted: PlaceOrder) -> PlacedOrder:
        latest = self._latest()
        return await self._send(await self._connection(wanted), wanted, latest)

    async def _send(self, address: Address, wanted: PlaceOrder, latest: float) -> PlacedOrder:
        # Its id first: whatever becomes of the connector afterwards, the client is told which order it was.
        question = NewOrderId(trading_pair=wanted.trading_pair, trade_type=wanted.trade_type)
        with before_the_exchange():
            name = await self.ask(address, question, timeout=min(READ_TIMEOUT, self._left(latest)))
        return await self._act(address, PlaceOrderAs(order=wanted, client_order_id=name), latest, order_id=name)

    async def _cancel(self, wanted: CancelOrder, latest: float) -> CancelledOrder:
        address = await self._connection(wanted)
        return await self._act(address, wanted, latest, order_id=wanted.client_order_id)

    async def _change(self, wanted: SetLeverage | SetPositionMode) -> Confirmed:
        latest = self._latest()
        return await self._act(await self._connection(wanted), wanted, latest)

    async def _act[R](self, address: Address, message: Message[R], latest: float, **known: str) -> R:
        """Have a connector do something. `NoAnswer`, with what is `known` of it, if it may have been done."""
        try:
            return await self.ask(address, message, timeout=self._left(latest))
        except (NoAnswer, ActorCrashed) as silence:
            what = f" of {known['order_id']}" if known else ""
            detail = f"Nobody can say what became{what}; it may have been done: {silence}"
            raise NoAnswer(detail, **known, state="unresolved") from silence

    async def _position_mode(self, wanted: GetPositionMode) -> PositionMode:
        return await self.ask(await self._connection(wanted), wanted, timeout=ASK_TIMEOUT)

    def _latest(self) -> float:
        """Until when a request that begins at this moment is answered."""
        return self.clock.monotonic() + ACT_TIMEOUT

    def _left(self, latest: float) -> float:
        return max(SHORTEST_WAIT, latest - self.clock.monotonic())

    async def _connection(self, of: OfConnector) -> Address:
        account, connector = of.account_name, of.connector_name
        wanted = ListConnections(account_names=(account,), connector_names=(connector,))
        with before_the_exchange():
            found = await self.ask(self._registry, wanted, timeout=READ_TIMEOUT)
        if not found:
            raise NotFound(f"Account '{account}' has no connector '{connector}'")
        return found[0].address

    async def _cancel_by_id(self, message: CancelOrderById) -> CancelledOrder:
        name, latest = message.client_order_id, self._latest()
        with before_the_exchange():
            known = await Records(self).read(lambda r: r.orders.find(name))
        found = [
            order
            for order in known
            if message.account_name in {None, order.account} and message.connector_name in {None, order.connector}
        ]
        live = [order for order in found if order.state in LIVE]
        if not live:
            raise NotFound(f"Order '{name}' not found in active orders")
        if len(live) > 1:
            raise Conflict(f"Several accounts have an order '{name}': name the account and the connector")
        order = live[0]
        cancel = CancelOrder(account_name=order.account, connector_name=order.connector, client_order_id=name)
        return await self._cancel(cancel, latest)

    async def _close(self, wanted: ClosePosition) -> PlacedOrder:
        latest = self._latest()
        address = await self._connection(wanted)
        with before_the_exchange():
            positions = await self.ask(address, GetPositions(), timeout=min(ASK_TIMEOUT, self._left(latest)))
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
        return await self._send(address, order, latest)

    # For all of them

    async def _active(self, wanted: ListActiveOrders) -> ListPage[OrderView]:
        # What a credential that was deleted left on its exchange is out of reach: it stays in the history.
        credentials = ListConnections(account_names=wanted.account_names, connector_names=wanted.connector_names)
        held = await self.ask(self._registry, credentials, timeout=READ_TIMEOUT)
        chosen = OrderFilter(
            credentials=tuple((one.account_name, one.connector_name) for one in held),
            trading_pairs=wanted.trading_pairs or (),
            states=tuple(sorted(LIVE)),
        )
        return await self._orders(wanted, chosen)

    async def _search(self, wanted: SearchOrders) -> ListPage[OrderView]:
        chosen = OrderFilter(
            accounts=await self._known(wanted.account_names),
            connectors=wanted.connector_names or (),
            trading_pairs=wanted.trading_pairs or (),
            states=states_of(wanted.status),
            since=wanted.start_time,
            until=wanted.end_time,
        )
        return await self._orders(wanted, chosen)

    async def _orders(self, wanted: ListActiveOrders | SearchOrders, chosen: OrderFilter) -> ListPage[OrderView]:
        limit, cursor = wanted.limit, wanted.cursor
        known_cursor(place_of, cursor)
        return page_of(
            await Records(self).read(lambda r: r.orders.search(chosen, limit=limit, cursor=cursor)), order_view
        )

    async def _trades(self, wanted: ListTrades) -> ListPage[TradeView]:
        accounts = await self._known(wanted.account_names)
        known_cursor(place_of, wanted.cursor)
        sides = tuple(side.upper() for side in wanted.trade_types or ())
        if not set(sides) <= {"BUY", "SELL"}:
            raise Invalid("trade_types: BUY and SELL are known", "trade_types")
        page = await Records(self).read(
            lambda r: r.fills.search(
                accounts=accounts,
                connectors=wanted.connector_names or (),
                trading_pairs=wanted.trading_pairs or (),
                sides=sides,
                since=wanted.start_time,
                until=wanted.end_time,
                limit=wanted.limit,
                cursor=wanted.cursor,
            )
        )
        return page_of(page, trade_view)

    async def _positions(self, wanted: ListPositions) -> ListPage[PositionView]:
        known_cursor(number_of, wanted.cursor)
        found, silent = await self._from_each(wanted, GetPositions(), GetPositions(last_known=True))
        rows = [position for positions in found for position in positions]
        return page_of_all(rows, wanted.limit, wanted.cursor, silent)

    async def _funding_payments(self, wanted: ListFundingPayments) -> ListPage[dict[str, Any]]:
        known_cursor(number_of, wanted.cursor)
        found, silent = await self._from_each(wanted, GetLastFundingPayments())
        rows = [
            {**payment, "timestamp": iso(payment["timestamp"])}
            for payments in found
            for payment in payments
            if wanted.trading_pair in {None, payment["trading_pair"]}
        ]
        return page_of_all(rows, wanted.limit, wanted.cursor, silent)

    async def _from_each[R](
        self, wanted: ListPositions | ListFundingPayments, message: Message[R], otherwise: Message[R] | None = None
    ) -> tuple[list[R], dict[str, str]]:
        """What each perpetual connector answers, `otherwise` to this, and why some did not."""
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
            except (Refusal, ActorCrashed) as trouble:
                silent[f"{connection.account_name}/{connection.connector_name}"] = str(trouble)
            if otherwise is None:
                return None
            with contextlib.suppress(Refusal, ActorCrashed):
                return await self.ask(connection.address, otherwise, timeout=READ_TIMEOUT)
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
