"""Websocket connections: a bounded queue each, so that a slow client slows nobody."""

import asyncio
from collections import deque
from typing import Any

import orjson
from aiohttp import WSMsgType, web
from aviary.sandbox.faults import FaultKind, Faults
from aviary.sandbox.instruments import Market

QUEUE_LIMIT = 5_000
"""Messages that may wait for a client; one more and it is disconnected."""

STALL_CHECK = 0.05
"""Seconds between looks at whether a stall is over."""


class Connection:
    """One websocket. `key` is empty on public streams."""

    def __init__(
        self, request: web.Request, socket: web.WebSocketResponse, market: Market, faults: Faults
    ) -> None:
        self.market = market
        self.keys: set[str] = set()
        self._request = request
        self._socket = socket
        self._faults = faults
        self._queue: deque[bytes] = deque()
        self._filled = asyncio.Event()

    def send(self, message: bytes) -> None:
        """Queue a message of JSON text."""
        if len(self._queue) >= QUEUE_LIMIT:
            self.abort()
            return
        self._queue.append(message)
        self._filled.set()

    def send_json(self, value: Any) -> None:
        """Queue a value."""
        self.send(orjson.dumps(value))

    def abort(self) -> None:
        """Cut the connection without a word."""
        self._queue.clear()
        if self._request.transport is not None:
            self._request.transport.abort()

    def concerned(self, kind: FaultKind) -> bool:
        """Whether a fault of a kind concerns this connection now."""
        if self.keys:
            return any(self._faults.find(kind, self.market, key) for key in self.keys)
        return self._faults.find(kind, self.market, None) is not None

    async def write(self) -> None:
        """Send what is queued, for as long as the connection lives."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._queue:
                await self._wait_until_unstalled()
                if not self._queue:
                    break
                await self._socket.send_frame(self._queue.popleft(), WSMsgType.TEXT)

    async def read(self) -> dict[str, Any] | None:
        """The next request; None when the client has left. Pings are answered, unless stalled."""
        while True:
            message = await self._socket.receive()
            await self._wait_until_unstalled()
            if message.type is WSMsgType.PING:
                await self._socket.pong(message.data)
            elif message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                try:
                    value = orjson.loads(message.data)
                except orjson.JSONDecodeError:
                    value = None
                if isinstance(value, dict):
                    return value
                self.send_json({"error": {"code": 3, "msg": "Invalid JSON: expected an object"}})
            elif message.type is not WSMsgType.PONG:
                return None

    async def _wait_until_unstalled(self) -> None:
        while self.concerned(FaultKind.STALL_WEBSOCKETS):  # noqa: ASYNC110 -- the end of a fault is a time
            await asyncio.sleep(STALL_CHECK)
