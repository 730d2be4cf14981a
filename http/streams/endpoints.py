"""The websocket routes: who may connect, and which session each gets."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from typing import TYPE_CHECKING, Any

from aiohttp import WSCloseCode, web
from aviary.http.auth import BasicAuth, of_websocket
from aviary.http.origins import is_foreign
from aviary.http.routing import Page
from aviary.http.streams.connection import Connection, Limits
from aviary.http.streams.executor_hub import ExecutorHub
from aviary.http.streams.executors import ExecutorSession
from aviary.http.streams.hub import FeedHub
from aviary.http.streams.market_data import MarketDataSession, StreamSession
from aviary.http.streams.parted import Parted
from aviary.http.streams.session import MAX_FRAME, Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from aviary.actors.core.system import System

UNAUTHORISED = 4001
"""Close code of the released server for a wrong password."""

FOREIGN = 4003
"""Close code for a page of an origin that was not named."""

PING_PERIOD = 30.0
"""Seconds between two pings; a client that does not answer within half of it is gone. Longer than a slow
client's time, so that one learns why it is disconnected."""

MAX_CONNECTIONS = 1_000
"""Websockets at the same time."""

GOODBYE_TIMEOUT = 1.0
"""Seconds that clients have to take the goodbye when the server stops."""


class Streams:
    """The websockets of a server. They check passwords themselves: accepted first, as clients expect."""

    def __init__(
        self, system: System, basic_auth: BasicAuth, origins: tuple[str, ...], limits: Limits | None = None
    ) -> None:
        self._system = system
        self._basic_auth = basic_auth
        self._origins = origins
        self._limits = limits
        self._parted = Parted(system.clock)
        self._open: dict[web.WebSocketResponse, Connection] = {}
        self._feeds: FeedHub | None = None
        self._executor_hub: ExecutorHub | None = None

    def pages(self) -> tuple[Page, ...]:
        """The routes."""
        return (
            self._page("/ws/market-data", self._released),
            self._page("/market-data/stream", self._documented),
            self._page("/ws/executors", self._executors),
        )

    async def close(self, _app: web.Application) -> None:
        """Say goodbye to every client."""
        if self._feeds is not None:
            self._feeds.close()
        if self._executor_hub is not None:
            self._executor_hub.close()

        async def part(socket: web.WebSocketResponse) -> None:
            with contextlib.suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(GOODBYE_TIMEOUT):
                    await socket.close(code=WSCloseCode.GOING_AWAY, message=b"The server stops")

        await asyncio.gather(*(part(socket) for socket in tuple(self._open)))

    def statistics(self) -> dict[str, Any]:
        """Counts for whoever looks at it; one entry a connection."""
        return {
            "connections": [connection.statistics() for connection in self._open.values()],
            "dropped": 0 if self._feeds is None else self._feeds.dropped,
        }

    def _page(self, path: str, make: Callable[[Connection], Session]) -> Page:
        async def handle(request: web.Request) -> web.WebSocketResponse:
            return await self._serve(request, make)

        return Page("GET", path, handle, "a websocket", open=True)

    async def _serve(self, request: web.Request, make: Callable[[Connection], Session]) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(heartbeat=PING_PERIOD, max_msg_size=MAX_FRAME, compress=False)
        await socket.prepare(request)
        transport = request.transport
        if transport is None:
            return socket
        connection = Connection(socket, transport, self._limits)
        refusal = self._refusal(request)
        if refusal is not None:
            code, text = refusal
            connection.say({"type": "error", "message": text})
            await socket.close(code=code, message=text.encode())
            return socket
        self._open[socket] = connection
        try:
            await make(connection).serve(socket)
        finally:
            del self._open[socket]
        return socket

    def _refusal(self, request: web.Request) -> tuple[int, str] | None:
        if is_foreign(request, self._origins):
            return FOREIGN, "This origin is not allowed"
        if not self._basic_auth.lets_in(request.remote or "", of_websocket(request.headers, request.query)):
            return UNAUTHORISED, "Authentication failed"
        if len(self._open) >= MAX_CONNECTIONS:
            return WSCloseCode.TRY_AGAIN_LATER, "Too many connections"
        return None

    def _hub(self) -> FeedHub:
        if self._feeds is None:
            self._feeds = FeedHub(self._system)
        return self._feeds

    def _released(self, connection: Connection) -> Session:
        return MarketDataSession(connection, self._system, self._hub(), secrets.token_hex(4))

    def _documented(self, connection: Connection) -> Session:
        return StreamSession(connection, self._system, self._hub(), secrets.token_hex(16), self._parted)

    def _executors(self, connection: Connection) -> Session:
        if self._executor_hub is None:
            self._executor_hub = ExecutorHub(self._system)
        token = secrets.token_hex(6)
        return ExecutorSession(connection, self._system, self._executor_hub, f"{token[:8]}-{token[8:11]}")
