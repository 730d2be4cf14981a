"""Orders whose fate is not known: asked about until the exchange has said what became of them."""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from aviary.actors.accounts.orders import STATES, fill_of
from aviary.actors.core.refusal import ActorCrashed, Refusal, Unavailable
from aviary.actors.hosts.calls import call_host
from aviary.persistence.order_states import TERMINAL

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from aviary.actors.accounts.order_records import OrderRecords
    from aviary.actors.core.actor import AsyncActor
    from aviary.persistence.order_states import OrderState
    from aviary.persistence.orders import Order

ON_ITS_WAY = 10.0
"""Seconds after which a request can't be on its way to the exchange any more: it was given up before."""

ASK_TWICE = 1.5
"""Seconds between two "not found" of a fresh order that together are believed."""

FIRST_RETRY, LAST_RETRY = 0.5, 30.0
"""Seconds until an order without an answer is asked about again, doubling from the first to the last."""

FILLS_PATIENCE = 5
"""Questions after which an order counts as done although the exchange has not listed all of its fills."""

LATELY = 200
"""Orders that are remembered as asked about: what the host then says of them, the user stream had not told."""


class OrderResolver:
    """Which orders of a connector are in doubt, since when, and when each is asked about next.

    `compare_soon` has the connector compare its orders soon; `cancel_again` is for an order that turns out to rest
    on the exchange although its cancellation was asked for.
    """

    def __init__(
        self,
        actor: AsyncActor,
        account: str,
        connector: str,
        records: OrderRecords,
        compare_soon: Callable[[], None],
        cancel_again: Callable[[Order], Awaitable[None]],
    ) -> None:
        self._actor = actor
        self._account = account
        self._connector = connector
        self._host = f"{actor.address.rsplit('/', 1)[0]}/host"
        self._records = records
        self._compare_soon = compare_soon
        self._cancel_again = cancel_again
        self._absent_since: dict[str, float] = {}
        self._asked: dict[str, tuple[int, float]] = {}
        """Fruitless questions about an order, and when the next one is due."""
        self._lately_asked: deque[str] = deque(maxlen=LATELY)
        self.learnt: set[str] = set()
        """Open orders of which a question brought a change to light; emptied by whoever looks."""

    def in_doubt(self, order: Order) -> bool:
        """Whether the exchange was asked about an order and did not say."""
        return order.client_order_id in self._asked

    def due(self, order: Order) -> bool:
        """Whether it is time to ask about an order, or to try something again with it."""
        now = self._actor.clock.monotonic()
        return self._asked.get(order.client_order_id, (0, now))[1] <= now

    def asked_lately(self, client_order_id: str) -> bool:
        """Whether what the host says of an order may be the answer to a question."""
        return client_order_id in self._lately_asked

    async def settle(self, order: Order) -> bool:
        """Ask the exchange what became of an order, and note it; whether its fate is now known."""
        name = order.client_order_id
        self._lately_asked.append(name)
        try:
            answer = await self._call(
                "query_order",
                client_order_id=name,
                trading_pair=order.trading_pair,
                exchange_order_id=order.exchange_order_id,
            )
        except Refusal:
            # No word of the exchange on the order itself.
            self.ask_later(name)
            return False
        match answer["outcome"]:
            case "found":
                return await self._found(order, answer["order"], answer["fills"])
            case "not_found":
                return await self._absent(order)
            case _:
                self.ask_later(name)
                return False

    async def _found(self, order: Order, facts: dict[str, Any], rows: list[dict[str, Any]]) -> bool:
        name = order.client_order_id
        self._absent_since.pop(name, None)
        fills = [fill_of(row, self._account, self._connector) for row in rows]
        state = STATES[facts["state"]]
        counted = sum((fill.amount for fill in fills), Decimal(0))
        asked = self._asked.get(name, (0, 0.0))[0]
        complete = counted >= Decimal(facts["executed_base"] or 0) or asked >= FILLS_PATIENCE
        kept = (state in TERMINAL and not complete) or (state not in TERMINAL and order.state == "pending_cancel")
        before, noted = await self._records.findings(
            order, fills, None if kept else state, facts["exchange_order_id"]
        )
        # What was told while the question was under way is no news.
        if noted is not None and before is not None and _differ(noted, before):
            self._learn(before)
        if not complete:
            self.ask_later(name)
            return False
        self._asked.pop(name, None)
        if state not in TERMINAL and order.cancel_requested and order.state in {"unresolved", "pending_cancel"}:
            await self._cancel_again(order)
        return True

    async def _absent(self, order: Order) -> bool:
        name = order.client_order_id
        now = self._actor.clock.monotonic()
        since = self._absent_since.setdefault(name, now)
        fresh = self._actor.clock.now() - order.updated_at < ON_ITS_WAY
        self._asked.pop(name, None)
        if fresh and now - since < ASK_TWICE:
            return False
        if order.exchange_order_id is None:
            await self.note(order, "failed", error="it never reached the exchange")
        else:
            await self.note(order, "cancelled", error="the exchange does not know it under these keys")
            self._learn(order)
        self._absent_since.pop(name, None)
        try:
            await self._call("forget_order", client_order_id=name)
        except Refusal:
            # A host that is gone follows nothing.
            return True
        return True

    def _learn(self, order: Order) -> None:
        if order.state in {"open", "partially_filled"}:
            self.learnt.add(order.client_order_id)

    def ask_later(self, name: str) -> None:
        """Ask about an order again, after a delay that doubles each time."""
        tries = self._asked.get(name, (0, 0.0))[0]
        delay = min(LAST_RETRY, FIRST_RETRY * 2.0 ** min(tries, 10))
        self._asked[name] = (tries + 1, self._actor.clock.monotonic() + delay)

    def next_question(self) -> float | None:
        """Seconds until something about an order should be asked; `None` if nothing is open."""
        now = self._actor.clock.monotonic()
        due = [at for _, at in self._asked.values()]
        due += [at + ASK_TWICE for at in self._absent_since.values()]
        return max(0.0, min(due) - now) if due else None

    def forget(self, name: str) -> None:
        """An order's fate is known."""
        self._asked.pop(name, None)
        self._absent_since.pop(name, None)

    def forget_all_but(self, live: Iterable[Order]) -> None:
        """No other order than these is in doubt."""
        for gone in {*self._asked, *self._absent_since} - {order.client_order_id for order in live}:
            self.forget(gone)

    async def note(
        self, order: Order, state: OrderState, *, exchange_order_id: str | None = None, error: str | None = None
    ) -> None:
        """Write down what became of an order; if that is impossible, the next comparison finds out again."""
        try:
            await self._records.outcome(
                order.client_order_id, state, exchange_order_id=exchange_order_id, error=error
            )
        except (Unavailable, ActorCrashed):
            self._compare_soon()
            return
        if state in TERMINAL:
            self.forget(order.client_order_id)

    async def _call(self, method: str, **arguments: Any) -> Any:
        return await call_host(self._actor, self._host, method, connector_name=self._connector, **arguments)


def _differ(one: Order, other: Order) -> bool:
    return (one.state, one.filled_amount) != (other.state, other.filled_amount)
