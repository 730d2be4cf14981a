"""The admin API under `/_sandbox`: faults, keys, and the exchange's own books."""

import math
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
from aiohttp import web
from aviary.sandbox.exchange import Exchange
from aviary.sandbox.faults import Fault, FaultKind
from aviary.sandbox.instruments import DEFAULT_BALANCES, INSTRUMENTS, Market
from aviary.sandbox.mischief import Mischief
from aviary.sandbox.orders import Order
from aviary.sandbox.refusals import Refused
from aviary.sandbox.web.context import dumps
from aviary.sandbox.web.sockets import Sockets
from aviary.sandbox.web.wire import plain

LONGEST_FAULT = 86_400.0
"""Seconds that a fault may last."""

_DEFAULT_AMOUNTS = {FaultKind.LATENCY: 500.0, FaultKind.HTTP_5XX: 500.0, FaultKind.PRICE_SHOCK: -5.0}

_AMOUNT_NAMES = {
    FaultKind.LATENCY: ("ms", 0.0, 60_000.0),
    FaultKind.HTTP_5XX: ("status", 500.0, 599.0),
    FaultKind.PRICE_SHOCK: ("percent", -90.0, 1_000.0),
    FaultKind.HIDDEN_FILL: ("fraction", 0.0, 1.0),
}
"""The parameter of each kind that has one, its lowest and its highest value."""


class _Unacceptable(Exception):
    """A bad admin request; its text is the answer."""


class Admin:
    """Handlers of the admin API."""

    def __init__(self, exchange: Exchange, sockets: Sockets) -> None:
        self._exchange = exchange
        self._sockets = sockets
        self._mischief = Mischief(exchange)

    def add_to(self, app: web.Application) -> None:
        """Add the routes."""
        routes: list[tuple[str, str, Callable[[web.Request, Any], Any]]] = [
            ("GET", "/_sandbox/health", self._health),
            ("POST", "/_sandbox/faults", self._add_fault),
            ("GET", "/_sandbox/faults", self._list_faults),
            ("DELETE", "/_sandbox/faults", self._clear_faults),
            ("GET", "/_sandbox/orders", self._orders),
            ("GET", "/_sandbox/fills", self._fills),
            ("GET", "/_sandbox/balances", self._balances),
            ("GET", "/_sandbox/positions", self._positions),
            ("POST", "/_sandbox/keys", self._create_key),
            ("POST", "/_sandbox/deposits", self._deposit),
        ]
        for method, path, handler in routes:
            app.router.add_route(method, path, _answered(handler))

    def _health(self, request: web.Request, body: Any) -> Any:
        del request, body
        settings = self._exchange.settings
        return {"status": "up", "seed": settings.seed, "time": self._exchange.clock.now()}

    def _add_fault(self, request: web.Request, body: Any) -> Any:
        del request
        allowed = {"kind", "seconds", "market", "key", "symbol", "count", "order_id", "client_order_id"}
        kind = _choice(body, "kind", FaultKind)
        name, lowest, highest = _AMOUNT_NAMES.get(kind, ("", 0.0, 0.0))
        unknown = sorted(set(body) - allowed - {name})
        if unknown:
            raise _Unacceptable(f"{unknown[0]}: not a parameter of {kind}")
        amount = _DEFAULT_AMOUNTS.get(kind, 0.0)
        if name and name in body:
            amount = _number(body, name, lowest, highest)
        wanted = body.get("market", "both")
        if wanted not in (*Market, "both"):
            raise _Unacceptable("market: must be spot, perpetual or both")
        market = None if wanted == "both" else Market(wanted)
        symbol = _text(body, "symbol")
        if symbol is not None and not any(symbol in instruments for instruments in INSTRUMENTS.values()):
            raise _Unacceptable(f"symbol: {symbol[:40]} is not traded here")
        count = int(_number(body, "count", 1, 1_000_000)) if "count" in body else None
        seconds = _number(body, "seconds", 0.0, LONGEST_FAULT) if "seconds" in body else 0.0
        if not seconds and kind not in (FaultKind.HIDDEN_FILL, FaultKind.HIDDEN_CANCEL, FaultKind.DROP_WEBSOCKETS):
            raise _Unacceptable("seconds: must be greater than 0")
        fault = self._exchange.faults.add(kind, seconds, market, _text(body, "key"), symbol, amount, count)
        answer = _fault(fault)
        if kind in (FaultKind.HIDDEN_FILL, FaultKind.HIDDEN_CANCEL):
            order_id = int(_number(body, "order_id", 0, 2**62)) if "order_id" in body else None
            affected = self._mischief.at_once(fault, order_id, _text(body, "client_order_id"))
            answer["orders"] = [_order(each) for each in affected]
        if kind in (FaultKind.DROP_WEBSOCKETS, FaultKind.DOWN):
            answer["connections"] = self._sockets.abort(
                lambda connection: (
                    market in (None, connection.market) and (fault.key is None or fault.key in connection.keys)
                )
            )
        return answer

    def _list_faults(self, request: web.Request, body: Any) -> Any:
        del request, body
        return [_fault(each) for each in self._exchange.faults.active()]

    def _clear_faults(self, request: web.Request, body: Any) -> Any:
        del request, body
        return {"cleared": self._exchange.faults.clear()}

    def _orders(self, request: web.Request, body: Any) -> Any:
        del body
        conditions, values = _filters(request)
        if request.query.get("open", "").lower() == "true":
            conditions.append("status IN ('NEW', 'PARTIALLY_FILLED')")
        if "client_order_id" in request.query:
            conditions.append("client_id = ?")
            values.append(request.query["client_order_id"])
        return [_order(each) for each in self._exchange.store.orders(" AND ".join(conditions), *values)]

    def _fills(self, request: web.Request, body: Any) -> Any:
        del body
        conditions, values = _filters(request)
        rows = []
        for fill in self._exchange.store.fills(" AND ".join(conditions), *values):
            instrument = INSTRUMENTS[fill.market][fill.symbol]
            rows.append(
                {
                    "trade_id": fill.trade,
                    "order_id": fill.order_id,
                    "client_order_id": fill.client_id,
                    "market": fill.market,
                    "symbol": fill.symbol,
                    "key": fill.key,
                    "side": fill.side,
                    "price": plain(instrument.price(fill.price)),
                    "amount": plain(instrument.amount(fill.quantity)),
                    "fee": plain(fill.fee),
                    "fee_asset": fill.fee_asset,
                    "is_maker": fill.is_maker,
                    "realized_pnl": plain(fill.realized),
                    "position_side": fill.position_side,
                    "time": fill.at,
                }
            )
        return rows

    def _balances(self, request: web.Request, body: Any) -> Any:
        del body
        key = _asked_key(request)
        return {
            market.value: {
                asset: {"free": plain(each.free), "locked": plain(each.locked)}
                for asset, each in venue.wallets.of(key).items()
            }
            for market, venue in self._exchange.venues.items()
        }

    def _positions(self, request: web.Request, body: Any) -> Any:
        del body
        key = _asked_key(request)
        venue = self._exchange.perpetual
        rows = []
        for (symbol, side), held in venue.positions(key).items():
            if held.amount:
                instrument = venue.instruments[symbol]
                rows.append(
                    {
                        "symbol": symbol,
                        "side": side,
                        "amount": plain(instrument.amount(held.amount)),
                        "entry_price": plain(held.entry(instrument)),
                        "unrealized_pnl": plain(held.profit(instrument, venue.mark(symbol))),
                        "leverage": venue.leverage(key, symbol),
                    }
                )
        return rows

    def _deposit(self, request: web.Request, body: Any) -> Any:
        del request
        key, asset = _text(body, "key"), _text(body, "asset")
        wanted = body.get("market", "spot")
        if wanted not in list(Market):
            raise _Unacceptable("market: must be spot or perpetual")
        market = Market(wanted)
        if key is None:
            raise _Unacceptable("key: is required")
        if asset not in DEFAULT_BALANCES[market]:
            raise _Unacceptable("asset: is required, and must be one of this market")
        change = Decimal(str(_number(body, "change", -1e12, 1e12)))
        try:
            self._exchange.keys.known(key)
        except Refused as refused:
            raise _Unacceptable(f"key: {refused.message}") from refused
        venue = self._exchange.venues[market]
        if venue.wallets.get(key, asset).free + change < 0:
            raise _Unacceptable("change: more than what is free")
        venue.deposit(key, asset, change)
        return {"free": plain(venue.wallets.get(key, asset).free)}

    def _create_key(self, request: web.Request, body: Any) -> Any:
        del request
        balances: dict[Market, dict[str, Decimal]] = {}
        for market in Market:
            if market in body:
                balances[market] = _amounts(body[market], market)
        unknown = sorted(set(body) - {"key", "secret", *Market})
        if unknown:
            raise _Unacceptable(f"{unknown[0]}: not a parameter")
        try:
            key, secret = self._exchange.keys.create(_text(body, "key"), _text(body, "secret"), balances)
        except Refused as refused:
            raise _Unacceptable(f"key: {refused.message}") from refused
        return {"key": key, "secret": secret}


def _answered(handler: Callable[[web.Request, Any], Any]) -> Callable[[web.Request], Any]:
    async def answer(request: web.Request) -> web.Response:
        try:
            body = await _body(request)
            return web.json_response(handler(request, body), dumps=dumps)
        except _Unacceptable as refused:
            return web.json_response({"detail": str(refused)}, status=422, dumps=dumps)

    return answer


async def _body(request: web.Request) -> dict[str, Any]:
    if request.method != "POST":
        return {}
    try:
        value = orjson.loads(await request.read())
    except orjson.JSONDecodeError as error:
        raise _Unacceptable(f"body: not JSON ({error})") from error
    if not isinstance(value, dict):
        raise _Unacceptable("body: must be an object")
    return value


def _choice(body: dict[str, Any], name: str, choices: type[FaultKind]) -> FaultKind:
    value = body.get(name)
    if not isinstance(value, str) or value not in list(choices):
        raise _Unacceptable(f"{name}: must be one of {', '.join(choices)}")
    return choices(value)


def _number(body: dict[str, Any], name: str, lowest: float, highest: float) -> float:
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _Unacceptable(f"{name}: must be a number")
    if not lowest <= value <= highest:
        raise _Unacceptable(f"{name}: must be between {lowest:g} and {highest:g}")
    return float(value)


def _text(body: dict[str, Any], name: str) -> str | None:
    value = body.get(name)
    if value is not None and (not isinstance(value, str) or not value):
        raise _Unacceptable(f"{name}: must be a text")
    return value


def _amounts(value: Any, market: Market) -> dict[str, Decimal]:
    if not isinstance(value, dict):
        raise _Unacceptable(f"{market}: must be an object of asset and amount")
    amounts: dict[str, Decimal] = {}
    for asset, amount in value.items():
        if asset not in DEFAULT_BALANCES[market]:
            raise _Unacceptable(f"{market}: {asset[:40]} is not an asset here")
        try:
            amounts[asset] = Decimal(str(amount))
        except InvalidOperation as error:
            raise _Unacceptable(f"{market}: {asset} must be a number") from error
        if not amounts[asset].is_finite() or not 0 <= amounts[asset] <= 10**12:
            raise _Unacceptable(f"{market}: {asset} must be between 0 and 1e12")
    return amounts


def _filters(request: web.Request) -> tuple[list[str], list[object]]:
    conditions, values = ["1 = 1"], list[object]()
    for name in ("key", "market", "symbol"):
        if name in request.query:
            conditions.append(f"{name} = ?")
            values.append(request.query[name])
    return conditions, values


def _asked_key(request: web.Request) -> str:
    key = request.query.get("key")
    if not key:
        raise _Unacceptable("key: is required")
    return key


def _fault(fault: Fault) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": fault.id,
        "kind": fault.kind,
        "market": fault.market or "both",
        "key": fault.key,
        "symbol": fault.symbol,
        "since": fault.since,
        "until": fault.until,
        "left": fault.left,
    }
    if fault.kind in _AMOUNT_NAMES:
        row[_AMOUNT_NAMES[fault.kind][0]] = fault.amount
    return row


def _order(order: Order) -> dict[str, Any]:
    instrument = order.instrument
    return {
        "order_id": order.id,
        "client_order_id": order.client_id,
        "market": instrument.market,
        "symbol": instrument.symbol,
        "key": order.owner,
        "side": order.side,
        "type": order.type,
        "time_in_force": order.time_in_force,
        "price": plain(instrument.price(order.price)),
        "amount": plain(instrument.amount(order.quantity)),
        "filled": plain(instrument.amount(order.filled)),
        "filled_quote": plain(instrument.notional(order.worth)),
        "status": order.status,
        "reduce_only": order.reduce_only,
        "position_side": order.position_side,
        "created": order.created,
        "updated": order.updated,
    }
