"""Orders of one account: placed under an id that is known before the exchange is asked, and never guessed about.

Every write ends in one of three ways: done, a definite no of the exchange, or `unresolved`. Hummingbot's own
order path marks an order failed when the answer was lost; so the request is made here, around that path, and
an unresolved order stays tracked, as what is known of it is that it may exist.
"""

import asyncio
from decimal import Decimal, InvalidOperation
from typing import Any

from aviary.actors.core.port_errors import PortRefusal
from aviary.actors.engine.exchanges import binance_orders
from aviary.actors.engine.exchanges.connections import REQUEST_TIMEOUT, Connections, exchange_errors
from aviary.actors.engine.exchanges.notation import order_of, trade_of
from aviary.actors.engine.exchanges.outcomes import REQUEST_ERRORS, definite_no, error_text
from hummingbot.connector.utils import get_new_client_order_id
from hummingbot.core.data_type.common import OrderType, PositionAction, TradeType
from hummingbot.core.data_type.in_flight_order import InFlightOrder, OrderState, OrderUpdate

MAX_MAGNITUDE = 30
"""Powers of ten beyond which an amount or a price is a mistake, whatever the token."""

MODE_TIMEOUT = 4.0
"""Seconds for the question after the position mode, which an order waits for if it was not told lately."""


class Orders:
    """The order methods of an account host."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def new_order_id(self, connector_name: str, trading_pair: str, side: str) -> str:
        """A client order id in the connector's own style; to be written down before `place_order`."""
        connector = self._connections.get(connector_name).connector
        base, _, quote = trading_pair.partition("-")
        if not base or not quote or "-" in quote:
            raise PortRefusal("invalid", f"{trading_pair} is not a trading pair", field="trading_pair")
        return str(
            get_new_client_order_id(
                is_buy=_side(side) is TradeType.BUY,
                trading_pair=trading_pair,
                hbot_order_id_prefix=connector.client_order_id_prefix,
                max_id_len=connector.client_order_id_max_length,
            )
        )

    async def place_order(
        self,
        connector_name: str,
        client_order_id: str,
        trading_pair: str,
        side: str,
        order_type: str,
        amount: str,
        price: str | None = None,
        position_action: str = "NIL",
    ) -> dict[str, Any]:
        """`{"outcome": "open" | "rejected" | "unresolved", "text", "order"}`.

        `order` has the rounded price and amount. Senseless arguments are refused as `invalid` before anything
        is sent.
        """
        connection = self._connections.get(connector_name)
        connector = connection.connector
        rule = _rule(connector, trading_pair)
        kind = _order_type(connector, order_type)
        if connector._order_tracker.fetch_order(client_order_id) is not None:  # noqa: SLF001
            raise PortRefusal("conflict", f"the order {client_order_id} exists", field="client_order_id")
        quantity = connector.quantize_order_amount(trading_pair, _number(amount, "amount"))
        limit = Decimal("NaN")
        if kind.is_limit_type():
            limit = connector.quantize_order_price(trading_pair, _number(price, "price"))
        extra = {} if position_action == "NIL" else {"position_action": _position(connector, position_action)}
        deadline = asyncio.get_running_loop().time() + REQUEST_TIMEOUT
        if connection.positions is not None:
            with exchange_errors(connector_name):
                async with asyncio.timeout(MODE_TIMEOUT):
                    await connection.positions.need_mode()
        follow(connector, trading_pair)
        connector.start_tracking_order(
            order_id=client_order_id,
            exchange_order_id=None,
            trading_pair=trading_pair,
            trade_type=_side(side),
            price=limit,
            amount=quantity,
            order_type=kind,
            **extra,
        )
        order = connector._order_tracker.active_orders[client_order_id]  # noqa: SLF001
        too_small = _too_small(rule, quantity, limit)
        if too_small is not None:
            connector._update_order_after_failure(client_order_id, trading_pair, ValueError(too_small))  # noqa: SLF001
            return {"outcome": "rejected", "text": too_small, "order": order_of(order)}
        try:
            async with asyncio.timeout_at(deadline):
                await connector._place_order_and_process_update(order=order, **extra)  # noqa: SLF001
        except REQUEST_ERRORS as error:
            words = definite_no(error)
            if words is None:
                return {"outcome": "unresolved", "text": error_text(error), "order": order_of(order)}
            connector._update_order_after_failure(client_order_id, trading_pair, error)  # noqa: SLF001
            return {"outcome": "rejected", "text": words, "order": order_of(order)}
        # The tracker takes the exchange's id in a task of its own; one turn of the loop lets it.
        await asyncio.sleep(0)
        return {"outcome": "open", "text": None, "order": order_of(order)}

    async def cancel_order(
        self,
        connector_name: str,
        client_order_id: str,
        trading_pair: str,
        exchange_order_id: str | None = None,
    ) -> dict[str, Any]:
        """`{"outcome": "cancelled" | "not_found" | "rejected" | "unresolved", "text"}`.

        `not_found` means that the exchange has no such order open: filled, cancelled or never there;
        `query_order` tells which. Works for orders that are not tracked too.
        """
        connector = self._connections.get(connector_name).connector
        order = connector._order_tracker.fetch_tracked_order(client_order_id)  # noqa: SLF001
        if order is None:
            order = _stranger(client_order_id, trading_pair, exchange_order_id)
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT):
                done = await connector._execute_order_cancel_and_process_update(order=order)  # noqa: SLF001
        except REQUEST_ERRORS as error:
            if connector._is_order_not_found_during_cancelation_error(error):  # noqa: SLF001
                return {"outcome": "not_found", "text": error_text(error)}
            words = definite_no(error)
            if words is not None:
                return {"outcome": "rejected", "text": words}
            return {"outcome": "unresolved", "text": error_text(error)}
        return {"outcome": "cancelled" if done else "unresolved", "text": None}

    async def query_order(
        self,
        connector_name: str,
        client_order_id: str,
        trading_pair: str,
        exchange_order_id: str | None = None,
    ) -> dict[str, Any]:
        """`{"outcome": "found" | "not_found" | "unresolved", "text", "order", "fills"}`, as the exchange says now.

        If the order is tracked, what is learnt goes into it, and events follow. `not_found` within a second of a lost answer may still be the request on its way: ask again before
        taking it for settled.
        """
        connector = self._connections.get(connector_name).connector
        tracked = connector._order_tracker.fetch_order(client_order_id)  # noqa: SLF001
        order = tracked or _stranger(client_order_id, trading_pair, exchange_order_id)
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT):
                facts = await self._look_up(connector, order)
        except REQUEST_ERRORS as error:
            if connector._is_order_not_found_during_status_update_error(error):  # noqa: SLF001
                return {"outcome": "not_found", "text": error_text(error), "order": None, "fills": []}
            return {"outcome": "unresolved", "text": error_text(error), "order": None, "fills": []}
        return {"outcome": "found", "text": None, **facts}

    async def _look_up(self, connector: Any, order: InFlightOrder) -> dict[str, Any]:
        if binance_orders.applies(connector):
            facts = await binance_orders.order(connector, order)
            # Learnt in place, so that the sides and prices of a stranger are right in its fills.
            order.trade_type = TradeType[facts["side"]]
        update: OrderUpdate = await connector._request_order_status(tracked_order=order)  # noqa: SLF001
        order.update_exchange_order_id(str(update.exchange_order_id))
        fills = await connector._all_trade_updates_for_order(order)  # noqa: SLF001
        for fill in fills:
            connector._order_tracker.process_trade_update(fill)  # noqa: SLF001
        connector._order_tracker.process_order_update(update)  # noqa: SLF001
        if not binance_orders.applies(connector):
            for fill in fills:
                order.update_with_trade_update(fill)
            facts = {**order_of(order), "state": update.new_state.name}
        return {"order": facts, "fills": [trade_of(fill, order) for fill in fills]}

    async def open_orders(self, connector_name: str, trading_pair: str | None = None) -> list[dict[str, Any]]:
        """All orders that rest on the exchange under this account, whoever placed them.

        `unsupported` for exchanges where hummingbot knows no such question.
        """
        connector = self._connections.get(connector_name).connector
        if not binance_orders.applies(connector):
            raise PortRefusal("unsupported", f"open orders cannot be listed on {connector_name}")
        with exchange_errors(connector_name):
            async with asyncio.timeout(REQUEST_TIMEOUT):
                return await binance_orders.open_orders(connector, trading_pair)

    async def tracked_orders(self, connector_name: str) -> list[dict[str, Any]]:
        """Orders this host follows."""
        connector = self._connections.get(connector_name).connector
        return [order_of(order) for order in connector.in_flight_orders.values()]

    async def refresh_orders(self, connector_name: str) -> list[dict[str, Any]]:
        """Ask the exchange about all followed orders now, as the regular polls do; the orders as then known.

        What is learnt is told as events. Orders whose question fails stay as they were.
        """
        connector = self._connections.get(connector_name).connector
        with exchange_errors(connector_name):
            async with asyncio.timeout(REQUEST_TIMEOUT):
                await connector._update_order_status()  # noqa: SLF001
        return await self.tracked_orders(connector_name)

    async def restore_orders(self, connector_name: str, orders: list[dict[str, Any]]) -> int:
        """Follow orders of an earlier host again; how many are new to this one.

        Each has the fields of `order_of`. Fills of them that are found are sent again: their `trade_id` tells
        them apart.
        """
        connector = self._connections.get(connector_name).connector
        restored = 0
        for facts in orders:
            if connector._order_tracker.fetch_order(facts["client_order_id"]) is not None:  # noqa: SLF001
                continue
            action = facts.get("position_action") or "NIL"
            extra = {} if action == "NIL" else {"position_action": PositionAction[action]}
            follow(connector, facts["trading_pair"])
            connector.start_tracking_order(
                order_id=facts["client_order_id"],
                exchange_order_id=facts.get("exchange_order_id"),
                trading_pair=facts["trading_pair"],
                trade_type=_side(facts["side"]),
                price=Decimal(facts.get("price") or "NaN"),
                amount=Decimal(facts["amount"]),
                order_type=OrderType[facts["order_type"]],
                **extra,
            )
            order = connector._order_tracker.active_orders[facts["client_order_id"]]  # noqa: SLF001
            if facts.get("creation_timestamp"):
                order.creation_timestamp = facts["creation_timestamp"]
            if facts.get("exchange_order_id"):
                order.current_state = OrderState.OPEN
            restored += 1
        return restored

    async def forget_order(self, connector_name: str, client_order_id: str) -> None:
        """Follow an order no longer: it is known never to have reached the exchange."""
        connector = self._connections.get(connector_name).connector
        connector.stop_tracking_order(client_order_id)


def follow(connector: Any, trading_pair: str) -> None:
    """Have hummingbot's polls, which go by pair, include this one."""
    if trading_pair not in connector.trading_pairs:
        connector.trading_pairs.append(trading_pair)


def _rule(connector: Any, trading_pair: str) -> Any:
    if not connector.trading_rules:
        raise PortRefusal("unavailable", "the trading rules are not known yet", retry_after=1.0)
    rule = connector.trading_rules.get(trading_pair)
    if rule is None:
        raise PortRefusal("invalid", f"{trading_pair} is not traded there", field="trading_pair")
    return rule


def _order_type(connector: Any, order_type: str) -> OrderType:
    supported = {kind.name: kind for kind in connector.supported_order_types()}
    if order_type not in supported:
        detail = f"{order_type} is not one of {', '.join(supported)}"
        raise PortRefusal("invalid", detail, field="order_type")
    return supported[order_type]


def _side(side: str) -> TradeType:
    if side not in {"BUY", "SELL"}:
        raise PortRefusal("invalid", f"{side} is neither BUY nor SELL", field="side")
    return TradeType[side]


def _position(connector: Any, action: str) -> PositionAction:
    if action not in {"OPEN", "CLOSE"}:
        raise PortRefusal("invalid", f"{action} is neither OPEN nor CLOSE", field="position_action")
    if not hasattr(connector, "account_positions"):
        raise PortRefusal("invalid", "a spot order has no position", field="position_action")
    return PositionAction[action]


def _number(text: str | None, field: str) -> Decimal:
    try:
        number = Decimal(text) if text is not None else Decimal("NaN")
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number <= 0 or abs(number.adjusted()) > MAX_MAGNITUDE:
        raise PortRefusal("invalid", f"{field} must be a positive number", field=field)
    return number


def _too_small(rule: Any, amount: Decimal, price: Decimal) -> str | None:
    if amount < rule.min_order_size or amount == 0:
        return f"the amount {amount:f} is below the minimum of {rule.min_order_size:f}"
    if price.is_finite() and amount * price < rule.min_notional_size:
        return f"the value {amount * price:f} is below the minimum of {rule.min_notional_size:f}"
    return None


def _stranger(client_order_id: str, trading_pair: str, exchange_order_id: str | None) -> InFlightOrder:
    # An order this host does not track: only its ids and its pair are known, and only they are sent.
    return InFlightOrder(
        client_order_id=client_order_id,
        exchange_order_id=exchange_order_id,
        trading_pair=trading_pair,
        order_type=OrderType.LIMIT,
        trade_type=TradeType.BUY,
        amount=Decimal(0),
        price=Decimal(0),
        creation_timestamp=0.0,
    )
