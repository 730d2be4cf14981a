"""Orders of a bot are never guessed about: one whose answer was lost is asked about until the exchange has said.

Hummingbot's own order path marks an order failed when its answer is lost, when the exchange answers 5xx or 429, and
when a question about it is answered "not found" a few times, although a request may be on its way and an order that
can't be cancelled may be filled. Its executors then send another one. Here such an order stays tracked as it is.
"""

# ruff: noqa: SLF001 - connectors have no public way to ask for one order

import asyncio
import logging
from decimal import Decimal
from functools import partial
from typing import Any

from aviary.actors.engine.exchanges import binance_orders
from aviary.actors.engine.exchanges.budget import Purpose, give_orders_the_right_of_way, requests_for
from aviary.actors.engine.exchanges.outcomes import REQUEST_ERRORS, definite_no, error_text
from aviary.actors.engine.exchanges.recovery import recover_soon
from aviary.config.clock import Clock
from hummingbot.core.data_type.in_flight_order import InFlightOrder, OrderState, OrderUpdate

log = logging.getLogger("hummingbot.client.aviary")

REQUEST_TIMEOUT = 10.0
"""Seconds for one question to the exchange."""

FIRST_DELAY, LAST_DELAY = 0.3, 5.0
"""Seconds between two questions about an order; doubled each time."""

ON_ITS_WAY = 10.0
"""Seconds after which a request can't be on its way to the exchange any more: it was given up before."""

AT_ONCE = 4
"""Questions that are asked at the same time: an outage leaves many, and orders have the right of way."""

ABSENT = 2
"""Times that an exchange has to say that it knows no such order."""

LATE_FILLS = 6
"""Questions after which an order counts as done although the exchange has not listed all of its fills."""

ENDED = frozenset({OrderState.CANCELED, OrderState.FILLED, OrderState.FAILED})


class Sending:
    """Stands between a connector's order path and its order tracker."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._questions: dict[str, asyncio.Task[None]] = {}
        self._guarded: set[int] = set()
        self._gate = asyncio.Semaphore(AT_ONCE)

    def guard(self, connector: Any) -> None:
        """From now on, no order of this connector fails because nothing was heard of it, or waits for questions."""
        if id(connector) in self._guarded or not hasattr(connector, "_order_tracker"):
            return
        self._guarded.add(id(connector))
        give_orders_the_right_of_way(connector)
        recover_soon(connector)
        tracker = connector._order_tracker
        connector._on_order_failure = partial(self._not_answered, connector, connector._on_order_failure)
        tracker.process_order_not_found = partial(self._not_found, connector, tracker.process_order_not_found)

    def ask(self, connector: Any, order: InFlightOrder) -> None:
        """Find out what became of an order; does nothing if that is being done."""
        name = order.client_order_id
        if name not in self._questions:
            task = asyncio.get_running_loop().create_task(self._question(connector, order), name=f"ask {name}")
            self._questions[name] = task
            task.add_done_callback(lambda _: self._questions.pop(name, None))

    def _not_answered(self, connector: Any, give_up: Any, **failure: Any) -> None:
        error = failure["exception"]
        order = connector._order_tracker.fetch_tracked_order(failure["order_id"])
        if order is None or definite_no(error) is not None:
            give_up(**failure)
            return
        log.warning(
            "%s: no answer to order %s (%s); asking what became of it.",
            connector.name,
            order.client_order_id,
            error_text(error),
        )
        self.ask(connector, order)

    async def _not_found(self, connector: Any, count: Any, client_order_id: str) -> None:
        order = connector._order_tracker.fetch_tracked_order(client_order_id)
        if order is None:
            await count(client_order_id)
        else:
            self.ask(connector, order)

    async def _question(self, connector: Any, order: InFlightOrder) -> None:
        fresh = order.exchange_order_id is None
        began, delay, absent, asked = self._clock.monotonic(), FIRST_DELAY, 0, 0
        while True:
            try:
                asked += 1
                async with self._gate:
                    with requests_for(Purpose.QUESTION):
                        learnt = await learn(connector, order, patient=asked < LATE_FILLS)
                    if learnt:
                        return
            except REQUEST_ERRORS as error:
                if unknown(connector, order, error):
                    absent += 1
                    old = not fresh or self._clock.monotonic() - began >= ON_ITS_WAY
                    if absent >= ABSENT and old:
                        log.warning("%s: order %s does not exist there.", connector.name, order.client_order_id)
                        connector._update_order_after_failure(order.client_order_id, order.trading_pair, error)
                        return
                elif asked % LATE_FILLS == 0:
                    log.warning(
                        "%s: order %s can't be asked about: %s",
                        connector.name,
                        order.client_order_id,
                        error_text(error),
                    )
            if order.current_state in ENDED and order.executed_amount_base >= order.amount:
                # The user stream has told meanwhile.
                return
            await asyncio.sleep(delay)
            delay = min(delay * 2, LAST_DELAY)


async def learn(connector: Any, order: InFlightOrder, *, patient: bool) -> bool:
    """Ask the exchange about an order and take in what it says; whether that was all there is to know.

    While `patient`, an end is not told before all trades are. Raises what the connector raises.
    """
    tracker = connector._order_tracker
    async with asyncio.timeout(REQUEST_TIMEOUT):
        update, executed = await _facts(connector, order)
        if order.is_pending_create and update.new_state != OrderState.FAILED:
            # Told first that it exists: whoever counts its trades has to know it.
            await tracker._process_order_update(update._replace(new_state=OrderState.OPEN))
        elif order.exchange_order_id is None and update.exchange_order_id is not None:
            order.update_exchange_order_id(str(update.exchange_order_id))
        if executed is None or executed > order.executed_amount_base:
            for trade in await connector._all_trade_updates_for_order(order):
                _take_in(tracker, order, trade)
    wanted = (
        executed if executed is not None else order.amount if update.new_state == OrderState.FILLED else Decimal(0)
    )
    complete = order.executed_amount_base >= wanted
    if update.new_state in ENDED and not complete and patient:
        return False
    if order.current_state not in ENDED:
        tracker.process_order_update(update)
    return True


def _take_in(tracker: Any, order: InFlightOrder, trade: Any) -> None:
    name = order.client_order_id
    if name not in tracker.all_fillable_orders:
        # Forgotten half a minute after its end; its trades are told to whoever counts them all the same.
        tracker._cached_orders[name] = order
    tracker.process_trade_update(trade)


async def _facts(connector: Any, order: InFlightOrder) -> tuple[OrderUpdate, Decimal | None]:
    """An order's state, and what it has traded where that is told with it."""
    if not binance_orders.applies(connector):
        update = await connector._request_order_status(order)
        if update.exchange_order_id is not None:
            update = update._replace(exchange_order_id=str(update.exchange_order_id))
        return update, None
    facts = await binance_orders.order(connector, order)
    update = OrderUpdate(
        trading_pair=order.trading_pair,
        update_timestamp=facts["last_update_timestamp"] or connector.current_timestamp,
        new_state=OrderState[facts["state"]],
        client_order_id=order.client_order_id,
        exchange_order_id=facts["exchange_order_id"],
    )
    return update, Decimal(facts["executed_base"] or 0)


def unknown(connector: Any, order: Any, error: Exception) -> bool:
    """Whether an exchange said that it has no such order."""
    if isinstance(error, OSError) and not isinstance(error, TimeoutError):
        return bool(connector._is_order_not_found_during_status_update_error(error))
    # Exchanges that know orders by their own ids only can't be asked about one that never got any.
    return (
        isinstance(error, TimeoutError)
        and order.exchange_order_id is None
        and not binance_orders.applies(connector)
    )
