"""A framed connection on an event loop: what both sides of a port have in common."""

import asyncio
import socket
from collections.abc import Callable
from typing import cast

from aviary.actors.core.ports.frames import Frame, FrameDecoder, FrameError, encode

WRITE_HIGH_WATER = 1024 * 1024
"""Bytes that may wait for a peer that does not read before `writable` turns false."""


class Wire(asyncio.Protocol):
    """Sends and receives frames over a connected stream socket.

    `on_frame` is called in the loop for every frame; `closed` is done when the connection has ended, with
    the reason in words as its result.
    """

    def __init__(self, on_frame: Callable[[Frame], None]) -> None:
        self._on_frame = on_frame
        self._decoder = FrameDecoder()
        self._transport: asyncio.Transport | None = None
        self._paused = False
        self.on_writable: Callable[[], None] | None = None
        self.closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    @classmethod
    async def over(cls, sock: socket.socket, on_frame: Callable[[Frame], None]) -> "Wire":
        """A wire over a connected socket, which it owns from now on."""
        _, wire = await asyncio.get_running_loop().create_connection(lambda: cls(on_frame), sock=sock)
        return wire

    @property
    def writable(self) -> bool:
        """Whether the peer keeps up: what is sent now does not pile up behind more than a megabyte."""
        return self._transport is not None and not self._paused and not self.closed.done()

    def send(self, frame: Frame) -> None:
        """Queue a frame; a no-op on a closed wire. `FrameError` if it is too big."""
        data = encode(frame)
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def close(self, reason: str = "closed by this side") -> None:
        """Drop the connection and whatever was not sent yet."""
        if self._transport is not None:
            self._transport.abort()
        self._end(reason)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        # uvloop's transports are streams without being instances of `asyncio.Transport`.
        stream = cast("asyncio.Transport", transport)
        stream.set_write_buffer_limits(high=WRITE_HIGH_WATER)
        self._transport = stream

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        try:
            frames = self._decoder.feed(data)
        except FrameError as error:
            self.close(f"the peer sent something unreadable: {error}")
            return
        for frame in frames:
            self._on_frame(frame)

    def pause_writing(self) -> None:
        """Called by the loop when the peer does not keep up."""
        self._paused = True

    def resume_writing(self) -> None:
        """Called by the loop when the peer has caught up."""
        self._paused = False
        if self.on_writable is not None:
            self.on_writable()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop."""
        self._end("the peer hung up" if exc is None else f"the connection broke: {exc}")

    def _end(self, reason: str) -> None:
        if not self.closed.done():
            self.closed.set_result(reason)
