"""What a websocket client may ask, and the loop that answers it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web
from aviary.actors.core.refusal import ActorCrashed, Refusal
from aviary.http.json import BadJson, loads
from aviary.http.streams.connection import MAX_SUBSCRIPTIONS, Connection

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from aviary.config.clock import Clock
    from aviary.http.streams.subscription import Subscription

HEARTBEAT = 30.0
"""Seconds between two heartbeat frames."""

MAX_FRAME = 64 * 1024
"""Bytes of a frame that a client sends."""

DAY = 86_400.0
"""Seconds; nobody means more between two frames."""

SHOWN = 100
"""Characters of a client's own text that are quoted back to it."""


class BadRequest(Exception):
    """A frame that can't be obeyed; its text goes to the client."""


class Session:
    """One client: reads its frames one after another, and answers each before anything else is sent."""

    actions: tuple[str, ...] = ("subscribe", "unsubscribe", "ping")

    def __init__(
        self, connection: Connection, clock: Clock, session_id: str, *, heartbeat: float = HEARTBEAT
    ) -> None:
        self.connection = connection
        self.id = session_id
        self._clock = clock
        self._heartbeat = heartbeat
        self._works: dict[Subscription, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup

    async def serve(self, socket: web.WebSocketResponse) -> None:
        """Answer until the client goes. An error in any of the session's tasks ends the session."""
        try:
            async with asyncio.TaskGroup() as self._group:
                self.connection.say(self.greeting())
                heart = self._group.create_task(self._beat())
                async for message in socket:
                    if message.type in {WSMsgType.TEXT, WSMsgType.BINARY}:
                        await self._answer(message.data)
                        await self.connection.wait_until_there_is_room()
                self.part()
                heart.cancel()
        finally:
            for subscription in tuple(self.connection.subscriptions.values()):
                self.drop(subscription)
            self.connection.close()

    def greeting(self) -> dict[str, Any]:
        """The first frame."""
        return {"type": "connected", "connection_id": self.id, "timestamp": self._clock.now()}

    def part(self) -> None:
        """The client is gone, its subscriptions are not yet: let go of them."""
        for subscription in tuple(self.connection.subscriptions.values()):
            self.drop(subscription)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._heartbeat)
            if not self.connection.busy and self.connection.has_room():
                self.connection.say({"type": "heartbeat", "timestamp": self._clock.now()})

    async def _answer(self, data: str | bytes) -> None:
        self.connection.busy = True
        started: tuple[Subscription, ...] = ()
        try:
            started = await self._obey(self._read(data))
        except BadRequest as error:
            self.connection.say({"type": "error", "message": str(error)})
        except Refusal as refusal:
            self.connection.say({"type": "error", "message": refusal.detail})
        except ActorCrashed as crash:
            self.connection.say({"type": "error", "message": f"Internal error {crash.crash_id}"})
        finally:
            self.connection.busy = False
        for subscription in started:
            if subscription.open:
                self.work(subscription, self.begin(subscription))
        self.connection.poke()

    async def _obey(self, request: dict[str, Any]) -> tuple[Subscription, ...]:
        match request.get("action"):
            case "subscribe":
                if len(self.connection.subscriptions) >= MAX_SUBSCRIPTIONS:
                    raise BadRequest(f"At most {MAX_SUBSCRIPTIONS} subscriptions a connection")
                subscription, answer = await self.subscribe(request)
                self.connection.say(answer)
                return (subscription,)
            case "unsubscribe":
                self._unsubscribe(request)
            case "ping":
                self.connection.say({"type": "pong", "timestamp": self._clock.now()})
            case "resume" if "resume" in self.actions:
                return await self.resume(request)
            case action:
                raise BadRequest(f"Unknown action: {shown(action)}. Valid actions: {', '.join(self.actions)}")
        return ()

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
            raise BadRequest(f"Subscription not found: {shown(name)}")
        self.drop(subscription)
        self.connection.say({"type": "unsubscribed", "subscription_id": name})

    def add(self, subscription: Subscription) -> None:
        """Keep a subscription, in place of an older one of the same name, whose numbering goes on."""
        old = self.connection.subscriptions.get(subscription.name)
        if old is not None:
            subscription.sequence = old.sequence
            self.drop(old)
        self.connection.subscriptions[subscription.name] = subscription

    def drop(self, subscription: Subscription) -> None:
        """End a subscription."""
        subscription.close()
        self.connection.subscriptions.pop(subscription.name, None)
        work = self._works.pop(subscription, None)
        if work is not None:
            work.cancel()

    def work(self, subscription: Subscription, task: Coroutine[Any, Any, None]) -> None:
        """Do something for a subscription beside the reading loop, in place of what was done for it before."""
        old = self._works.pop(subscription, None)
        if old is not None:
            old.cancel()
        self._works[subscription] = self._group.create_task(task)

    async def subscribe(self, request: dict[str, Any]) -> tuple[Subscription, dict[str, Any]]:
        """A new subscription, and the answer. Raises `BadRequest` or a `Refusal`."""
        raise BadRequest(f"Invalid subscription type: {shown(request.get('type'))}")

    async def resume(self, request: dict[str, Any]) -> tuple[Subscription, ...]:
        """Take up what an earlier connection was subscribed to. Raises `BadRequest`."""
        raise BadRequest(f"Nothing to resume: {shown(request.get('connection_id'))}")

    async def begin(self, subscription: Subscription) -> None:
        """Send what a new subscription shows first."""


def shown(value: object) -> str:
    """A client's own value, as it is quoted back."""
    return str(value)[:SHOWN]


def text_of(request: dict[str, Any], name: str) -> str:
    """A text that a request must have. Raises `BadRequest`."""
    value = request.get(name)
    if not isinstance(value, str) or not value:
        raise BadRequest(f"Missing required field: {name}")
    return value


def seconds_of(
    request: dict[str, Any], name: str, default: float, limits: tuple[float, float], *, brought_within: bool
) -> float:
    """A number of seconds that a request may have. Raises `BadRequest`, also for one that is out of range.

    The released server brings every number within its limits; with `brought_within` so is what can be meant, up to a day.
    """
    value = request.get(name)
    if value is None:
        return default
    least, most = limits
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not (0 < value <= DAY if brought_within else least <= value <= most):
        raise BadRequest(f"{name} should be a number of seconds from {least:g} to {most:g}")
    return min(max(float(value), least), most)


def count_of(request: dict[str, Any], name: str, default: int, most: int) -> int:
    """A whole number from 1 that a request may have. Raises `BadRequest`, also for one that is out of range."""
    value = request.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= most or value % 1:
        raise BadRequest(f"{name} should be a whole number from 1 to {most}")
    return int(value)
