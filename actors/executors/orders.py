"""The orders of one executor: brought to an end, and accounted for, by the connectors that own them."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from aviary.actors.accounts.orders import fill_of
from aviary.actors.core.refusal import ActorCrashed, Refusal
from aviary.actors.hosts.calls import call_host
from aviary.actors.keeping.records import Records
from aviary.actors.messages.trading import CancelOrder
from aviary.persistence.order_states import TERMINAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aviary.actors.core.actor import AsyncActor
    from aviary.persistence.executors import ExecutorOrder
    from aviary.persistence.orders import Order

ON_ITS_WAY = 10.0
"""Seconds after which a request can't be on its way to the exchange any more: it was given up before."""

FIRST_DELAY, LAST_DELAY = 0.1, 5.0
"""Seconds between two tries to bring orders to an end; doubled each time."""

CANCEL_TIMEOUT = 30.0
"""Seconds for the cancellation of one order."""

AT_ONCE = 8
"""Orders that are cancelled, or asked about, at the same time."""

REVIEWED = 50
"""Orders of an executor that are asked about once more at its end, the newest; a grid may have thousands."""


class ExecutorOrders:
    """On behalf of one incarnation of an executor's actor."""

    def __init__(self, actor: AsyncActor, executor_id: str, account: str) -> None:
        self._actor = actor
        self._executor_id = executor_id
        self._account = account
        self._records = Records(actor)
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._looked_for: set[str] = set()

    async def settled(self) -> tuple[ExecutorOrder, ...]:
        """All its orders, once none of them rests on an exchange or may still arrive there.

        Tries until that is certain; whoever can't wait cancels.
        """
        delay = FIRST_DELAY
        while True:
            orders = await self._records.read(lambda r: r.executors.orders(self._executor_id))
            live = [one.order for one in orders if one.order.state not in TERMINAL]
            late = [] if live else [one.order for one in orders if self._may_arrive(one.order)]
            if not live and not late:
                return orders
            await asyncio.gather(*(self._cancel(order) for order in live), *(self._await(order) for order in late))
            if live:
                await asyncio.sleep(delay)
                delay = min(delay * 2, LAST_DELAY)

    async def reviewed(self) -> tuple[ExecutorOrder, ...]:
        """All its orders, with what exchanges say now that those traded which ended early."""
        orders = await self.settled()
        short = [
            one.order
            for one in orders
            if one.order.filled_amount < one.order.amount and one.order.exchange_order_id is not None
        ]
        await asyncio.gather(*(self._count_fills(order) for order in short[-REVIEWED:]))
        return await self._records.read(lambda r: r.executors.orders(self._executor_id))

    def _may_arrive(self, order: Order) -> bool:
        """Whether the exchange may get to know an order that it did not know when it was asked."""
        return (
            order.state == "failed"
            and order.exchange_order_id is None
            and not order.filled_amount
            and order.client_order_id not in self._looked_for
            and 0 <= self._actor.clock.now() - order.created_at < ON_ITS_WAY
        )

    async def _cancel(self, order: Order) -> None:
        cancel = CancelOrder(
            account_name=order.account, connector_name=order.connector, client_order_id=order.client_order_id
        )
        async with self._gate:
            try:
                await self._actor.ask(
                    f"accounts/{order.account}/{order.connector}", cancel, timeout=CANCEL_TIMEOUT
                )
            except (Refusal, ActorCrashed):
                # It has ended meanwhile, or the next round tries again.
                return

    async def _await(self, order: Order) -> None:
        await asyncio.sleep(max(0.0, order.created_at + ON_ITS_WAY - self._actor.clock.now()))
        answer = await self._query(order)
        if answer["outcome"] == "found" and answer["order"]["state"] not in {"CANCELED", "FILLED", "FAILED"}:
            await self._call(order, "cancel_order")
        await self._count_fills(order)
        self._looked_for.add(order.client_order_id)

    async def _count_fills(self, order: Order) -> None:
        async with self._gate:
            answer = await self._query(order)
        now = self._actor.clock.now()
        fills = [fill_of(row, order.account, order.connector) for row in answer["fills"]]
        if fills:
            await self._records.write(lambda r: [r.fills.record(fill, at=now) for fill in fills])

    async def _query(self, order: Order) -> dict[str, Any]:
        answer: dict[str, Any] = await self._call(order, "query_order")
        return answer

    async def _call(self, order: Order, method: str) -> Any:
        return await call_host(
            self._actor,
            f"accounts/{self._account}/host",
            method,
            connector_name=order.connector,
            client_order_id=order.client_order_id,
            trading_pair=order.trading_pair,
            exchange_order_id=order.exchange_order_id,
        )


def told_to_host(one: ExecutorOrder) -> dict[str, Any]:
    """An order that has ended, as a host goes on from it."""
    order = one.order
    return {
        "connector_name": order.connector,
        "trading_pair": order.trading_pair,
        "side": order.side,
        "order_type": order.order_type,
        "amount": str(order.amount),
        "price": None if order.price is None else str(order.price),
        "position_action": order.position_action,
        "created_at": order.created_at,
        "role": one.role,
        "client_order_id": order.client_order_id,
        "exchange_order_id": order.exchange_order_id,
        "filled_amount": str(order.filled_amount),
        "trades": [
            {
                "trade_id": fill.trade_id,
                "amount": str(fill.amount),
                "price": str(fill.price),
                "fee_paid": str(fill.fee_paid),
                "fee_currency": fill.fee_currency,
                "timestamp": fill.timestamp,
            }
            for fill in one.fills
        ],
    }


def net_of(orders: Sequence[ExecutorOrder]) -> Decimal:
    """Base units that some orders bought more than they sold, on all markets together."""
    return sum(
        (fill.amount if fill.side == "BUY" else -fill.amount for one in orders for fill in one.fills), Decimal(0)
    )
