"""From hummingbot's market events to the port's: what happened to an order, and fills."""

from collections.abc import Callable
from typing import Any

import orjson
from aviary.actors.engine.exchanges.notation import clean, fee_of, order_of
from hummingbot.core.event.event_forwarder import SourceInfoEventForwarder
from hummingbot.core.event.events import MarketEvent

Push = Callable[[str, bytes], None]

ORDER_EVENTS = {
    MarketEvent.BuyOrderCreated: "created",
    MarketEvent.SellOrderCreated: "created",
    MarketEvent.BuyOrderCompleted: "completed",
    MarketEvent.SellOrderCompleted: "completed",
    MarketEvent.OrderCancelled: "cancelled",
    MarketEvent.OrderExpired: "expired",
    MarketEvent.OrderFailure: "failed",
}


class Announcer:
    """Forwards one connector's market events to the topics `order/…`, `fill/…` and `funding_payment/…`."""

    def __init__(self, name: str, connector: Any, push: Push) -> None:
        self._name = name
        self._connector = connector
        self._push = push
        # Hummingbot keeps its listeners by weak reference only.
        self._forwarder = SourceInfoEventForwarder(self._forward)
        for tag in (*ORDER_EVENTS, MarketEvent.OrderFilled, MarketEvent.FundingPaymentCompleted):
            connector.add_listener(tag, self._forwarder)

    def close(self) -> None:
        """Stop listening."""
        for tag in (*ORDER_EVENTS, MarketEvent.OrderFilled, MarketEvent.FundingPaymentCompleted):
            self._connector.remove_listener(tag, self._forwarder)

    def _forward(self, tag: int, _: Any, event: Any) -> None:
        kind = MarketEvent(tag)
        if kind is MarketEvent.OrderFilled:
            self._send("fill", fill_event(event))
        elif kind is MarketEvent.FundingPaymentCompleted:
            self._send(
                "funding_payment",
                {
                    "trading_pair": event.trading_pair,
                    "amount": clean(event.amount),
                    "funding_rate": clean(event.funding_rate),
                    "timestamp": event.timestamp,
                },
            )
        else:
            self._send("order", self._order_event(ORDER_EVENTS[kind], event))

    def _order_event(self, what: str, event: Any) -> dict[str, Any]:
        known = self._connector._order_tracker.fetch_order(event.order_id)  # noqa: SLF001 - no public way
        order = order_of(known) if known is not None else {"client_order_id": event.order_id}
        return {
            **order,
            "event": what,
            "timestamp": event.timestamp,
            "error": getattr(event, "error_message", None),
        }

    def _send(self, topic: str, event: dict[str, Any]) -> None:
        self._push(f"{topic}/{self._name}", orjson.dumps(event, default=str))


def fill_event(event: Any) -> dict[str, Any]:
    """The payload of a `fill/…` event."""
    return {
        "client_order_id": event.order_id,
        "exchange_order_id": event.exchange_order_id or None,
        "trade_id": event.exchange_trade_id,
        "trading_pair": event.trading_pair,
        "side": event.trade_type.name,
        "order_type": event.order_type.name,
        "price": clean(event.price),
        "amount": clean(event.amount),
        "position": event.position,
        "timestamp": event.timestamp,
        **fee_of(event.trade_fee),
    }
