"""User streams: what a key is told of its own orders and balances."""

from collections import defaultdict

import orjson
from aviary.sandbox.events import AccountChanged, BalanceMoved, Event, LeverageSet, OrderReported
from aviary.sandbox.exchange import Exchange
from aviary.sandbox.instruments import Market
from aviary.sandbox.web import perpetual_wire, spot_wire, wire
from aviary.sandbox.web.connections import Connection


class UserStreams:
    """Listeners by market and key; a listener may have its events wrapped with a subscription's number."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._listeners: dict[tuple[Market, str], dict[tuple[Connection, int | None], None]] = defaultdict(dict)
        exchange.listen(self._hear)

    def add(self, connection: Connection, key: str, subscription: int | None = None) -> None:
        """Begin to tell a connection of a key."""
        connection.keys.add(key)
        self._listeners[connection.market, key][connection, subscription] = None

    def remove(self, connection: Connection, subscription: int | None = None) -> None:
        """Stop telling a connection of one subscription."""
        for listeners in self._listeners.values():
            listeners.pop((connection, subscription), None)

    def forget(self, connection: Connection) -> None:
        """A connection has ended."""
        for where, listeners in list(self._listeners.items()):
            for each in [each for each in listeners if each[0] is connection]:
                del listeners[each]
            if not listeners:
                del self._listeners[where]

    def _hear(self, event: Event) -> None:
        market, key = _addressee(event)
        listeners = self._listeners.get((market, key)) if market is not None else None
        if not listeners:
            return
        message = orjson.dumps(self._message(event))
        for connection, subscription in list(listeners):
            if subscription is None:
                connection.send(message)
            else:
                connection.send(b'{"subscriptionId":%d,"event":%s}' % (subscription, message))

    def _message(self, event: Event) -> wire.Json:
        now = int(self._exchange.clock.now() * 1000)
        match event:
            case OrderReported():
                if event.order.instrument.market is Market.SPOT:
                    return spot_wire.execution_report(event, now)
                return perpetual_wire.order_event(event, now)
            case AccountChanged():
                if event.market is Market.PERPETUAL:
                    return perpetual_wire.account_event(self._exchange.perpetual, event, now)
                wallets = self._exchange.spot.wallets
                balances = {asset: wallets.get(event.key, asset) for asset in event.assets}
                return spot_wire.account_position(balances, event.at, now)
            case BalanceMoved():
                return {
                    "e": "balanceUpdate",
                    "E": now,
                    "a": event.asset,
                    "d": wire.eight(event.change),
                    "T": event.at,
                }
            case LeverageSet():
                change = {"s": event.symbol, "l": event.leverage}
                return {"e": "ACCOUNT_CONFIG_UPDATE", "E": now, "T": event.at, "ac": change}
            case _:
                raise TypeError(f"no message for {type(event).__name__}")


def _addressee(event: Event) -> tuple[Market | None, str]:
    match event:
        case OrderReported():
            return event.order.instrument.market, event.order.owner
        case AccountChanged() | BalanceMoved():
            return event.market, event.key
        case LeverageSet():
            return Market.PERPETUAL, event.key
        case _:
            return None, ""
