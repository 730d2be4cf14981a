"""The websocket routes: who may connect, and which session each gets."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from aiohttp import web
from aviary.http.auth import Credentials, Doorkeeper, from_header, from_token
from aviary.http.routing import Page
from aviary.http.streams.bots import BotSession
from aviary.http.streams.connection import Connection
from aviary.http.streams.hub import FeedHub
from aviary.http.streams.market_data import MarketDataSession
from aviary.http.streams.session import MAX_FRAME, Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from aviary.actors.core.system import System

UNAUTHORISED = 4001
"""Close code of the released server for a wrong password."""

PING_PERIOD = 20.0
"""Seconds between two pings; a client that does not answer within half of it is gone."""


def stream_pages(system: System, doorkeeper: Doorkeeper) -> tuple[Page, ...]:
    """The websockets. They check passwords themselves: the socket is accepted first, as clients expect."""
    hubs: list[FeedHub] = []

    def hub() -> FeedHub:
        if not hubs:
            hubs.append(FeedHub(system))
        return hubs[0]

    def market_data(connection: Connection, *, documented: bool) -> Session:
        name = secrets.token_hex(4)
        return MarketDataSession(connection, system, hub(), name, documented=documented)

    def executors(connection: Connection) -> Session:
        token = secrets.token_hex(6)
        return BotSession(connection, system, f"{token[:8]}-{token[8:11]}")

    def page(path: str, make: Callable[[Connection], Session]) -> Page:
        async def handle(request: web.Request) -> web.WebSocketResponse:
            return await _serve(request, doorkeeper, make)

        return Page("GET", path, handle, "a websocket", open=True)

    return (
        page("/ws/market-data", lambda connection: market_data(connection, documented=False)),
        page("/market-data/stream", lambda connection: market_data(connection, documented=True)),
        page("/ws/executors", executors),
    )


async def _serve(
    request: web.Request, doorkeeper: Doorkeeper, make: Callable[[Connection], Session]
) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(heartbeat=PING_PERIOD, max_msg_size=MAX_FRAME, compress=False)
    await socket.prepare(request)
    transport = request.transport
    if transport is None:
        return socket
    connection = Connection(socket, transport)
    remote = request.remote or ""
    if doorkeeper.wait_for(remote) > 0 or not doorkeeper.admits(_credentials(request)):
        doorkeeper.note_failure(remote)
        connection.say({"type": "error", "message": "Authentication failed"})
        await socket.close(code=UNAUTHORISED, message=b"Authentication failed")
        return socket
    await make(connection).serve(socket)
    return socket


def _credentials(request: web.Request) -> Credentials | None:
    header = request.headers.get("Authorization")
    if header is not None:
        return from_header(header)
    token = request.query.get("token")
    if token is not None:
        return from_token(token)
    username, password = request.query.get("username"), request.query.get("password")
    return None if username is None or password is None else Credentials(username, password)
