"""The spot market's REST routes under `/api/v3`."""

import secrets
from decimal import Decimal
from typing import Any

from aviary.sandbox.instruments import Market
from aviary.sandbox.orders import OrderType, Side, TimeInForce
from aviary.sandbox.refusals import Refused, unknown_order
from aviary.sandbox.venue import NewOrder
from aviary.sandbox.web import market_data, spot_wire, wire
from aviary.sandbox.web.context import Call, Row, Security, one_of
from aviary.sandbox.web.wire import Json


def exchange_info(call: Call) -> Json:
    """Rules of all symbols, or of the one asked about."""
    venue = call.exchange.spot
    instruments = list(venue.instruments.values())
    if "symbol" in call.parameters:
        instruments = [venue.instrument(call.parameters.text("symbol"))]
    return {
        "timezone": "UTC",
        "serverTime": int(call.exchange.clock.now() * 1000),
        "rateLimits": [],
        "exchangeFilters": [],
        "symbols": [spot_wire.symbol_rules(each) for each in instruments],
    }


def account(call: Call) -> Json:
    """Balances of the key."""
    fees = next(iter(call.exchange.spot.instruments.values())).fees
    return {
        "makerCommission": int(fees.maker * 10_000),
        "takerCommission": int(fees.taker * 10_000),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {"maker": wire.eight(fees.maker), "taker": wire.eight(fees.taker)},
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": False,
        "updateTime": int(call.exchange.clock.now() * 1000),
        "accountType": "SPOT",
        "balances": [
            {"asset": asset, "free": wire.eight(each.free), "locked": wire.eight(each.locked)}
            for asset, each in call.exchange.spot.wallets.of(call.key).items()
        ],
        "permissions": ["SPOT"],
    }


def _request(call: Call) -> NewOrder:
    parameters = call.parameters
    symbol = parameters.text("symbol")
    call.exchange.spot.instrument(symbol)
    side = parameters.choice("side", Side, Refused(-1117, "Invalid side."))
    kind = parameters.choice("type", OrderType, Refused(-1116, "Invalid orderType."))
    time_in_force = TimeInForce.GTC
    price = Decimal(0)
    if kind is OrderType.LIMIT:
        time_in_force = parameters.choice("timeInForce", TimeInForce, Refused(-1115, "Invalid timeInForce."))
        if time_in_force is TimeInForce.GTX:
            raise Refused(-1115, "Invalid timeInForce.")
    if kind is not OrderType.MARKET:
        price = parameters.decimal("price")
    spend = None
    if kind is OrderType.MARKET and "quoteOrderQty" in parameters:
        spend, quantity = parameters.decimal("quoteOrderQty"), Decimal(0)
    else:
        quantity = parameters.decimal("quantity")
    client_id = parameters.client_id("newClientOrderId") or secrets.token_hex(11)
    return NewOrder(symbol, side, kind, time_in_force, quantity, price, client_id, spend=spend)


def place_order(call: Call) -> Json:
    """A new order."""
    request = _request(call)
    call.exchange.wake(Market.SPOT, request.symbol)
    order, fills = call.exchange.spot.place(call.key, request)
    return spot_wire.placed(order, fills)


def test_order(call: Call) -> Json:
    """Check a new order's parameters without placing it."""
    _request(call)
    return {}


def get_order(call: Call) -> Json:
    """One order, open or not."""
    order_id, client_id = one_of(call.parameters, "orderId", "origClientOrderId")
    symbol = call.exchange.spot.instrument(call.parameters.text("symbol")).symbol
    return spot_wire.order_row(call.exchange.spot.find(call.key, symbol, order_id, client_id))


def cancel_order(call: Call) -> Json:
    """Cancel one open order."""
    order_id, client_id = one_of(call.parameters, "orderId", "origClientOrderId")
    symbol = call.exchange.spot.instrument(call.parameters.text("symbol")).symbol
    request_id = call.parameters.client_id("newClientOrderId") or secrets.token_hex(11)
    order = call.exchange.spot.cancel(call.key, symbol, order_id, client_id, request_id)
    return spot_wire.cancelled(order, request_id)


def open_orders(call: Call) -> list[Json]:
    """Open orders, of one symbol or of all."""
    symbol = call.parameters.optional("symbol")
    if symbol is not None:
        call.exchange.spot.instrument(symbol)
    return [spot_wire.order_row(each) for each in call.exchange.spot.open_orders(call.key, symbol)]


def cancel_open_orders(call: Call) -> list[Json]:
    """Cancel all open orders of a symbol."""
    symbol = call.exchange.spot.instrument(call.parameters.text("symbol")).symbol
    orders = call.exchange.spot.open_orders(call.key, symbol)
    if not orders:
        raise unknown_order()
    call.exchange.spot.withdraw(orders)
    return [spot_wire.cancelled(each, f"web_{each.id}") for each in orders]


def all_orders(call: Call) -> list[Json]:
    """Orders of a symbol, open or not, oldest first."""
    parameters = call.parameters
    symbol = call.exchange.spot.instrument(parameters.text("symbol")).symbol
    limit = min(parameters.integer("limit", 500), 1_000)
    first = parameters.integer("orderId", 0)
    start = parameters.integer("startTime", 0)
    end = parameters.integer("endTime", 2**62)
    ascending = "orderId" in parameters or "startTime" in parameters
    orders = call.exchange.store.orders(
        "key = ? AND market = ? AND symbol = ? AND id >= ? AND created BETWEEN ? AND ?",
        call.key,
        Market.SPOT,
        symbol,
        first,
        start,
        end,
        tail=f"ORDER BY id {'ASC' if ascending else 'DESC'} LIMIT {limit}",
    )
    return [spot_wire.order_row(each) for each in sorted(orders, key=lambda each: each.id)]


def my_trades(call: Call) -> list[Json]:
    """Fills of the key in a symbol, oldest first."""
    instrument = call.exchange.spot.instrument(call.parameters.text("symbol"))
    rows = []
    for fill in own_fills(call, Market.SPOT, instrument.symbol):
        row = wire.my_trade(instrument, fill)
        row["orderListId"] = -1
        row["isBuyer"] = row.pop("buyer")
        row["isBestMatch"] = True
        del row["maker"]
        rows.append(row)
    return rows


def own_fills(call: Call, market: Market, symbol: str) -> list[Any]:
    """The fills that a request for own trades asks for, of either market."""
    parameters = call.parameters
    limit = min(parameters.integer("limit", 500), 1_000)
    conditions = ["key = ?", "market = ?", "symbol = ?"]
    values: list[object] = [call.key, market, symbol]
    for name, condition in (
        ("orderId", "order_id = ?"),
        ("fromId", "trade >= ?"),
        ("startTime", "at >= ?"),
        ("endTime", "at <= ?"),
    ):
        if name in parameters:
            conditions.append(condition)
            values.append(parameters.integer(name))
    ascending = "fromId" in parameters or "startTime" in parameters
    found = call.exchange.store.fills(
        " AND ".join(conditions),
        *values,
        tail=f"ORDER BY trade {'ASC' if ascending else 'DESC'} LIMIT {limit}",
    )
    return sorted(found, key=lambda each: each.trade)


def open_listen_key(call: Call) -> Json:
    """A listen key for the user stream."""
    return {"listenKey": call.listen_keys.create(call.market, call.key)}


def keep_listen_key(call: Call) -> Json:
    """Keep the listen key alive."""
    call.listen_keys.keep(call.market, call.key, call.parameters.optional("listenKey"))
    return {}


def close_listen_key(call: Call) -> Json:
    """Close the user stream's listen key."""
    call.listen_keys.close(call.market, call.key)
    return {}


ROWS = [
    Row("GET", "/api/v3/ping", Security.NONE, market_data.ping),
    Row("GET", "/api/v3/time", Security.NONE, market_data.server_time),
    Row("GET", "/api/v3/exchangeInfo", Security.NONE, exchange_info),
    Row("GET", "/api/v3/depth", Security.NONE, market_data.depth),
    Row("GET", "/api/v3/trades", Security.NONE, market_data.trades),
    Row("GET", "/api/v3/aggTrades", Security.NONE, market_data.aggregate_trades),
    Row("GET", "/api/v3/klines", Security.NONE, market_data.klines),
    Row("GET", "/api/v3/ticker/price", Security.NONE, market_data.ticker_price),
    Row("GET", "/api/v3/ticker/bookTicker", Security.NONE, market_data.ticker_book),
    Row("GET", "/api/v3/ticker/24hr", Security.NONE, market_data.ticker_day),
    Row("GET", "/api/v3/account", Security.SIGNED, account),
    Row("POST", "/api/v3/order", Security.SIGNED, place_order),
    Row("POST", "/api/v3/order/test", Security.SIGNED, test_order),
    Row("GET", "/api/v3/order", Security.SIGNED, get_order),
    Row("DELETE", "/api/v3/order", Security.SIGNED, cancel_order),
    Row("GET", "/api/v3/openOrders", Security.SIGNED, open_orders),
    Row("DELETE", "/api/v3/openOrders", Security.SIGNED, cancel_open_orders),
    Row("GET", "/api/v3/allOrders", Security.SIGNED, all_orders),
    Row("GET", "/api/v3/myTrades", Security.SIGNED, my_trades),
    Row("POST", "/api/v3/userDataStream", Security.KEY, open_listen_key),
    Row("PUT", "/api/v3/userDataStream", Security.KEY, keep_listen_key),
    Row("DELETE", "/api/v3/userDataStream", Security.KEY, close_listen_key),
]
