"""The aiohttp application: routes, faults in front of them, and the beat that moves the market."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware
from aviary.sandbox.exchange import Exchange
from aviary.sandbox.faults import FaultKind
from aviary.sandbox.instruments import Market
from aviary.sandbox.refusals import Refused
from aviary.sandbox.web import perpetual_api, spot_api
from aviary.sandbox.web.admin_api import Admin
from aviary.sandbox.web.context import KEY_HEADER, Desk, dumps
from aviary.sandbox.web.listen_keys import ListenKeys
from aviary.sandbox.web.sockets import Sockets

BEAT = 0.1
"""Seconds between pushes to streams."""

BEATS_PER_STEP = 2
"""Beats between movements of the market."""

BODY_LIMIT = 64 * 1024

type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def market_of(path: str) -> Market | None:
    """The market to which a path belongs; None for the admin API."""
    if path.startswith("/_sandbox"):
        return None
    return (
        Market.PERPETUAL
        if path.startswith(("/fapi", "/public", "/market", "/private", "/fstream"))
        else Market.SPOT
    )


def application(exchange: Exchange) -> web.Application:
    """The exchange as an aiohttp application."""
    listen_keys = ListenKeys(exchange.clock)
    desk = Desk(exchange, listen_keys)
    sockets = Sockets(exchange, listen_keys)
    app = web.Application(middlewares=[_refusals_as_json, _faults_first(exchange)], client_max_size=BODY_LIMIT)
    for market, rows in ((Market.SPOT, spot_api.ROWS), (Market.PERPETUAL, perpetual_api.ROWS)):
        for row in rows:
            app.router.add_route(row.method, row.path, desk.route(market, row))
    spot, perpetual = Market.SPOT, Market.PERPETUAL
    app.router.add_get("/ws-api/v3", sockets.api)
    for market, prefixes in ((spot, ("",)), (perpetual, ("/public", "/market", "/private", "/fstream"))):
        for prefix in prefixes:
            app.router.add_get(f"{prefix}/ws", sockets.public(market, combined=False))
            app.router.add_get(f"{prefix}/ws/{{names:.*}}", sockets.public(market, combined=False))
            app.router.add_get(f"{prefix}/stream", sockets.public(market, combined=True))
    Admin(exchange, sockets).add_to(app)
    app.cleanup_ctx.append(_beating(exchange, sockets))

    async def cut_connections(_: web.Application) -> None:
        sockets.abort(lambda _: True)

    app.on_shutdown.append(cut_connections)
    return app


def _beating(exchange: Exchange, sockets: Sockets) -> Callable[[web.Application], AsyncIterator[None]]:
    async def beat() -> None:
        number = 0
        while True:
            if number % BEATS_PER_STEP == 0:
                exchange.step(sockets.watched())
            sockets.step()
            number += 1
            await asyncio.sleep(BEAT)

    async def run(_: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(beat())
        # A market that stopped moving must not look like a quiet one: the process ends, and starts again from its file.
        task.add_done_callback(_end_loop_on_failure)
        yield
        task.cancel()
        await asyncio.wait([task])

    return run


def _end_loop_on_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        loop = task.get_loop()
        loop.call_exception_handler({"message": "the market stopped moving", "exception": task.exception()})
        loop.stop()


@web.middleware
async def _refusals_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refused as refused:
        return _refusal(refused.code, refused.message, refused.status)
    except UnicodeDecodeError:
        return _refusal(-1100, "Illegal characters found in a parameter.", 400)
    except web.HTTPNotFound:
        return _refusal(-5000, f"Path {request.path}, Method {request.method} is invalid", 404)
    except web.HTTPMethodNotAllowed:
        return _refusal(-5000, f"Path {request.path}, Method {request.method} is invalid", 405)
    except web.HTTPRequestEntityTooLarge:
        return _refusal(-1101, "Too many parameters sent for this endpoint.", 413)


def _refusal(code: int, message: str, status: int, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"code": code, "msg": message}, status=status, headers=headers, dumps=dumps)


def _faults_first(exchange: Exchange) -> Middleware:
    faults = exchange.faults

    @web.middleware
    async def apply(request: web.Request, handler: Handler) -> web.StreamResponse:
        market = market_of(request.path)
        if market is None:
            return await handler(request)
        key = request.headers.get(KEY_HEADER)
        if faults.use(FaultKind.DOWN, market, key) is not None:
            return _cut(request)
        websocket = request.headers.get("Upgrade", "").lower() == "websocket"
        if websocket:
            if faults.find(FaultKind.DROP_WEBSOCKETS, market, key) is not None:
                return _cut(request)
            return await handler(request)
        latency = faults.use(FaultKind.LATENCY, market, key)
        if latency is not None:
            await asyncio.sleep(latency.amount / 1000)
        broken = faults.use(FaultKind.HTTP_5XX, market, key)
        if broken is not None:
            message = "Internal error; unable to process your request. Please try again."
            return _refusal(-1001, message, int(broken.amount))
        if faults.use(FaultKind.HTTP_429, market, key) is not None:
            message = "Too many requests; please use the websocket for live updates to avoid polling the API."
            return _refusal(-1003, message, 429, {"Retry-After": "1"})
        try:
            response = await handler(request)
        except Refused:
            # Clients repeat some requests by themselves; that the second one is refused must be lost as well.
            if _answer_is_lost(request, market, key):
                return _cut(request)
            raise
        return _cut(request) if _answer_is_lost(request, market, key) else response

    def _answer_is_lost(request: web.Request, market: Market, key: str | None) -> bool:
        if request.method not in ("POST", "PUT", "DELETE"):
            return False
        wanted = [FaultKind.ANSWER_LOST]
        if request.path.endswith("/order"):
            wanted.append(
                FaultKind.PLACE_ANSWER_LOST if request.method == "POST" else FaultKind.CANCEL_ANSWER_LOST
            )
        return any(faults.use(kind, market, key) is not None for kind in wanted)

    return apply


def _cut(request: web.Request) -> web.StreamResponse:
    """Cut the connection, so that the client has no answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=499)
