"""The spot market's own answers and events."""

from typing import Any

from aviary.sandbox.events import Execution, OrderReported
from aviary.sandbox.instruments import MAXIMUM_LOTS, MAXIMUM_TICKS, Instrument
from aviary.sandbox.orders import Fill, Order, OrderType, TimeInForce, Trade
from aviary.sandbox.wallets import Balance
from aviary.sandbox.web.wire import Json, eight, plain


def symbol_rules(instrument: Instrument) -> Json:
    """An instrument as `exchangeInfo` lists it."""
    return {
        "symbol": instrument.symbol,
        "status": "TRADING",
        "baseAsset": instrument.base,
        "baseAssetPrecision": 8,
        "quoteAsset": instrument.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "icebergAllowed": False,
        "ocoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": plain(instrument.tick),
                "maxPrice": plain(instrument.price(MAXIMUM_TICKS)),
                "tickSize": plain(instrument.tick),
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": plain(instrument.step),
                "maxQty": plain(instrument.amount(MAXIMUM_LOTS)),
                "stepSize": plain(instrument.step),
            },
            {
                "filterType": "NOTIONAL",
                "minNotional": plain(instrument.minimum_notional),
                "applyMinToMarket": True,
                "maxNotional": "900000000",
                "applyMaxToMarket": False,
                "avgPriceMins": 0,
            },
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "NONE",
        "allowedSelfTradePreventionModes": ["NONE"],
    }


def order_row(order: Order) -> Json:
    """An order as questions about it are answered."""
    instrument = order.instrument
    return {
        "symbol": instrument.symbol,
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        "price": eight(instrument.price(order.price)),
        "origQty": eight(instrument.amount(order.quantity)),
        "executedQty": eight(instrument.amount(order.filled)),
        "origQuoteOrderQty": "0.00000000",
        "cummulativeQuoteQty": eight(instrument.notional(order.worth)),
        "status": order.status,
        "timeInForce": order.time_in_force,
        "type": order.type,
        "side": order.side,
        "stopPrice": "0.00000000",
        "icebergQty": "0.00000000",
        "time": order.created,
        "updateTime": order.updated,
        "isWorking": order.status.open,
        "workingTime": order.created,
        "selfTradePreventionMode": "NONE",
    }


def placed(order: Order, fills: list[Fill]) -> Json:
    """The full answer to a new order."""
    instrument = order.instrument
    answer = order_row(order)
    for name in ("stopPrice", "icebergQty", "time", "updateTime", "isWorking"):
        del answer[name]
    answer["transactTime"] = order.updated
    answer["fills"] = [
        {
            "price": eight(instrument.price(fill.trade.price)),
            "qty": eight(instrument.amount(fill.trade.quantity)),
            "commission": eight(fill.fee),
            "commissionAsset": fill.fee_asset,
            "tradeId": fill.trade.id,
        }
        for fill in fills
    ]
    return answer


def cancelled(order: Order, request_id: str) -> Json:
    """The answer to a cancellation."""
    answer = order_row(order)
    for name in ("stopPrice", "icebergQty", "time", "updateTime", "isWorking", "workingTime"):
        del answer[name]
    answer["origClientOrderId"] = order.client_id
    answer["clientOrderId"] = request_id
    answer["transactTime"] = order.updated
    return answer


def execution_report(report: OrderReported, now: int) -> Json:
    """What the user stream says of an order."""
    order, fill = report.order, report.fill
    instrument = order.instrument
    cancelled_by_request = report.execution is Execution.CANCELED
    last_lots = fill.trade.quantity if fill else 0
    last_price = fill.trade.price if fill else 0
    event: dict[str, Any] = {
        "e": "executionReport",
        "E": now,
        "s": instrument.symbol,
        "c": (report.request_id or f"web_{order.id}") if cancelled_by_request else order.client_id,
        "S": order.side,
        "o": order.type,
        "f": order.time_in_force if order.type is not OrderType.MARKET else TimeInForce.GTC,
        "q": eight(instrument.amount(order.quantity)),
        "p": eight(instrument.price(order.price)),
        "P": "0.00000000",
        "F": "0.00000000",
        "g": -1,
        "C": order.client_id if cancelled_by_request else "",
        "x": report.execution,
        "X": order.status,
        "r": "NONE",
        "i": order.id,
        "l": eight(instrument.amount(last_lots)),
        "z": eight(instrument.amount(order.filled)),
        "L": eight(instrument.price(last_price)),
        "n": eight(fill.fee) if fill else "0",
        "N": fill.fee_asset if fill else None,
        "T": order.updated,
        "t": fill.trade.id if fill else -1,
        "I": order.id,
        "w": order.status.open,
        "m": fill.is_maker if fill else False,
        "M": False,
        "O": order.created,
        "Z": eight(instrument.notional(order.worth)),
        "Y": eight(instrument.notional(last_price * last_lots)),
        "Q": "0.00000000",
        "W": order.created,
        "V": "NONE",
    }
    return event


def account_position(balances: dict[str, Balance], at: int, now: int) -> Json:
    """What the user stream says of balances that changed."""
    return {
        "e": "outboundAccountPosition",
        "E": now,
        "u": at,
        "B": [{"a": asset, "f": eight(each.free), "l": eight(each.locked)} for asset, each in balances.items()],
    }


def trade_event(trade: Trade, now: int) -> Json:
    """A public trade as the trade stream pushes it."""
    instrument = trade.instrument
    return {
        "e": "trade",
        "E": now,
        "s": instrument.symbol,
        "t": trade.id,
        "p": plain(instrument.price(trade.price)),
        "q": plain(instrument.amount(trade.quantity)),
        "b": trade.buyer_order,
        "a": trade.seller_order,
        "T": trade.at,
        "m": trade.buyer_is_maker,
        "M": True,
    }
