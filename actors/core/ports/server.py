"""The child's side of a port: answers calls, sends events and heartbeats.

Events of two sorts leave here. Those that must all arrive (orders, fills) queue while the server is slow;
those of which only the newest counts (books, tickers) replace each other under their topic.
"""

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
from aviary.actors.core.ports.errors import PortRefusal
from aviary.actors.core.ports.frames import Frame, FrameError, Kind
from aviary.actors.core.ports.wire import Wire

HEARTBEAT_INTERVAL = 1.0
"""Seconds. A host must be replaced within three seconds of a hang, so two missed beats decide."""

MAX_CONCURRENT = 1024
"""Calls worked on at once; as many as the other side lets be under way."""

MAX_QUEUED = 10_000
"""Events that may wait for a slow server. Beyond it the port is closed, for none of them may be lost
silently: the server then starts afresh from the outside world."""

MAX_TOPICS = 10_000
"""Topics that may wait with their newest event; beyond it the oldest is dropped."""

OVERFLOW = "the server does not read its events"

Method = Callable[..., Awaitable[Any]]
"""Takes the call's arguments by name; returns what orjson can write (Decimals become strings)."""


class PortServer:
    """Serves the methods of a child process to its server until either side hangs up."""

    def __init__(self, methods: Mapping[str, Method]) -> None:
        self._methods = methods
        self._wire: Wire | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._queue: deque[Frame] = deque()
        self._newest: dict[str, bytes] = {}
        self._overflowed = False
        self.dropped = 0
        """Conflated events dropped because too many topics were waiting."""

    async def serve(self, sock: socket.socket) -> str:
        """Serve over a connected stream socket until the connection ends; the reason in words."""
        wire = await Wire.over(sock, self._receive)
        self._wire = wire
        wire.on_writable = self._flush
        if self._overflowed:
            wire.close(OVERFLOW)
        self._flush()
        beat = asyncio.create_task(self._beat(wire))
        try:
            return await asyncio.shield(wire.closed)
        finally:
            beat.cancel()
            for task in list(self._tasks):
                task.cancel()
            wire.close()

    def push(self, topic: str, payload: bytes) -> None:
        """Send an event that must arrive."""
        wire = self._wire
        frame = Frame(Kind.EVENT, 0, topic, payload)
        if wire is not None and wire.writable and not self._queue:
            wire.send(frame)
            return
        if len(self._queue) < MAX_QUEUED:
            self._queue.append(frame)
            return
        self._overflowed = True
        if wire is not None:
            wire.close(OVERFLOW)

    def push_newest(self, topic: str, payload: bytes) -> None:
        """Send an event that later ones of the same topic make worthless."""
        wire = self._wire
        if wire is not None and wire.writable and not self._newest:
            wire.send(Frame(Kind.EVENT, 0, topic, payload))
            return
        self._newest.pop(topic, None)
        if len(self._newest) >= MAX_TOPICS:
            self._newest.pop(next(iter(self._newest)))
            self.dropped += 1
        self._newest[topic] = payload

    def _flush(self) -> None:
        wire = self._wire
        while wire is not None and wire.writable and self._queue:
            wire.send(self._queue.popleft())
        while wire is not None and wire.writable and self._newest:
            topic = next(iter(self._newest))
            wire.send(Frame(Kind.EVENT, 0, topic, self._newest.pop(topic)))

    async def _beat(self, wire: Wire) -> None:
        while True:
            if wire.writable:
                wire.send(Frame(Kind.HEARTBEAT, 0, "", b""))
            await asyncio.sleep(HEARTBEAT_INTERVAL)

    def _receive(self, frame: Frame) -> None:
        if frame.kind is not Kind.CALL:
            return
        if len(self._tasks) >= MAX_CONCURRENT:
            busy = {"kind": "unavailable", "detail": "too many calls are under way"}
            self._answer(Kind.REFUSAL, frame.call_id, busy)
            return
        task = asyncio.create_task(self._work(frame), name=frame.name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, frame: Frame) -> None:
        method = self._methods.get(frame.name)
        if method is None:
            detail = f"there is no method {frame.name}"
            self._answer(Kind.REFUSAL, frame.call_id, {"kind": "unsupported", "detail": detail})
            return
        try:
            value = await method(**orjson.loads(frame.payload))
            self._answer(Kind.REPLY, frame.call_id, value)
        except PortRefusal as refusal:
            no = {"kind": refusal.kind, "detail": refusal.detail, **refusal.fields}
            self._answer(Kind.REFUSAL, frame.call_id, no)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            logging.getLogger(__name__).exception("%s crashed", frame.name)
            self._answer(Kind.FAILURE, frame.call_id, f"{frame.name}: {type(error).__name__}: {error}")

    def _answer(self, kind: Kind, call_id: int, value: Any) -> None:
        if self._wire is None:
            return
        payload = orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS)
        try:
            self._wire.send(Frame(kind, call_id, "", payload))
        except FrameError as error:
            self._answer(Kind.FAILURE, call_id, str(error))
