"""Bot states over `/ws/executors`, in the released clients' frames."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aviary.actors.core.refusal import ActorCrashed, Refusal
from aviary.actors.messages.bots import BotStatus, FindBot, ListBots
from aviary.http.json import dumps
from aviary.http.streams.connection import Connection, Subscription, framed
from aviary.http.streams.session import BadRequest, Session, number_of, text_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aviary.actors.core.system import System

REGISTRY = "bot-registry"

ANSWER_TIMEOUT = 10.0
"""Seconds that a look at the bots may take."""

VALID = ("all_bots_status", "bot_status")
"""What can be subscribed to."""


class BotSession(Session):
    """Subscriptions to what the bots do: looked at every interval, told when it changed."""

    id_length = 12

    def __init__(self, connection: Connection, system: System, session_id: str) -> None:
        super().__init__(connection, system.clock, session_id)
        self._system = system
        self._watches: dict[Subscription, asyncio.Task[None]] = {}
        self._looks: dict[Subscription, Callable[[], Awaitable[dict[str, Any]]]] = {}

    async def subscribe(self, request: dict[str, Any]) -> Subscription:
        """Answer; the look at the bots follows."""
        kind = request.get("type")
        interval = number_of(request, "update_interval", 2.0, 0.5, 60.0)
        look: Callable[[], Awaitable[dict[str, Any]]]
        match kind:
            case "all_bots_status":
                name, look = "all_bots_status", self._all_bots
            case "bot_status":
                bot = text_of(request, "bot_name")
                name = f"bot_status_{bot}"

                async def look() -> dict[str, Any]:
                    return await self._one_bot(bot)

            case _:
                raise BadRequest(f"Unknown subscription type: {kind}. Valid types: {sorted(VALID)}")
        subscription = Subscription(self.connection, name, interval, _frame)
        self.add(subscription)
        self._looks[subscription] = look
        self.connection.say(
            {
                "type": "subscribed",
                "subscription_id": name,
                "subscription_type": kind,
                "update_interval": interval,
            }
        )
        return subscription

    async def begin(self, subscription: Subscription) -> None:
        """Look now, then every interval."""
        self._watches[subscription] = asyncio.ensure_future(self._watch(subscription))

    def drop(self, subscription: Subscription) -> None:
        """End a subscription and its watch."""
        super().drop(subscription)
        self._looks.pop(subscription, None)
        watch = self._watches.pop(subscription, None)
        if watch is not None:
            watch.cancel()

    async def _watch(self, subscription: Subscription) -> None:
        look = self._looks[subscription]
        last: bytes | None = None
        while True:
            try:
                seen = await look()
            except (Refusal, ActorCrashed) as trouble:
                seen = {"type": "error", "message": getattr(trouble, "detail", str(trouble))}
            key = dumps(seen)
            if key != last:
                last = key
                subscription.waiting = {
                    **seen,
                    "subscription_id": subscription.name,
                    "sequence": subscription.next_sequence(),
                    "timestamp": self._system.clock.now(),
                }
                subscription.poke()
            await asyncio.sleep(subscription.interval)

    async def _all_bots(self) -> dict[str, Any]:
        bots = await self._system.ask(REGISTRY, ListBots(), timeout=ANSWER_TIMEOUT)
        data = {name: {**released_state(bot), "source": "mqtt"} for name, bot in bots.items()}
        return {"type": "all_bots_status", "data": data, "bot_count": len(data)}

    async def _one_bot(self, bot: str) -> dict[str, Any]:
        found = await self._system.ask(REGISTRY, FindBot(bot_name=bot, lenient=True), timeout=ANSWER_TIMEOUT)
        state = {"status": "not_found", "performance": {}, "recently_active": False}
        return {"type": "bot_status", "data": {"bot_name": bot, **(released_state(found) if found else state)}}


def released_state(bot: BotStatus) -> dict[str, Any]:
    """A bot's state in the released server's form, with ours beside it."""
    return {
        "status": "running" if bot.state == "running" else "stopped",
        "state": bot.state,
        "reason": bot.reason,
        "performance": {
            controller: {"status": "running" if bot.state == "running" else "stopped", **report}
            for controller, report in bot.performance.items()
        },
        "recently_active": bot.recently_active,
        "restarts": bot.restarts,
    }


def _frame(subscription: Subscription) -> bytes | None:
    waiting, subscription.waiting = subscription.waiting, None
    return None if waiting is None else framed(dumps(waiting))
