"""What is written down about the orders of one connector, and told to whoever listens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aviary.actors.keeping.records import Records

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aviary.actors.core.actor import AsyncActor
    from aviary.persistence.fills import Fill
    from aviary.persistence.order_states import OrderState
    from aviary.persistence.orders import Order
    from aviary.persistence.repositories import Repositories


class OrderRecords:
    """One connector's part of the order table. Every change is published under `<address>/orders`.

    Each method raises `Unavailable` if the database can't be reached.
    """

    def __init__(self, actor: AsyncActor, account: str, connector: str) -> None:
        self._actor = actor
        self._account = account
        self._connector = connector
        self._kept = Records(actor)

    async def intend(self, order: Order) -> None:
        """Write an order down before the exchange is asked."""
        await self._kept.write(lambda r: r.orders.record_intent(order))

    async def intend_cancel(self, order: Order) -> Order:
        """Write down that a cancel is about to be asked for; the order as it then is."""
        now = self._actor.clock.now()
        noted = await self._kept.write(
            lambda r: r.orders.request_cancel(self._account, self._connector, order.client_order_id, at=now)
        )
        return order if noted is None else noted

    async def live(self) -> tuple[Order, ...]:
        """Every order that may rest on the exchange, oldest first."""
        return await self._kept.write(lambda r: r.orders.live(self._account, self._connector))

    async def get(self, client_order_id: str) -> Order | None:
        """One order; `None` if it is not ours."""
        return await self._kept.write(lambda r: r.orders.get(self._account, self._connector, client_order_id))

    async def strangers(self, client_order_ids: Sequence[str]) -> tuple[str, ...]:
        """Those that are not ours."""

        def unknown(r: Repositories) -> tuple[str, ...]:
            return tuple(
                name for name in client_order_ids if r.orders.get(self._account, self._connector, name) is None
            )

        return await self._kept.write(unknown) if client_order_ids else ()

    async def outcome(
        self,
        client_order_id: str,
        state: OrderState,
        *,
        exchange_order_id: str | None = None,
        error: str | None = None,
    ) -> Order | None:
        """Note what became of an order; it as it then is, `None` if it is not ours."""
        now = self._actor.clock.now()
        order = await self._kept.write(
            lambda r: r.orders.record_outcome(
                self._account,
                self._connector,
                client_order_id,
                state,
                at=now,
                exchange_order_id=exchange_order_id,
                error=error,
            )
        )
        return self._told(order)

    async def fill(self, fill: Fill) -> Order | None:
        """Count a fill; its order as it then is, `None` if the fill is known or of no order of ours."""
        now = self._actor.clock.now()

        def count(r: Repositories) -> Order | None:
            known = r.orders.get(fill.account, fill.connector, fill.client_order_id)
            return None if known is None else r.fills.record(fill, at=now)

        return self._told(await self._kept.write(count))

    async def findings(
        self, order: Order, fills: Iterable[Fill], state: OrderState | None, exchange_order_id: str | None
    ) -> tuple[Order | None, Order | None]:
        """Note, in one transaction, what the exchange said about an order; `state` is `None` to leave it.

        The order as it was right before, and as it is then; `None` if it is not ours.
        """
        now = self._actor.clock.now()

        def note(r: Repositories) -> tuple[Order | None, Order | None]:
            where = (self._account, self._connector, order.client_order_id)
            before = r.orders.get(*where)
            for fill in fills:
                r.fills.record(fill, at=now)
            if state is None:
                return before, r.orders.get(*where)
            return before, r.orders.record_outcome(*where, state, at=now, exchange_order_id=exchange_order_id)

        before, after = await self._kept.write(note)
        return before, self._told(after)

    def _told(self, order: Order | None) -> Order | None:
        if order is not None:
            self._actor.publish(f"{self._actor.address}/orders", order)
        return order
