"""The orders of one connector: placed and cancelled, intents first, and compared with the exchange's."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from aviary.actors.accounts.order_records import OrderRecords
from aviary.actors.accounts.order_resolver import OrderResolver
from aviary.actors.accounts.orders import EVENTS, CheckedOrder, fill_of, open_order, tracked_form
from aviary.actors.accounts.reconciliation import OpenOrder, reconcile
from aviary.actors.core.message import Value
from aviary.actors.core.refusal import Conflict, NotFound, Refusal, Rejected, Unavailable
from aviary.actors.hosts.calls import before_the_exchange, call_host
from aviary.actors.messages.engine import NothingDone, Unsupported
from aviary.actors.messages.trading import CancelledOrder, PlacedOrder
from aviary.persistence.order_states import TERMINAL
from aviary.persistence.orders import Order

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aviary.actors.core.actor import AsyncActor
    from aviary.actors.messages.trading import PlaceOrder
    from aviary.persistence.order_states import OrderState

FEW_PAIRS = 5
"""Pairs up to which the exchange is asked for each one's open orders instead of all: on Binance a pair weighs
6 of the 6000 that an address may use up in a minute, all of them 80 ("Account endpoints")."""

AT_ONCE = 8
"""Questions about orders that may be under way at the same time."""


TELLING = 2.0
"""Seconds that the user stream has to tell what a list of open orders shows already."""

TOLD_OF = frozenset({"open", "partially_filled"})
"""States of which every change is told. Of an order in doubt nobody expects to be."""


class Pass(Value):
    """What one comparison with the exchange brought."""

    unanswered: int
    """Orders of which the exchange said nothing."""
    untold: int = 0
    """Open orders that had changed without a word of the user stream, which had been given time for one."""
    foreign: tuple[str, ...] | None = None
    """Orders that are not ours; `None` if only the pairs of ours were asked about."""


class ConnectorOrders:
    """What a connector actor does about its orders. Lives and dies with one incarnation of it."""

    def __init__(self, actor: AsyncActor, account: str, connector: str, compare_soon: Callable[[], None]) -> None:
        self._actor = actor
        self._account = account
        self._connector = connector
        self._host = f"{actor.address.rsplit('/', 1)[0]}/host"
        self._records = OrderRecords(actor, account, connector)
        self._compare_soon = compare_soon
        self._placing: set[str] = set()
        self._cancelling: set[str] = set()
        self._resolver = OrderResolver(actor, account, connector, self._records, compare_soon, self._cancel_again)

    # Placing

    async def new_id(self, trading_pair: str, side: str) -> str:
        """A client order id that no order has."""
        name: str = await self._call("new_order_id", trading_pair=trading_pair, side=side)
        return name

    async def place(self, wanted: PlaceOrder, checked: CheckedOrder, client_order_id: str) -> PlacedOrder:
        """Write the order down, send it, and note what became of it."""
        now = self._actor.clock.now()
        order = Order(
            client_order_id=client_order_id,
            account=self._account,
            connector=self._connector,
            trading_pair=wanted.trading_pair,
            side=wanted.trade_type,
            order_type=wanted.order_type,
            amount=checked.amount,
            price=checked.price,
            position_action=checked.position_action,
            created_at=now,
            updated_at=now,
        )
        self._placing.add(client_order_id)
        try:
            with before_the_exchange():
                await self._records.intend(order)
            return await self._send(order)
        finally:
            self._placing.discard(client_order_id)

    async def _send(self, order: Order) -> PlacedOrder:
        try:
            answer = await self._call(
                "place_order",
                client_order_id=order.client_order_id,
                trading_pair=order.trading_pair,
                side=order.side,
                order_type=order.order_type,
                amount=f"{order.amount:f}",
                price=None if order.price is None else f"{order.price:f}",
                position_action=order.position_action,
            )
        except NothingDone as nothing:
            await self._resolver.note(order, "failed", error=nothing.detail)
            raise
        except Unavailable as unknown:
            # The host is gone, and this actor will be soon: the answer first, the note if there is time.
            self._actor.spawn(self._resolver.note(order, "unresolved", error=unknown.detail), "note")
            self._compare_soon()
            return _placed(order, "unresolved")
        except Refusal as refusal:
            await self._resolver.note(order, "failed", error=refusal.detail)
            raise
        if answer["outcome"] == "rejected":
            await self._resolver.note(order, "rejected", error=answer["text"])
            raise Rejected(answer["text"])
        if answer["outcome"] == "unresolved":
            await self._resolver.note(order, "unresolved", error=answer["text"])
            self._compare_soon()
            return _placed(order, "unresolved")
        await self._resolver.note(order, "open", exchange_order_id=answer["order"]["exchange_order_id"])
        return _placed(order, "open")

    # Cancelling

    async def cancel(self, client_order_id: str) -> CancelledOrder:
        """Cancel an order of ours. `NotFound` if it is not active."""
        with before_the_exchange():
            order = await self._records.get(client_order_id)
        if order is None:
            raise NotFound(f"Order '{client_order_id}' not found in active orders")
        if order.state in TERMINAL:
            raise NotFound(f"Order '{client_order_id}' not found in active orders: it is {order.state}")
        if client_order_id in self._placing:
            raise Conflict(f"Order '{client_order_id}' is just being placed; try again")
        if client_order_id in self._cancelling:
            return _cancelled(order, "pending_cancel")
        return await self._cancel(order)

    async def _cancel(self, order: Order) -> CancelledOrder:
        self._cancelling.add(order.client_order_id)
        try:
            with before_the_exchange():
                intended = await self._records.intend_cancel(order)
            answer = await self._ask_to_cancel(intended)
            return await self._cancel_answered(intended, answer)
        finally:
            self._cancelling.discard(order.client_order_id)

    async def _ask_to_cancel(self, order: Order) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = await self._call(
                "cancel_order",
                client_order_id=order.client_order_id,
                trading_pair=order.trading_pair,
                exchange_order_id=order.exchange_order_id,
            )
        except Unavailable:
            return {"outcome": "unresolved"}
        return answer

    async def _cancel_answered(self, order: Order, answer: dict[str, Any]) -> CancelledOrder:
        match answer["outcome"]:
            case "cancelled":
                # Asked for its fills too: the user stream may have missed one.
                if not await self._resolver.settle(order):
                    self._compare_soon()
                return _cancelled(order, "cancelled")
            case "rejected":
                back: OrderState = "partially_filled" if order.filled_amount else "open"
                await self._resolver.note(order, back, error=answer["text"])
                raise Rejected(answer["text"])
            case "not_found" if await self._resolver.settle(order):
                known = await self._records.get(order.client_order_id)
                state = "gone" if known is None else known.state
                if state == "cancelled":
                    return _cancelled(order, "cancelled")
                raise NotFound(f"Order '{order.client_order_id}' not found in active orders: it is {state}")
            case _:
                self._compare_soon()
                return _cancelled(order, "pending_cancel")

    # News

    async def hear_order(self, event: dict[str, Any]) -> bool:
        """Take news of an order; whether it is one of ours, and came unasked."""
        name = event["client_order_id"]
        order = await self._records.get(name)
        if order is None:
            return False
        unasked = not self._resolver.asked_lately(name)
        state = EVENTS.get(event["event"])
        executed = Decimal(event.get("executed_base") or 0)
        if state is None or (state in TERMINAL and (order.cancel_requested or executed > order.filled_amount)):
            # An end is taken for one once the exchange was asked for its fills: one that was not told would
            # never be missed afterwards.
            if name not in self._cancelling:
                self._compare_soon()
            return unasked and state is not None
        await self._records.outcome(
            name, state, exchange_order_id=event.get("exchange_order_id"), error=event.get("error")
        )
        return unasked

    async def hear_fill(self, event: dict[str, Any]) -> bool:
        """Take a fill; whether it is new, of one of our orders, and came unasked."""
        order = await self._records.fill(fill_of(event, self._account, self._connector))
        return order is not None and not self._resolver.asked_lately(order.client_order_id)

    # Comparing

    async def restore(self) -> int:
        """Have the host follow the orders that an earlier one followed; how many live orders there are."""
        live = await self._live()
        followed = [tracked_form(order) for order in live if order.exchange_order_id is not None]
        if followed:
            await self._call("restore_orders", orders=followed)
        return len(live)

    async def compare(self, *, always: bool = True, told: bool = False) -> Pass:
        """Compare all live orders with the exchange and settle what differs.

        Without a live order the exchange is asked only if told to do so `always`: for what is there and
        not ours. `told` says that a user stream tells what changes, and is given time to do so. Raises a refusal
        if the exchange can't be asked what rests there.
        """
        live = await self._live()
        if not live and not always:
            return Pass(unanswered=0)
        pairs = {order.trading_pair for order in live}
        everything = always or len(pairs) > FEW_PAIRS
        try:
            theirs = await self._open_orders([None] if everything else sorted(pairs))
        except Unsupported:
            return await self._ask_about(live)
        # By what is known when the answer is there: much may have been told while the exchange was asked.
        names = {order.client_order_id for order in live} - self._placing - self._cancelling
        differences = reconcile([order for order in await self._live() if order.client_order_id in names], theirs)
        for order, found in differences.confirmed:
            state: OrderState = "partially_filled" if order.filled_amount else "open"
            await self._resolver.note(order, state, exchange_order_id=found.exchange_order_id)
        for order in differences.cancels_lost:
            await self._cancel_again(order)
        result = await self._settle(differences.to_ask(), told=told)
        if not everything:
            return result
        foreign = [order.client_order_id for order in differences.foreign]
        return result.model_copy(update={"foreign": await self._records.strangers(foreign)})

    async def _settle(self, orders: Sequence[Order], *, told: bool) -> Pass:
        """Ask about orders that differ; about open ones once the user stream could have told."""
        quiet = {order.client_order_id: order for order in orders if told and order.state in TOLD_OF}
        at_once = await self._ask_about([order for order in orders if order.client_order_id not in quiet])
        if not quiet:
            return at_once
        await asyncio.sleep(TELLING)
        untold = [
            order for order in await self._live() if (seen := quiet.get(order.client_order_id)) and order == seen
        ]
        self._resolver.learnt.clear()
        later = await self._ask_about(untold)
        missed = self._resolver.learnt & {order.client_order_id for order in untold}
        return Pass(unanswered=at_once.unanswered + later.unanswered, untold=len(missed))

    async def _open_orders(self, pairs: Sequence[str | None]) -> list[OpenOrder]:
        answers = await asyncio.gather(*(self._call("open_orders", trading_pair=pair) for pair in pairs))
        return [open_order(row) for rows in answers for row in rows]

    async def _ask_about(self, orders: Sequence[Order]) -> Pass:
        due = [order for order in orders if self._resolver.due(order)]
        gate = asyncio.Semaphore(AT_ONCE)

        async def settle(order: Order) -> None:
            async with gate:
                if order.client_order_id not in self._placing | self._cancelling:
                    await self._resolver.settle(order)

        await asyncio.gather(*(settle(order) for order in due))
        return Pass(unanswered=sum(self._resolver.in_doubt(order) for order in orders))

    async def _cancel_again(self, order: Order) -> None:
        name = order.client_order_id
        if name in self._cancelling or not self._resolver.due(order):
            return
        try:
            answer = await self._cancel(order)
        except Refusal:
            # Its fate is known now, or the next comparison asks again.
            self._resolver.ask_later(name)
            return
        if answer.state == "cancelled":
            self._resolver.forget(name)
        else:
            self._resolver.ask_later(name)

    def next_question(self) -> float | None:
        """Seconds until something about an order should be asked; `None` if nothing is open."""
        return self._resolver.next_question()

    async def unresolved(self) -> int:
        """Orders whose fate is unknown."""
        return sum(order.state in {"intent", "unresolved"} for order in await self._live())

    async def _live(self) -> tuple[Order, ...]:
        live = await self._records.live()
        self._resolver.forget_all_but(live)
        return live

    async def _call(self, method: str, **arguments: Any) -> Any:
        return await call_host(self._actor, self._host, method, connector_name=self._connector, **arguments)


def _placed(order: Order, state: Literal["open", "unresolved"]) -> PlacedOrder:
    return PlacedOrder(
        order_id=order.client_order_id,
        account_name=order.account,
        connector_name=order.connector,
        trading_pair=order.trading_pair,
        trade_type=order.side,
        amount=f"{order.amount:f}",
        order_type=order.order_type,
        price=None if order.price is None else f"{order.price:f}",
        state=state,
    )


def _cancelled(order: Order, state: str) -> CancelledOrder:
    return CancelledOrder(
        message=f"Order cancellation initiated for {order.client_order_id}",
        order_id=order.client_order_id,
        state=state,
    )
