"""What a websocket client may ask, and the loop that answers it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web
from aviary.actors.core.refusal import ActorCrashed, Refusal
from aviary.http.json import BadJson, loads
from aviary.http.streams.connection import MAX_SUBSCRIPTIONS, Connection, Subscription

if TYPE_CHECKING:
    from aviary.config.clock import Clock

HEARTBEAT = 30.0
"""Seconds between two heartbeat frames."""

MAX_FRAME = 64 * 1024
"""Bytes of a frame that a client sends."""


class BadRequest(Exception):
    """A frame that can't be obeyed; its text goes to the client."""


class Session:
    """One client: reads its frames one after another, and answers each before anything else is sent."""

    id_length = 8

    def __init__(self, connection: Connection, clock: Clock, session_id: str) -> None:
        self.connection = connection
        self._clock = clock
        self._id = session_id

    async def serve(self, socket: web.WebSocketResponse) -> None:
        """Answer until the client goes."""
        self.connection.say(
            {"type": "connected", "connection_id": self._id, "timestamp": self._clock.now()}
        )
        heart = asyncio.ensure_future(self._beat())
        try:
            async for message in socket:
                if message.type in {WSMsgType.TEXT, WSMsgType.BINARY}:
                    await self._answer(message.data)
        finally:
            heart.cancel()
            for subscription in tuple(self.connection.subscriptions.values()):
                self.drop(subscription)
            self.connection.close()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT)
            if not self.connection.busy and self.connection.has_room():
                self.connection.say({"type": "heartbeat", "timestamp": self._clock.now()})

    async def _answer(self, data: str | bytes) -> None:
        self.connection.busy = True
        started: Subscription | None = None
        try:
            request = self._read(data)
            match request.get("action"):
                case "subscribe":
                    if len(self.connection.subscriptions) >= MAX_SUBSCRIPTIONS:
                        raise BadRequest(f"At most {MAX_SUBSCRIPTIONS} subscriptions a connection")
                    started = await self.subscribe(request)
                case "unsubscribe":
                    self._unsubscribe(request)
                case "ping":
                    self.connection.say({"type": "pong", "timestamp": self._clock.now()})
                case action:
                    raise BadRequest(f"Unknown action: {action}. Valid actions: subscribe, unsubscribe, ping")
        except BadRequest as error:
            self.connection.say({"type": "error", "message": str(error)})
        except Refusal as refusal:
            self.connection.say({"type": "error", "message": refusal.detail})
        except ActorCrashed as crash:
            self.connection.say({"type": "error", "message": f"Internal error {crash.crash_id}"})
        finally:
            self.connection.busy = False
        if started is not None:
            await self.begin(started)

    @staticmethod
    def _read(data: str | bytes) -> dict[str, Any]:
        try:
            request = loads(data.encode() if isinstance(data, str) else data)
        except BadJson as error:
            raise BadRequest(f"Not JSON: {error}") from None
        if not isinstance(request, dict):
            raise BadRequest("A request is a JSON object")
        return request

    def _unsubscribe(self, request: dict[str, Any]) -> None:
        name = request.get("subscription_id")
        subscription = self.connection.subscriptions.get(name) if isinstance(name, str) else None
        if subscription is None:
            raise BadRequest(f"Subscription not found: {name}")
        self.drop(subscription)
        self.connection.say({"type": "unsubscribed", "subscription_id": name})

    def add(self, subscription: Subscription) -> None:
        """Keep a subscription, in place of an older one of the same name."""
        old = self.connection.subscriptions.get(subscription.name)
        if old is not None:
            self.drop(old)
        self.connection.subscriptions[subscription.name] = subscription

    def drop(self, subscription: Subscription) -> None:
        """End a subscription."""
        subscription.close()
        self.connection.subscriptions.pop(subscription.name, None)

    async def subscribe(self, request: dict[str, Any]) -> Subscription:
        """Begin a subscription and say so. Raises `BadRequest` or a `Refusal`."""
        raise BadRequest(f"nothing to subscribe to: {request.get('type')}")

    async def begin(self, subscription: Subscription) -> None:
        """Send what a new subscription shows first."""


def text_of(request: dict[str, Any], name: str) -> str:
    """A text that a request must have. Raises `BadRequest`."""
    value = request.get(name)
    if not isinstance(value, str) or not value:
        raise BadRequest(f"Missing required field: {name}")
    return value


def number_of(request: dict[str, Any], name: str, default: float, least: float, most: float) -> float:
    """A number that a request may have, brought within its limits. Raises `BadRequest`."""
    value = request.get(name, default)
    if value is None:
        value = default
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:  # noqa: PLR0124 - NaN
        raise BadRequest(f"{name} should be a number")
    return min(max(float(value), least), most)
