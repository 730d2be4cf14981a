"""The perpetual market's REST routes under `/fapi`."""

import asyncio
import secrets
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from aviary.sandbox.instruments import Market
from aviary.sandbox.orders import Order, OrderType, PositionSide, Side, TimeInForce
from aviary.sandbox.perpetual import ASSET
from aviary.sandbox.refusals import Refused
from aviary.sandbox.venue import NewOrder
from aviary.sandbox.web import market_data, perpetual_wire, wire
from aviary.sandbox.web.context import Call, Row, Security, one_of
from aviary.sandbox.web.spot_api import close_listen_key, keep_listen_key, open_listen_key, own_fills
from aviary.sandbox.web.wire import Json, eight


def exchange_info(call: Call) -> Json:
    """Rules of all symbols."""
    return {
        "timezone": "UTC",
        "serverTime": int(call.exchange.clock.now() * 1000),
        "futuresType": "U_MARGINED",
        "rateLimits": [],
        "exchangeFilters": [],
        "assets": [{"asset": ASSET, "marginAvailable": True, "autoAssetExchange": "0"}],
        "symbols": [perpetual_wire.symbol_rules(each) for each in call.exchange.perpetual.instruments.values()],
    }


def depth(call: Call) -> Json:
    """A snapshot of a book."""
    now = int(call.exchange.clock.now() * 1000)
    return market_data.depth(call) | {"E": now, "T": now}


def premium_index(call: Call) -> Json | list[Json]:
    """Mark price and funding of one symbol or of all."""
    venue = call.exchange.perpetual
    now = call.exchange.clock.now()
    if "symbol" in call.parameters:
        instrument = venue.instrument(call.parameters.text("symbol"))
        return perpetual_wire.premium_index(call.exchange, instrument, now)
    return [perpetual_wire.premium_index(call.exchange, each, now) for each in venue.instruments.values()]


async def funding_rates(call: Call) -> list[Json]:
    """Funding rates of the past, oldest first."""
    venue = call.exchange.perpetual
    symbol = venue.instrument(call.parameters.text("symbol")).symbol
    limit = min(call.parameters.integer("limit", 100), 1_000)
    now = int(call.exchange.clock.now())
    last = min(call.parameters.integer("endTime", now * 1000) // 1000, now)
    newest = venue.next_funding(last) - venue.funding_interval
    start = max(call.parameters.integer("startTime", 0) // 1000, 1)
    oldest = max(start, newest - (limit - 1) * venue.funding_interval)
    times = range(newest, oldest - 1, -venue.funding_interval) if limit else range(0)
    rows: list[Json] = []
    for each in reversed(times):
        rows.append(
            {
                "symbol": symbol,
                "fundingTime": each * 1000,
                "fundingRate": eight(venue.funding_rate(symbol, each)),
                "markPrice": eight(venue.mark(symbol, each)),
            }
        )
        # A mark price of long ago takes milliseconds; others are answered in between.
        await asyncio.sleep(0)
    return rows


def account(call: Call) -> Json:
    """Wallet, margins and positions of the key."""
    venue, key = call.exchange.perpetual, call.key
    wallet, profit = venue.wallet(key), venue.profit(key)
    position_margin, order_margin = venue.position_margin(key), venue.order_margin(key)
    available = eight(venue.available(key))
    totals = {
        "initialMargin": eight(position_margin + order_margin),
        "maintMargin": eight(venue.maintenance(key)),
        "walletBalance": eight(wallet),
        "unrealizedProfit": eight(profit),
        "marginBalance": eight(wallet + profit),
        "positionInitialMargin": eight(position_margin),
        "openOrderInitialMargin": eight(order_margin),
        "crossWalletBalance": eight(wallet),
        "crossUnPnl": eight(profit),
    }
    now = int(call.exchange.clock.now() * 1000)
    asset = {"asset": ASSET, **totals, "availableBalance": available, "maxWithdrawAmount": available}
    return {
        "feeTier": 0,
        "canTrade": True,
        "canDeposit": False,
        "canWithdraw": False,
        "updateTime": now,
        "multiAssetsMargin": False,
        **{f"total{name[0].upper()}{name[1:]}": value for name, value in totals.items()},
        "availableBalance": available,
        "maxWithdrawAmount": available,
        "assets": [asset | {"marginAvailable": True, "updateTime": now}],
        "positions": _positions(call, list(venue.instruments)),
    }


def balance(call: Call) -> list[Json]:
    """The wallet of the key."""
    venue, key = call.exchange.perpetual, call.key
    available = eight(venue.available(key))
    return [
        {
            "accountAlias": "sandbox",
            "asset": ASSET,
            "balance": eight(venue.wallet(key)),
            "crossWalletBalance": eight(venue.wallet(key)),
            "crossUnPnl": eight(venue.profit(key)),
            "availableBalance": available,
            "maxWithdrawAmount": available,
            "marginAvailable": True,
            "updateTime": int(call.exchange.clock.now() * 1000),
        }
    ]


def position_risk(call: Call) -> list[Json]:
    """Positions of the key, empty ones included."""
    venue = call.exchange.perpetual
    if "symbol" in call.parameters:
        return _positions(call, [venue.instrument(call.parameters.text("symbol")).symbol])
    return _positions(call, list(venue.instruments))


def _positions(call: Call, symbols: Iterable[str]) -> list[Json]:
    venue, key = call.exchange.perpetual, call.key
    return [
        perpetual_wire.position_row(venue, key, symbol, side, venue.position(key, symbol, side))
        for symbol in symbols
        for side in perpetual_wire.all_sides(venue, key)
    ]


def set_leverage(call: Call) -> Json:
    """Change the leverage of a symbol."""
    symbol = call.exchange.perpetual.instrument(call.parameters.text("symbol")).symbol
    leverage = call.parameters.integer("leverage")
    call.exchange.perpetual.set_leverage(call.key, symbol, leverage)
    return {"leverage": leverage, "maxNotionalValue": "100000000", "symbol": symbol}


def set_margin_type(call: Call) -> Json:
    """Change the margin type; only cross margin is offered."""
    call.exchange.perpetual.instrument(call.parameters.text("symbol"))
    if call.parameters.text("marginType") != "CROSSED":
        raise Refused(-4048, "Margin type cannot be changed: only CROSSED is offered.")
    raise Refused(-4046, "No need to change margin type.")


def get_position_mode(call: Call) -> Json:
    """Whether the key is in hedge mode."""
    return {"dualSidePosition": call.exchange.perpetual.hedged(call.key)}


def set_position_mode(call: Call) -> Json:
    """Change the position mode."""
    call.parameters.text("dualSidePosition")
    call.exchange.perpetual.set_hedged(call.key, hedged=call.parameters.flag("dualSidePosition"))
    return {"code": 200, "msg": "success"}


def place_order(call: Call) -> Json:
    """A new order."""
    parameters = call.parameters
    symbol = call.exchange.perpetual.instrument(parameters.text("symbol")).symbol
    side = parameters.choice("side", Side, Refused(-1117, "Invalid side."))
    kind = parameters.choice("type", OrderType, Refused(-1116, "Invalid orderType."))
    if kind is OrderType.LIMIT_MAKER:
        raise Refused(-1116, "Invalid orderType.")
    time_in_force, price = TimeInForce.GTC, Decimal(0)
    if kind is OrderType.LIMIT:
        time_in_force = parameters.choice("timeInForce", TimeInForce, Refused(-1115, "Invalid timeInForce."))
        price = parameters.decimal("price")
    position_side = PositionSide.BOTH
    if "positionSide" in parameters:
        position_side = parameters.choice("positionSide", PositionSide, Refused(-1128, "Invalid positionSide."))
    request = NewOrder(
        symbol,
        side,
        kind,
        time_in_force,
        parameters.decimal("quantity"),
        price,
        parameters.client_id("newClientOrderId") or secrets.token_hex(11),
        reduce_only=parameters.flag("reduceOnly"),
        position_side=position_side,
    )
    call.exchange.wake(Market.PERPETUAL, symbol)
    order, _ = call.exchange.perpetual.place(call.key, request)
    return perpetual_wire.order_row(order)


def get_order(call: Call) -> Json:
    """One order, open or not."""
    order_id, client_id = one_of(call.parameters, "orderId", "origClientOrderId")
    symbol = call.exchange.perpetual.instrument(call.parameters.text("symbol")).symbol
    return perpetual_wire.order_row(call.exchange.perpetual.find(call.key, symbol, order_id, client_id))


def cancel_order(call: Call) -> Json:
    """Cancel one open order."""
    order_id, client_id = one_of(call.parameters, "orderId", "origClientOrderId")
    symbol = call.exchange.perpetual.instrument(call.parameters.text("symbol")).symbol
    return perpetual_wire.order_row(call.exchange.perpetual.cancel(call.key, symbol, order_id, client_id))


def open_orders(call: Call) -> list[Json]:
    """Open orders, of one symbol or of all."""
    symbol = call.parameters.optional("symbol")
    if symbol is not None:
        call.exchange.perpetual.instrument(symbol)
    return [perpetual_wire.order_row(each) for each in call.exchange.perpetual.open_orders(call.key, symbol)]


def cancel_open_orders(call: Call) -> Json:
    """Cancel all open orders of a symbol."""
    symbol = call.exchange.perpetual.instrument(call.parameters.text("symbol")).symbol
    call.exchange.perpetual.withdraw(call.exchange.perpetual.open_orders(call.key, symbol))
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def all_orders(call: Call) -> list[Json]:
    """Orders of a symbol, open or not, oldest first."""
    symbol = call.exchange.perpetual.instrument(call.parameters.text("symbol")).symbol
    limit = min(call.parameters.integer("limit", 500), 1_000)
    orders: list[Order] = call.exchange.store.orders(
        "key = ? AND market = ? AND symbol = ? AND id >= ?",
        call.key,
        Market.PERPETUAL,
        symbol,
        call.parameters.integer("orderId", 0),
        tail=f"ORDER BY id DESC LIMIT {limit}",
    )
    return [perpetual_wire.order_row(each) for each in reversed(orders)]


def user_trades(call: Call) -> list[Json]:
    """Fills of the key in a symbol, oldest first."""
    instrument = call.exchange.perpetual.instrument(call.parameters.text("symbol"))
    rows: list[dict[str, Any]] = []
    for fill in own_fills(call, Market.PERPETUAL, instrument.symbol):
        row = wire.my_trade(instrument, fill)
        del row["isMaker"]
        row |= {
            "side": fill.side,
            "positionSide": fill.position_side,
            "realizedPnl": eight(fill.realized),
            "marginAsset": ASSET,
        }
        rows.append(row)
    return rows


def income(call: Call) -> list[Json]:
    """Changes of the wallet: commissions, realised profits, funding."""
    parameters = call.parameters
    rows = call.exchange.store.incomes(
        call.key,
        parameters.optional("symbol"),
        parameters.optional("incomeType"),
        parameters.integer("startTime", 0),
        parameters.integer("endTime", 2**62),
        min(parameters.integer("limit", 100), 1_000),
    )
    return [
        {
            "symbol": symbol,
            "incomeType": kind,
            "income": eight(amount),
            "asset": asset,
            "info": kind,
            "time": at,
            "tranId": number,
            "tradeId": trade,
        }
        for number, symbol, kind, amount, asset, at, trade in rows
    ]


ROWS = [
    Row("GET", "/fapi/v1/ping", Security.NONE, market_data.ping),
    Row("GET", "/fapi/v1/time", Security.NONE, market_data.server_time),
    Row("GET", "/fapi/v1/exchangeInfo", Security.NONE, exchange_info),
    Row("GET", "/fapi/v1/depth", Security.NONE, depth),
    Row("GET", "/fapi/v1/trades", Security.NONE, market_data.trades),
    Row("GET", "/fapi/v1/aggTrades", Security.NONE, market_data.aggregate_trades),
    Row("GET", "/fapi/v1/klines", Security.NONE, market_data.klines),
    Row("GET", "/fapi/v1/premiumIndex", Security.NONE, premium_index),
    Row("GET", "/fapi/v1/fundingRate", Security.NONE, funding_rates),
    Row("GET", "/fapi/v1/ticker/price", Security.NONE, market_data.ticker_price),
    Row("GET", "/fapi/v2/ticker/price", Security.NONE, market_data.ticker_price),
    Row("GET", "/fapi/v1/ticker/bookTicker", Security.NONE, market_data.ticker_book),
    Row("GET", "/fapi/v1/ticker/24hr", Security.NONE, market_data.ticker_day),
    Row("GET", "/fapi/v2/account", Security.SIGNED, account),
    Row("GET", "/fapi/v3/account", Security.SIGNED, account),
    Row("GET", "/fapi/v2/balance", Security.SIGNED, balance),
    Row("GET", "/fapi/v3/balance", Security.SIGNED, balance),
    Row("GET", "/fapi/v2/positionRisk", Security.SIGNED, position_risk),
    Row("GET", "/fapi/v3/positionRisk", Security.SIGNED, position_risk),
    Row("POST", "/fapi/v1/leverage", Security.SIGNED, set_leverage),
    Row("POST", "/fapi/v1/marginType", Security.SIGNED, set_margin_type),
    Row("GET", "/fapi/v1/positionSide/dual", Security.SIGNED, get_position_mode),
    Row("POST", "/fapi/v1/positionSide/dual", Security.SIGNED, set_position_mode),
    Row("POST", "/fapi/v1/order", Security.SIGNED, place_order),
    Row("GET", "/fapi/v1/order", Security.SIGNED, get_order),
    Row("DELETE", "/fapi/v1/order", Security.SIGNED, cancel_order),
    Row("GET", "/fapi/v1/openOrders", Security.SIGNED, open_orders),
    Row("DELETE", "/fapi/v1/allOpenOrders", Security.SIGNED, cancel_open_orders),
    Row("GET", "/fapi/v1/allOrders", Security.SIGNED, all_orders),
    Row("GET", "/fapi/v1/userTrades", Security.SIGNED, user_trades),
    Row("GET", "/fapi/v1/income", Security.SIGNED, income),
    Row("POST", "/fapi/v1/listenKey", Security.KEY, open_listen_key),
    Row("PUT", "/fapi/v1/listenKey", Security.KEY, keep_listen_key),
    Row("DELETE", "/fapi/v1/listenKey", Security.KEY, close_listen_key),
]
