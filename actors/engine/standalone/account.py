"""What an executor is given for a strategy: an account's connectors, and a way to send orders that writes them first.

An order is told to the server, which writes it down; only when that is done it is sent. One that could not be
written in time is never sent, and its executor learns that as it would of any order that nobody knows.
"""

# ruff: noqa: SLF001 - connectors have no public way to ask for one order

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from decimal import Decimal
from typing import Any

from aviary.actors.core.ports.errors import PortRefusal
from aviary.actors.engine.accounts.orders import Orders
from aviary.config.clock import Clock
from hummingbot.connector.utils import get_new_client_order_id
from hummingbot.core.data_type.common import OrderType, PositionAction, TradeType
from hummingbot.core.event.event_forwarder import SourceInfoEventForwarder
from hummingbot.core.event.events import MarketEvent

log = logging.getLogger(__name__)

WRITTEN_WITHIN = 8.0
"""Seconds in which the server has to have written an order down. Less than an executor waits for an order that nobody
knows before it takes it for never sent."""

ASK_AGAIN = 0.3
"""Seconds until an order that ended early is asked about again if its exchange did not answer."""

QUESTIONS = 3

ENDS = (MarketEvent.OrderCancelled, MarketEvent.OrderFailure, MarketEvent.OrderExpired)

Tell = Callable[[dict[str, Any]], None]
"""Tells the server of an order that is about to be sent."""

Spawn = Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]]


class Gone(Exception):
    """The executor was let go of: a later one goes on with what it did."""


class AccountStrategy:
    """One executor's access to its account."""

    def __init__(
        self,
        connectors: Mapping[str, Any],
        perpetual: frozenset[str],
        orders: Orders,
        clock: Clock,
        tell: Tell,
        spawn: Spawn,
    ) -> None:
        self.connectors = dict(connectors)
        self.dropped = False
        """Whether a later life goes on with its executor: nothing is sent any more."""
        self._perpetual = perpetual
        self._orders = orders
        self._clock = clock
        self._tell = tell
        self._spawn = spawn
        self._unwritten: dict[str, asyncio.Future[None]] = {}
        self._withdrawn: set[str] = set()
        self._mine: set[str] = set()
        # Hummingbot keeps its listeners by weak reference only.
        self._ended = SourceInfoEventForwarder(self._ended_early)
        for connector in self.connectors.values():
            for event in ENDS:
                connector.add_listener(event, self._ended)

    @property
    def current_timestamp(self) -> float:
        """Unix seconds."""
        return self._clock.now()

    def place(
        self,
        role: str,
        connector_name: str,
        trading_pair: str,
        order_type: OrderType,
        side: TradeType,
        amount: Decimal,
        position_action: PositionAction = PositionAction.NIL,
        price: Decimal = Decimal("NaN"),
    ) -> str:
        """Send an order as soon as it is written down; its id, at once."""
        if self.dropped:
            raise Gone("nothing is sent any more")
        connector = self.connectors[connector_name]
        name: str = get_new_client_order_id(
            is_buy=side is TradeType.BUY,
            trading_pair=trading_pair,
            hbot_order_id_prefix=connector.client_order_id_prefix,
            max_id_len=connector.client_order_id_max_length,
        )
        limit = connector.quantize_order_price(trading_pair, price) if order_type.is_limit_type() else price
        action = position_action.name if connector_name in self._perpetual else PositionAction.NIL.name
        order = {
            "connector_name": connector_name,
            "client_order_id": name,
            "trading_pair": trading_pair,
            "side": side.name,
            "order_type": order_type.name,
            "amount": f"{connector.quantize_order_amount(trading_pair, amount):f}",
            "price": f"{limit:f}" if limit.is_finite() else None,
            "position_action": action,
        }
        self._mine.add(name)
        self._orders.under_way.add(name)
        self._unwritten[name] = asyncio.get_running_loop().create_future()
        self._tell({"kind": "order", "role": role, "created_at": self._clock.now(), **order})
        self._spawn(self._send(order), f"send {name}")
        return name

    def written(self, client_order_id: str) -> bool:
        """An order is written down; whether it still waits for that."""
        waiting = self._unwritten.get(client_order_id)
        if waiting is None or waiting.done():
            return False
        waiting.set_result(None)
        return True

    def cancel(self, connector_name: str, trading_pair: str, order_id: str) -> None:
        """Cancel an order; one that waits to be sent is not."""
        if order_id in self._unwritten:
            self._withdrawn.add(order_id)
        else:
            self.connectors[connector_name].cancel(trading_pair, order_id)

    def get_active_orders(self, connector_name: str) -> list[Any]:
        """The orders that the connector follows."""
        return list(self.connectors[connector_name].in_flight_orders.values())

    def let_go(self) -> None:
        """Send and hear nothing any more."""
        self.dropped = True
        for connector in self.connectors.values():
            for event in ENDS:
                connector.remove_listener(event, self._ended)

    async def _send(self, order: dict[str, Any]) -> None:
        try:
            await self._send_when_written(order)
        finally:
            self._orders.under_way.discard(order["client_order_id"])

    async def _send_when_written(self, order: dict[str, Any]) -> None:
        name = order["client_order_id"]
        try:
            async with asyncio.timeout(WRITTEN_WITHIN):
                await self._unwritten[name]
        except TimeoutError:
            log.warning("%s could not be written down in time: it was not sent.", name)
            return
        finally:
            del self._unwritten[name]
        if self.dropped or name in self._withdrawn:
            return
        try:
            answer = await self._orders.place_order(**order)
        except PortRefusal as no:
            log.warning("%s was not sent: %s", name, no.detail)
        else:
            if answer["text"]:
                log.info("%s is %s: %s", name, answer["outcome"], answer["text"])

    def _ended_early(self, event_tag: int, market: Any, event: Any) -> None:
        """It may have traded before its end what the user stream did not tell."""
        del event_tag
        order = market._order_tracker.fetch_order(event.order_id)
        if event.order_id in self._mine and order is not None and order.exchange_order_id is not None:
            self._spawn(self._ask(market.name, order), f"ask {event.order_id}")

    async def _ask(self, connector_name: str, order: Any) -> None:
        for _ in range(QUESTIONS):
            try:
                answer = await self._orders.query_order(
                    connector_name, order.client_order_id, order.trading_pair, order.exchange_order_id
                )
            except PortRefusal:
                # The connector was closed: whoever opens it again asks about all orders.
                return
            if answer["outcome"] != "unresolved":
                return
            await asyncio.sleep(ASK_AGAIN)
