"""One websocket: what it is subscribed to, and how fast it takes what it is sent."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING, Any

from aiohttp import WSCloseCode, web
from aviary.http.json import dumps

if TYPE_CHECKING:
    from collections.abc import Callable

HIGH_WATER = 256 * 1024
"""Bytes that may wait in a socket's buffer before its updates are conflated."""

PATIENCE = 15.0
"""Seconds a client may be over the high water before it is disconnected."""

RETRY = 0.1
"""Seconds between two looks at a full buffer."""

KEPT = 500
"""Items (trades) that are held for a slow subscription; the oldest go first."""

MAX_SUBSCRIPTIONS = 200
"""Subscriptions of one connection."""

TOO_SLOW = WSCloseCode.TRY_AGAIN_LATER


class Subscription:
    """A stream of frames, at most one each `interval` seconds.

    `make` turns what waits into a frame and gets the frame's sequence number, which counts the frames of
    this subscription; it answers `None` if there is nothing to send.
    """

    def __init__(
        self,
        connection: Connection,
        name: str,
        interval: float,
        make: Callable[[Subscription], bytes | None],
    ) -> None:
        self.connection = connection
        self.name = name
        self.interval = interval
        self.make = make
        self.sequence = 0
        self.notices: deque[bytes] = deque(maxlen=KEPT)
        """Frames that are sent as they are, before anything else."""
        self.waiting: Any = None
        """The newest event that was not sent yet; older ones are conflated into it."""
        self.items: deque[Any] = deque(maxlen=KEPT)
        self.conflated = 0
        self.open = True
        self._sent_at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None

    def poke(self) -> None:
        """Something waits: send it as soon as the subscriber's interval and socket allow."""
        if not self.open or self._timer is not None:
            return
        loop = asyncio.get_running_loop()
        due = self._sent_at + self.interval - loop.time()
        if due > 0 or self.connection.busy or not self.connection.has_room():
            self._timer = loop.call_later(max(due, RETRY), self._fire)
        else:
            self._flush()

    def _fire(self) -> None:
        self._timer = None
        self.poke()

    def _flush(self) -> None:
        while self.notices:
            self.connection.write(self.notices.popleft())
        frame = self.make(self)
        if frame is None:
            return
        self._sent_at = asyncio.get_running_loop().time()
        self.connection.write(frame)

    def next_sequence(self) -> int:
        """The number of the frame that is being made."""
        self.sequence += 1
        return self.sequence

    def close(self) -> None:
        """Send nothing any more."""
        self.open = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Connection:
    """A websocket that is never waited for: a slow one is conflated, then disconnected."""

    def __init__(self, socket: web.WebSocketResponse, transport: asyncio.Transport) -> None:
        self.subscriptions: dict[str, Subscription] = {}
        self.busy = False
        """While a request is worked on nothing is pushed: released clients take the next frame for its answer."""
        self._socket = socket
        self._transport = transport
        self._full_since: float | None = None
        self._closing: asyncio.Task[Any] | None = None

    def has_room(self) -> bool:
        """Whether the socket takes more; one that does not for too long is disconnected."""
        if self._transport.get_write_buffer_size() <= HIGH_WATER:
            self._full_since = None
            return True
        now = asyncio.get_running_loop().time()
        if self._full_since is None:
            self._full_since = now
        elif now - self._full_since > PATIENCE and self._closing is None:
            self._closing = asyncio.ensure_future(self._disconnect())
        return False

    async def _disconnect(self) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(1.0):
                await self._socket.close(code=TOO_SLOW, message=b"Too slow")
        self._transport.abort()

    def write(self, frame: bytes) -> None:
        """Hand a finished frame to the socket's buffer."""
        if not self._transport.is_closing():
            self._transport.write(frame)

    def say(self, value: object) -> None:
        """Send a JSON frame at once."""
        self.write(framed(dumps(value)))

    def close(self) -> None:
        """Let go of every subscription."""
        for subscription in self.subscriptions.values():
            subscription.close()
        self.subscriptions.clear()


def framed(text: bytes) -> bytes:
    """A websocket text frame from server to client (RFC 6455, section 5.2)."""
    length = len(text)
    if length < 126:  # noqa: PLR2004 - the standard's own number
        return bytes((0x81, length)) + text
    if length < 1 << 16:
        return bytes((0x81, 126)) + length.to_bytes(2, "big") + text
    return bytes((0x81, 127)) + length.to_bytes(8, "big") + text
