"""One websocket, never waited for: a slow one is conflated, then disconnected, and slows nobody else."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import WSCloseCode, web
from aviary.http.json import dumps

if TYPE_CHECKING:
    from aviary.http.streams.subscription import Subscription

MAX_SUBSCRIPTIONS = 200
"""Subscriptions of one connection."""

TOO_SLOW = WSCloseCode.TRY_AGAIN_LATER


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a connection puts up with."""

    high_water: int = 256 * 1024
    """Bytes that may wait in a socket's buffer before its updates are conflated."""
    patience: float = 10.0
    """Seconds a client may be over the high water before it is disconnected."""
    retry: float = 0.1
    """Seconds between two looks at a full buffer."""
    close_timeout: float = 5.0
    """Seconds that a client that is too slow has to take what waits and the reason of its disconnection."""


class Connection:
    """A websocket's sending side, and its subscriptions by name."""

    def __init__(
        self, socket: web.WebSocketResponse, transport: asyncio.Transport, limits: Limits | None = None
    ) -> None:
        self.subscriptions: dict[str, Subscription] = {}
        self.limits = limits or Limits()
        self.busy = False
        """While a request is worked on nothing is pushed: released clients take the next frame for its answer."""
        self._socket = socket
        self._transport = transport
        self._full_since: float | None = None
        self._closing: asyncio.Task[None] | None = None

    @property
    def closing(self) -> bool:
        """Whether nothing more can be sent."""
        return self._closing is not None or self._socket.closed or self._transport.is_closing()

    def has_room(self) -> bool:
        """Whether the socket takes more; one that does not for too long is disconnected."""
        if self.closing:
            return False
        if self._transport.get_write_buffer_size() <= self.limits.high_water:
            self._full_since = None
            return True
        now = asyncio.get_running_loop().time()
        if self._full_since is None:
            self._full_since = now
        elif now - self._full_since > self.limits.patience:
            self._closing = asyncio.ensure_future(self._disconnect())
        return False

    async def wait_until_there_is_room(self) -> None:
        """Return once the socket takes more, or is closing: who does not read is not read either."""
        while not self.has_room() and not self.closing:  # noqa: ASYNC110 - the transport tells nobody
            await asyncio.sleep(self.limits.retry)

    async def _disconnect(self) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(self.limits.close_timeout):
                await self._socket.close(code=TOO_SLOW, message=b"Too slow")
        self._transport.abort()

    def write(self, frame: bytes) -> None:
        """Hand a finished frame to the socket's buffer."""
        if not self.closing:
            self._transport.write(frame)

    def say(self, value: object) -> None:
        """Send a JSON frame at once."""
        self.write(framed(dumps(value)))

    def poke(self) -> None:
        """Send what was held back while a request was worked on."""
        for subscription in tuple(self.subscriptions.values()):
            subscription.poke()

    def close(self) -> None:
        """Let go of every subscription."""
        for subscription in self.subscriptions.values():
            subscription.close()
        self.subscriptions.clear()

    def statistics(self) -> dict[str, Any]:
        """Counts for whoever looks at it."""
        return {
            "subscriptions": len(self.subscriptions),
            "buffered": self._transport.get_write_buffer_size(),
            "closing": self.closing,
            "conflated": sum(one.conflated for one in self.subscriptions.values()),
        }


def framed(text: bytes) -> bytes:
    """A websocket text frame from server to client (RFC 6455, section 5.2)."""
    length = len(text)
    if length < 126:  # noqa: PLR2004 - the standard's own number
        return bytes((0x81, length)) + text
    if length < 1 << 16:
        return bytes((0x81, 126)) + length.to_bytes(2, "big") + text
    return bytes((0x81, 127)) + length.to_bytes(8, "big") + text
