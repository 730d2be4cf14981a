"""The perpetual market's own answers and events."""

from decimal import Decimal

from aviary.sandbox.events import AccountChanged, OrderReported
from aviary.sandbox.exchange import Exchange
from aviary.sandbox.instruments import MAXIMUM_LOTS, MAXIMUM_TICKS, Instrument, Market
from aviary.sandbox.orders import Order, OrderType, PositionSide
from aviary.sandbox.perpetual import ASSET, MAINTENANCE, PerpetualVenue
from aviary.sandbox.positions import Position
from aviary.sandbox.web.wire import Json, eight, plain


def symbol_rules(instrument: Instrument) -> Json:
    """An instrument as `exchangeInfo` lists it."""
    largest = plain(instrument.amount(MAXIMUM_LOTS))
    return {
        "symbol": instrument.symbol,
        "pair": instrument.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": 4_133_404_800_000,
        "onboardDate": 1_569_398_400_000,
        "status": "TRADING",
        "maintMarginPercent": f"{MAINTENANCE * 100:.4f}",
        "requiredMarginPercent": "5.0000",
        "baseAsset": instrument.base,
        "quoteAsset": instrument.quote,
        "marginAsset": ASSET,
        "pricePrecision": -_exponent(instrument.tick),
        "quantityPrecision": -_exponent(instrument.step),
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "triggerProtect": "0.0500",
        "liquidationFee": "0.005000",
        "marketTakeBound": "0.05",
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
                "maxQty": largest,
                "stepSize": plain(instrument.step),
            },
            {
                "filterType": "MARKET_LOT_SIZE",
                "minQty": plain(instrument.step),
                "maxQty": largest,
                "stepSize": plain(instrument.step),
            },
            {"filterType": "MIN_NOTIONAL", "notional": plain(instrument.minimum_notional)},
        ],
        "orderTypes": ["LIMIT", "MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    }


def _exponent(value: Decimal) -> int:
    return int(value.as_tuple().exponent)


def order_row(order: Order) -> Json:
    """An order as requests about it are answered."""
    instrument = order.instrument
    average = instrument.notional(order.worth) / instrument.amount(order.filled) if order.filled else Decimal(0)
    return {
        "orderId": order.id,
        "symbol": instrument.symbol,
        "status": order.status,
        "clientOrderId": order.client_id,
        "price": plain(instrument.price(order.price)),
        "avgPrice": f"{average:.5f}",
        "origQty": plain(instrument.amount(order.quantity)),
        "executedQty": plain(instrument.amount(order.filled)),
        "cumQty": plain(instrument.amount(order.filled)),
        "cumQuote": eight(instrument.notional(order.worth)),
        "timeInForce": order.time_in_force,
        "type": order.type,
        "origType": order.type,
        "reduceOnly": order.reduce_only,
        "closePosition": False,
        "side": order.side,
        "positionSide": order.position_side,
        "stopPrice": "0",
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "priceMatch": "NONE",
        "selfTradePreventionMode": "NONE",
        "goodTillDate": 0,
        "time": order.created,
        "updateTime": order.updated,
    }


def order_event(report: OrderReported, now: int) -> Json:
    """What the user stream says of an order."""
    order, fill = report.order, report.fill
    instrument = order.instrument
    average = instrument.notional(order.worth) / instrument.amount(order.filled) if order.filled else Decimal(0)
    return {
        "e": "ORDER_TRADE_UPDATE",
        "E": now,
        "T": order.updated,
        "o": {
            "s": instrument.symbol,
            "c": order.client_id,
            "S": order.side,
            "o": order.type,
            "f": order.time_in_force,
            "q": plain(instrument.amount(order.quantity)),
            "p": plain(instrument.price(order.price)),
            "ap": f"{average:.5f}",
            "sp": "0",
            "x": report.execution,
            "X": order.status,
            "i": order.id,
            "l": plain(instrument.amount(fill.trade.quantity)) if fill else "0",
            "z": plain(instrument.amount(order.filled)),
            "L": plain(instrument.price(fill.trade.price)) if fill else "0",
            "N": fill.fee_asset if fill else ASSET,
            "n": eight(fill.fee) if fill else "0",
            "T": order.updated,
            "t": fill.trade.id if fill else 0,
            "b": "0",
            "a": "0",
            "m": fill.is_maker if fill else False,
            "R": order.reduce_only,
            "wt": "CONTRACT_PRICE",
            "ot": order.type if order.type is OrderType.MARKET else OrderType.LIMIT,
            "ps": order.position_side,
            "cp": False,
            "rp": eight(fill.realized) if fill else "0",
            "pP": False,
            "si": 0,
            "ss": 0,
        },
    }


def account_event(venue: PerpetualVenue, change: AccountChanged, now: int) -> Json:
    """What the user stream says of a wallet and a position that changed."""
    wallet = eight(venue.wallet(change.key))
    positions = []
    for (symbol, side), held in venue.positions(change.key).items():
        if symbol != change.symbol:
            continue
        instrument = venue.instruments[symbol]
        positions.append(
            {
                "s": symbol,
                "pa": plain(instrument.amount(held.amount)),
                "ep": f"{held.entry(instrument):.5f}",
                "bep": f"{held.entry(instrument):.5f}",
                "cr": "0",
                "up": eight(held.profit(instrument, venue.mark(symbol)) if held.amount else Decimal(0)),
                "mt": "cross",
                "iw": "0",
                "ps": side,
            }
        )
    return {
        "e": "ACCOUNT_UPDATE",
        "E": now,
        "T": change.at,
        "a": {
            "m": change.reason,
            "B": [{"a": ASSET, "wb": wallet, "cw": wallet, "bc": "0"}],
            "P": positions,
        },
    }


def position_row(venue: PerpetualVenue, key: str, symbol: str, side: PositionSide, held: Position) -> Json:
    """A position as questions about it are answered."""
    instrument = venue.instruments[symbol]
    mark = venue.mark(symbol)
    profit = held.profit(instrument, mark) if held.amount else Decimal(0)
    leverage = venue.leverage(key, symbol)
    value = venue.value(symbol, held)
    return {
        "symbol": symbol,
        "positionSide": side,
        "positionAmt": plain(instrument.amount(held.amount)),
        "entryPrice": f"{held.entry(instrument):.8f}",
        "breakEvenPrice": f"{held.entry(instrument):.8f}",
        "markPrice": eight(mark),
        "unRealizedProfit": eight(profit),
        "unrealizedProfit": eight(profit),
        "liquidationPrice": "0",
        "leverage": str(leverage),
        "maxNotionalValue": "100000000",
        "marginType": "cross",
        "marginAsset": ASSET,
        "isolated": False,
        "isolatedMargin": "0",
        "isolatedWallet": "0",
        "isAutoAddMargin": "false",
        "notional": eight(value if held.amount >= 0 else -value),
        "initialMargin": eight(value / leverage),
        "positionInitialMargin": eight(value / leverage),
        "openOrderInitialMargin": "0",
        "maintMargin": eight(value * MAINTENANCE),
        "maxNotional": "100000000",
        "updateTime": held.updated,
    }


def premium_index(exchange: Exchange, instrument: Instrument, now: float) -> Json:
    """Mark and index price and the funding that is due next."""
    venue = exchange.perpetual
    due = venue.next_funding(now)
    shock = exchange.faults.shock(Market.PERPETUAL, instrument.symbol)
    index = exchange.reference(Market.SPOT, instrument.symbol, now) * shock
    return {
        "symbol": instrument.symbol,
        "markPrice": eight(venue.mark(instrument.symbol, now)),
        "indexPrice": f"{index:.8f}",
        "estimatedSettlePrice": f"{index:.8f}",
        "lastFundingRate": eight(venue.funding_rate(instrument.symbol, due)),
        "interestRate": "0.00010000",
        "nextFundingTime": due * 1000,
        "time": int(now * 1000),
    }


def mark_event(exchange: Exchange, instrument: Instrument, now: float) -> Json:
    """Mark price and funding as the stream pushes them."""
    row = premium_index(exchange, instrument, now)
    return {
        "e": "markPriceUpdate",
        "E": row["time"],
        "s": row["symbol"],
        "p": row["markPrice"],
        "i": row["indexPrice"],
        "P": row["estimatedSettlePrice"],
        "r": row["lastFundingRate"],
        "T": row["nextFundingTime"],
    }


def all_sides(venue: PerpetualVenue, key: str) -> tuple[PositionSide, ...]:
    """The position sides of a key's mode."""
    return (PositionSide.LONG, PositionSide.SHORT) if venue.hedged(key) else (PositionSide.BOTH,)
