"""Every few seconds the exchange's list of open orders is held against what the bot believes.

What hummingbot does not know and carries the bot's mark is cancelled, and what it had traded is counted. What
hummingbot takes for open and is not there, or has traded more there, is asked about; so is what ended early, since
trades may have come before its end that nobody told. Now and then all recent orders are looked at: whatever the reason,
no order of this life may have traded more than was counted.
"""

# ruff: noqa: SLF001 - connectors have no public way to ask for open orders

import asyncio
import logging
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Protocol

from aviary.actors.engine.bots.orders import (
    CONNECTOR_ERRORS,
    OpenOrder,
    Settlement,
    list_open_orders,
    list_recent_orders,
)
from aviary.actors.engine.bots.sending import Sending
from aviary.actors.engine.exchanges import binance_orders
from aviary.actors.engine.exchanges.budget import Purpose, requests_for
from aviary.config.clock import Clock
from hummingbot.core.data_type.common import OrderType, TradeType
from hummingbot.core.data_type.in_flight_order import InFlightOrder, OrderState

log = logging.getLogger("hummingbot.client.aviary")

REVIEW = 6
"""Looks between two looks at all recent orders."""

RECENT = 900.0
"""Seconds that these go back."""

TRIES = 20
"""Looks for which it is tried to learn what a cancelled stray had traded."""


class Books(Protocol):
    """Who knows what was counted."""

    def counted(self, client_order_id: str) -> Decimal:
        """Base units that were told of an order in this life."""

    def order_of(self, client_order_id: str) -> InFlightOrder | None:
        """The order as its executor has it, if one counts on it."""

    def count_stray(self, connector_name: str, stray: InFlightOrder) -> None:
        """An order that nobody follows, with all its trades."""


class Audit:
    """`books` counts trades; `None` while nobody does."""

    def __init__(
        self, settlement: Settlement, sending: Sending, books: Callable[[], Books | None], clock: Clock
    ) -> None:
        self._settlement = settlement
        self._sending = sending
        self._books = books
        self._clock = clock
        self._looks = 0
        self._short: dict[int, set[str]] = {}
        self._suspects: dict[int, set[OpenOrder]] = {}
        self._seen: dict[int, set[str]] = {}
        self._asked: dict[int, set[str]] = {}
        self._to_count: dict[OpenOrder, tuple[Any, int]] = {}

    async def run(self, connectors: Callable[[], list[Any]], period: float) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(period)
            self._looks += 1
            with requests_for(Purpose.QUESTION):
                for connector in connectors():
                    self._sending.guard(connector)
                    try:
                        await self.look(connector)
                        if self._looks % REVIEW == 0:
                            await self.review(connector)
                    except CONNECTOR_ERRORS as error:
                        log.info("Orders on %s can't be looked at: %s", connector.name, error)
                await self._count_strays()

    async def look(self, connector: Any) -> None:
        """Compare once. Raises what the connector raises."""
        active = dict(connector._order_tracker.active_orders)
        listed = await list_open_orders(connector)
        if listed is None:
            return
        await self._cancel_strays(connector, listed)
        there = {order.client_id: order for order in listed}
        before = self._seen.get(id(connector), set())
        for name, order in active.items():
            row = there.get(name)
            doubtful = row is None or order.is_pending_create or row.executed > order.executed_amount_base
            # Twice in a row: the list is older than what the user stream tells meanwhile.
            if name in before and doubtful and order.current_state not in {OrderState.CANCELED, OrderState.FILLED}:
                self._sending.ask(connector, order)
        self._seen[id(connector)] = set(active)
        self._ask_about_ended(connector)

    async def review(self, connector: Any) -> None:
        """Compare what all recent orders of this life have traded with what was counted. Raises the connector's."""
        books = self._books()
        if books is None:
            return
        listed = await list_recent_orders(connector, self._clock.now() - RECENT)
        short = {
            order.client_id: order
            for order in self._settlement.of_this_life(connector, listed)
            if order.executed > books.counted(order.client_id)
        }
        # Twice in a row: the list may be newer than what the user stream has told.
        for name in short.keys() & self._short.get(id(connector), set()):
            order = connector._order_tracker.fetch_order(name) or books.order_of(name)
            if order is None:
                self._to_count.setdefault(short[name], (connector, 0))
            else:
                self._sending.ask(connector, order)
        self._short[id(connector)] = set(short)

    def _ask_about_ended(self, connector: Any) -> None:
        ended = connector._order_tracker.cached_orders
        asked = self._asked.get(id(connector), set())
        for name, order in ended.items():
            short = order.executed_amount_base < order.amount
            if name not in asked and short and order.current_state in {OrderState.CANCELED, OrderState.FILLED}:
                self._sending.ask(connector, order)
        self._asked[id(connector)] = set(ended)

    async def _cancel_strays(self, connector: Any, listed: list[OpenOrder]) -> None:
        strays = self._settlement.strays(connector, listed)
        for order in strays & self._suspects.get(id(connector), set()):
            log.warning("Cancelling %s on %s: open there, unknown here.", order.client_id, connector.name)
            self._to_count[order] = connector, 0
            await self._settlement.cancel(connector, order)
        self._suspects[id(connector)] = strays

    async def _count_strays(self) -> None:
        for order, (connector, tries) in list(self._to_count.items()):
            try:
                state, stray = await _stray(connector, order)
            except CONNECTOR_ERRORS as error:
                log.info("What %s traded on %s is not known yet: %s", order.client_id, connector.name, error)
            else:
                if state in {OrderState.CANCELED, OrderState.FILLED}:
                    del self._to_count[order]
                    if stray.executed_amount_base > 0:
                        self._count(connector.name, stray)
                    continue
            if tries >= TRIES:
                del self._to_count[order]
                log.error("What %s traded on %s could not be learnt.", order.client_id, connector.name)
            else:
                self._to_count[order] = connector, tries + 1

    def _count(self, connector_name: str, stray: InFlightOrder) -> None:
        books = self._books()
        if books is None:
            log.error(
                "%s %s were traded by an order that nobody counts.", stray.executed_amount_base, stray.trading_pair
            )
        else:
            books.count_stray(connector_name, stray)


async def _stray(connector: Any, order: OpenOrder) -> tuple[OrderState, InFlightOrder]:
    """An order that nobody followed, with its trades."""
    stray = InFlightOrder(
        client_order_id=order.client_id,
        exchange_order_id=order.exchange_id,
        trading_pair=order.trading_pair,
        order_type=OrderType.LIMIT,
        trade_type=TradeType.BUY,
        amount=Decimal(0),
        creation_timestamp=0.0,
    )
    facts = await binance_orders.order(connector, stray)
    stray.trade_type, stray.amount = TradeType[facts["side"]], Decimal(facts["amount"])
    stray.price = Decimal(facts["price"] or 0)
    if Decimal(facts["executed_base"] or 0) > 0:
        for trade in await connector._all_trade_updates_for_order(stray):
            stray.update_with_trade_update(trade)
    stray.current_state = OrderState.FILLED
    return OrderState[facts["state"]], stray
