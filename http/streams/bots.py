"""Bot states over `/ws/executors`, in the released clients' frames."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aviary.actors.core.refusal import ActorCrashed, Refusal
from aviary.actors.messages.bots import FindBot, ListBots
from aviary.http.json import dumps
from aviary.http.routes.bot_orchestration import REGISTRY, status_view
from aviary.http.streams.connection import Connection, framed
from aviary.http.streams.session import BadRequest, Session, seconds_of, shown, text_of
from aviary.http.streams.subscription import Subscription

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aviary.actors.core.system import System

    type Look = Callable[[], Awaitable[dict[str, Any]]]

ANSWER_TIMEOUT = 10.0
"""Seconds that a look at the bots may take."""

DEFAULT_INTERVALS = {"all_bots_status": 5.0, "bot_status": 2.0}
"""What can be subscribed to, with the seconds between two looks that clients leave out."""


class BotSession(Session):
    """Subscriptions to what the bots do: looked at every interval, told when it changed."""

    def __init__(self, connection: Connection, system: System, session_id: str) -> None:
        super().__init__(connection, system.clock, session_id)
        self._system = system
        self._looks: dict[Subscription, Look] = {}

    async def subscribe(self, request: dict[str, Any]) -> tuple[Subscription, dict[str, Any]]:
        """Answer; the look at the bots follows."""
        kind = request.get("type")
        if not isinstance(kind, str) or kind not in DEFAULT_INTERVALS:
            valid = sorted(DEFAULT_INTERVALS)
            raise BadRequest(f"Unknown subscription type: {shown(kind)}. Valid types: {valid}")
        default = DEFAULT_INTERVALS[kind]
        interval = seconds_of(request, "update_interval", default, (0.5, 60.0), brought_within=True)
        if kind == "all_bots_status":
            name, look = kind, self._all_bots
        else:
            bot = text_of(request, "bot_name")
            name, look = f"bot_status_{bot}", lambda: self._one_bot(bot)
        subscription = Subscription(self.connection, name, interval, _frame)
        self.add(subscription)
        self._looks[subscription] = look
        answer = {"type": "subscribed", "subscription_id": name, "subscription_type": kind}
        return subscription, {**answer, "update_interval": interval}

    async def begin(self, subscription: Subscription) -> None:
        """Look now, then every interval."""
        subscription.begin_with(None)
        look = self._looks[subscription]
        last: bytes | None = None
        while True:
            try:
                seen = await look()
            except Refusal as refusal:
                seen = {"type": "error", "message": refusal.detail}
            except ActorCrashed as crash:
                seen = {"type": "error", "message": f"Internal error {crash.crash_id}"}
            found = dumps(seen)
            if found != last:
                last = found
                subscription.waiting = self._told(subscription, seen)
                subscription.poke()
            await asyncio.sleep(subscription.interval)

    def drop(self, subscription: Subscription) -> None:
        """End a subscription and its look."""
        super().drop(subscription)
        self._looks.pop(subscription, None)

    def _told(self, subscription: Subscription, seen: dict[str, Any]) -> dict[str, Any]:
        kind, *rest = seen.items()
        return {
            **dict([kind]),
            "subscription_id": subscription.name,
            **dict(rest),
            "timestamp": self._system.clock.now(),
            "sequence": subscription.next_sequence(),
        }

    async def _all_bots(self) -> dict[str, Any]:
        bots = await self._system.ask(REGISTRY, ListBots(), timeout=ANSWER_TIMEOUT)
        data = {name: status_view(bot) for name, bot in bots.items()}
        return {"type": "all_bots_status", "data": data, "bot_count": len(data)}

    async def _one_bot(self, bot: str) -> dict[str, Any]:
        found = await self._system.ask(REGISTRY, FindBot(bot_name=bot, lenient=True), timeout=ANSWER_TIMEOUT)
        state: dict[str, Any] = {"status": "not_found", "performance": {}, "recently_active": False}
        if found is not None:
            state = status_view(found)
        return {"type": "bot_status", "data": {"bot_name": bot, **state}}


def _frame(subscription: Subscription) -> bytes | None:
    waiting, subscription.waiting = subscription.waiting, None
    return None if waiting is None else framed(dumps(waiting))
