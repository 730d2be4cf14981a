"""Questions about orders that hummingbot's connectors do not ask, for the exchanges that speak Binance's protocol.

Sources: Binance's REST documentation, "Account endpoints" (spot) and "Trade" (USDⓈ-M futures).
"""

from decimal import Decimal
from typing import Any

from aviary.actors.engine.exchanges.notation import clean
from hummingbot.connector.derivative.binance_perpetual import binance_perpetual_constants as futures
from hummingbot.connector.derivative.binance_perpetual.binance_perpetual_derivative import (
    BinancePerpetualDerivative,
)
from hummingbot.connector.exchange.binance import binance_constants as spot
from hummingbot.connector.exchange.binance.binance_exchange import BinanceExchange
from hummingbot.core.api_throttler.data_types import LinkedLimitWeightPair, RateLimit
from hummingbot.core.data_type.in_flight_order import OrderState, OrderUpdate

SPOT_OPEN_ORDERS, SPOT_ALL_ORDERS = "/openOrders", "/allOrders"
FUTURES_OPEN_ORDERS, FUTURES_ALL_ORDERS = "v1/openOrders", "v1/allOrders"
OF_ALL_PAIRS = " of all pairs"

LIMITS = {
    BinanceExchange: ((SPOT_OPEN_ORDERS, 6), (SPOT_OPEN_ORDERS + OF_ALL_PAIRS, 80), (SPOT_ALL_ORDERS, 20)),
    BinancePerpetualDerivative: (
        (FUTURES_OPEN_ORDERS, 1),
        (FUTURES_OPEN_ORDERS + OF_ALL_PAIRS, 40),
        (FUTURES_ALL_ORDERS, 5),
    ),
}
"""What the lists weigh, which hummingbot does not ask for."""


def applies(connector: Any) -> bool:
    """Whether the connector speaks this protocol."""
    return isinstance(connector, BinanceExchange | BinancePerpetualDerivative)


def limit_of(connector: Any, limit_id: str) -> str:
    """The id of a list's limit, which the connector's throttler knows from now on."""
    kind = BinanceExchange if isinstance(connector, BinanceExchange) else BinancePerpetualDerivative
    pools = spot if kind is BinanceExchange else futures
    connector.throttler.add_rate_limits(
        [
            RateLimit(
                name,
                limit=pools.MAX_REQUEST,
                time_interval=pools.ONE_MINUTE,
                linked_limits=[LinkedLimitWeightPair(pools.REQUEST_WEIGHT, weight)],
            )
            for name, weight in LIMITS[kind]
        ]
    )
    return limit_id


async def order(connector: Any, known: Any) -> dict[str, Any]:
    """One order by its client id, open or done. Raises what hummingbot's request raises."""
    symbol = await connector.exchange_symbol_associated_to_pair(trading_pair=known.trading_pair)
    parameters = {"symbol": symbol, "origClientOrderId": known.client_order_id}
    if isinstance(connector, BinanceExchange):
        path, limit_id = spot.ORDER_PATH_URL, spot.ORDER_PATH_URL
    else:
        path, limit_id = futures.ORDER_URL, futures.GET_ORDER_LIMIT_ID
    answer = await connector._api_get(  # noqa: SLF001 - the signed request, throttled like all others
        path_url=path, params=parameters, is_auth_required=True, limit_id=limit_id
    )
    return _order(connector, answer, known.trading_pair)


async def cancel(connector: Any, known: Any) -> tuple[OrderUpdate, Decimal]:
    """Cancel an order; how it ended, and what it had traded by then. Raises what hummingbot's request raises."""
    symbol = await connector.exchange_symbol_associated_to_pair(trading_pair=known.trading_pair)
    is_spot = isinstance(connector, BinanceExchange)
    row = await connector._api_delete(  # noqa: SLF001
        path_url=spot.ORDER_PATH_URL if is_spot else futures.ORDER_URL,
        params={"symbol": symbol, "origClientOrderId": known.client_order_id},
        is_auth_required=True,
        limit_id=spot.ORDER_PATH_URL if is_spot else futures.DELETE_ORDER_LIMIT_ID,
    )
    states = spot.ORDER_STATE if is_spot else futures.ORDER_STATE
    update = OrderUpdate(
        trading_pair=known.trading_pair,
        update_timestamp=row.get("transactTime", row.get("updateTime", 0)) / 1000,
        new_state=states[row["status"]],
        client_order_id=known.client_order_id,
        exchange_order_id=str(row["orderId"]),
    )
    return update, Decimal(row["executedQty"])


def update_of(known: Any, facts: dict[str, Any]) -> OrderUpdate:
    """What `order` told, as hummingbot's tracker takes it."""
    return OrderUpdate(
        trading_pair=known.trading_pair,
        update_timestamp=facts["last_update_timestamp"],
        new_state=OrderState[facts["state"]],
        client_order_id=known.client_order_id,
        exchange_order_id=facts["exchange_order_id"],
    )


async def open_orders(connector: Any, trading_pair: str | None) -> list[dict[str, Any]]:
    """The account's resting orders, of one pair or of all."""
    parameters = {}
    if trading_pair is not None:
        parameters["symbol"] = await connector.exchange_symbol_associated_to_pair(trading_pair=trading_pair)
    path = SPOT_OPEN_ORDERS if isinstance(connector, BinanceExchange) else FUTURES_OPEN_ORDERS
    limit_id = limit_of(connector, path + OF_ALL_PAIRS if trading_pair is None else path)
    answer = await connector._api_get(  # noqa: SLF001
        path_url=path, params=parameters, is_auth_required=True, limit_id=limit_id
    )
    return [_order(connector, row, await _pair(connector, row["symbol"])) for row in answer]


def _order(connector: Any, row: dict[str, Any], trading_pair: str) -> dict[str, Any]:
    states = spot.ORDER_STATE if isinstance(connector, BinanceExchange) else futures.ORDER_STATE
    executed = Decimal(row["executedQty"])
    quote = row.get("cummulativeQuoteQty", row.get("cumQuote")) or Decimal(0)
    maker = row["type"] == "LIMIT_MAKER" or row.get("timeInForce") == "GTX"
    return {
        "client_order_id": row["clientOrderId"],
        "exchange_order_id": str(row["orderId"]),
        "trading_pair": trading_pair,
        "side": row["side"],
        "order_type": "LIMIT_MAKER" if maker else row["type"],
        "price": clean(row["price"]),
        "amount": clean(row["origQty"]),
        "position_action": "CLOSE" if row.get("reduceOnly") else "NIL",
        "state": states[row["status"]].name,
        "executed_base": clean(executed),
        "executed_quote": clean(quote),
        "creation_timestamp": row.get("time", row.get("updateTime", 0)) / 1000,
        "last_update_timestamp": row.get("updateTime", 0) / 1000,
    }


async def _pair(connector: Any, symbol: str) -> str:
    try:
        return str(await connector.trading_pair_associated_to_exchange_symbol(symbol=symbol))
    except KeyError:
        # Not traded any more; an order that rests there is still to be seen.
        return symbol
