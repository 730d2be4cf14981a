"""The server's side of a port: calls into a child process, and the events it sends.

The child is foreign code that can hang, leak or die; nothing of that may be felt here but as an exception
out of a call. A hang shows as silence: `last_heard` stops moving although the child should be sending a
heartbeat every second.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import orjson
from aviary.actors.core.ports.errors import (
    PortClosed,
    PortError,
    PortFailure,
    PortOverloaded,
    PortRefusal,
    PortTimeout,
)
from aviary.actors.core.ports.frames import Frame, Kind
from aviary.actors.core.ports.wire import Wire
from aviary.config.clock import Clock

__all__ = [
    "Port",
    "PortClosed",
    "PortError",
    "PortFailure",
    "PortOverloaded",
    "PortRefusal",
    "PortTimeout",
]

MAX_OUTSTANDING = 1024
"""Calls that may be under way at once; a child that lets more pile up is not keeping up."""

EventHandler = Callable[[str, bytes], None]
"""Takes a topic and the payload as it came, undecoded; runs in the loop and must return at once."""


class Port:
    """Calls into one child process."""

    def __init__(self, clock: Clock, on_event: EventHandler | None = None) -> None:
        self._clock = clock
        self._on_event = on_event
        self._wire: Wire | None = None
        self._calls: dict[int, asyncio.Future[Any]] = {}
        self._next_id = 1
        self.last_heard = clock.monotonic()
        """Monotonic time at which the child last sent anything."""
        self.events = 0
        """Events received so far."""

    @classmethod
    async def over(cls, sock: socket.socket, clock: Clock, on_event: EventHandler | None = None) -> "Port":
        """A port over a connected stream socket, which it owns from now on."""
        port = cls(clock, on_event)
        wire = await Wire.over(sock, port._receive)
        port._wire = wire
        wire.closed.add_done_callback(port._end)
        return port

    @property
    def alive(self) -> bool:
        """Whether the connection stands. A hung child is still alive in this sense: see `silence`."""
        return self._wire is not None and not self._wire.closed.done()

    @property
    def outstanding(self) -> int:
        """Calls under way."""
        return len(self._calls)

    def silence(self) -> float:
        """Seconds since the child last sent anything."""
        return self._clock.monotonic() - self.last_heard

    async def call(
        self,
        method: str,
        timeout: float,  # noqa: ASYNC109 - a port's own error is raised for it
        **arguments: Any,
    ) -> Any:
        """What the child's method returned, as JSON values. `timeout` is in seconds.

        Raises `PortRefusal` for an expected "no", `PortFailure` if the method crashed, `PortTimeout`,
        `PortClosed`, and `PortOverloaded` or `FrameError` if nothing could be sent.
        """
        wire = self._wire
        if wire is None or wire.closed.done():
            raise PortClosed("the port is closed")
        if len(self._calls) >= MAX_OUTSTANDING or not wire.writable:
            raise PortOverloaded(f"{len(self._calls)} calls are under way and the child does not keep up")
        call_id = self._next_id
        self._next_id = call_id % 0xFFFFFFFF + 1
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._calls[call_id] = answer
        try:
            wire.send(Frame(Kind.CALL, call_id, method, orjson.dumps(arguments, default=str)))
            async with asyncio.timeout(timeout):
                return await answer
        except TimeoutError:
            raise PortTimeout(f"{method} was not answered within {timeout:g} s") from None
        finally:
            self._calls.pop(call_id, None)

    async def closed(self) -> str:
        """Wait until the connection ends; the reason in words."""
        if self._wire is None:
            return "never opened"
        return await asyncio.shield(self._wire.closed)

    def close(self) -> None:
        """Hang up. A child that serves a port ends when its server hangs up."""
        if self._wire is not None:
            self._wire.close()

    def _receive(self, frame: Frame) -> None:
        self.last_heard = self._clock.monotonic()
        if frame.kind is Kind.EVENT:
            self.events += 1
            if self._on_event is not None:
                self._on_event(frame.name, frame.payload)
            return
        answer = self._calls.get(frame.call_id)
        if answer is None or answer.done():
            return
        match frame.kind:
            case Kind.REPLY:
                answer.set_result(orjson.loads(frame.payload))
            case Kind.REFUSAL:
                answer.set_exception(PortRefusal(**orjson.loads(frame.payload)))
            case Kind.FAILURE:
                answer.set_exception(PortFailure(orjson.loads(frame.payload)))
            case Kind.CALL | Kind.HEARTBEAT:
                pass

    def _end(self, closed: asyncio.Future[str]) -> None:
        for answer in self._calls.values():
            if not answer.done():
                answer.set_exception(PortClosed(closed.result()))
