"""Executors and bot states over `/ws/executors`, in the released clients' frames."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import orjson
from aviary.actors.core.refusal import ActorCrashed, Refusal
from aviary.actors.messages.executors import (
    MAX_LINES,
    REGISTRY,
    GetExecutor,
    GetExecutorLogs,
    GetExecutorsPerformance,
    GetExecutorsSummary,
    ListActiveExecutors,
    ListPositionsHeld,
)
from aviary.http.json import dumps
from aviary.http.streams.bots import DEFAULT_INTERVALS, BotSession
from aviary.http.streams.connection import Connection, framed
from aviary.http.streams.executor_hub import ANSWER_TIMEOUT, Answer, ExecutorHub
from aviary.http.streams.session import BadRequest, count_of, seconds_of, shown, text_of
from aviary.http.streams.subscription import Subscription

if TYPE_CHECKING:
    from collections.abc import Callable

    from aviary.actors.core.message import Message
    from aviary.actors.core.system import System

DEFAULT_INTERVAL = 2.0
"""Seconds between two frames of a subscription that clients leave out."""

SHORTEST, LONGEST = 0.5, 60.0

KINDS = (
    "executors",
    "executor_detail",
    "executor_summary",
    "performance",
    "positions",
    "executor_logs",
)

FILTERS = ("account_name", "connector_name", "trading_pair", "executor_type", "status", "controller_id")

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

DEFAULT_LINES = 100


class ExecutorSession(BotSession):
    """Subscriptions to executors, told when something changed, beside those to bots."""

    def __init__(self, connection: Connection, system: System, hub: ExecutorHub, session_id: str) -> None:
        super().__init__(connection, system, session_id)
        self._hub = hub
        self._ours: set[Subscription] = set()

    async def subscribe(self, request: dict[str, Any]) -> tuple[Subscription, dict[str, Any]]:
        """Answer; the first frame follows."""
        kind = request.get("type")
        if isinstance(kind, str) and kind in DEFAULT_INTERVALS:
            return await super().subscribe(request)
        if not isinstance(kind, str) or kind not in KINDS:
            valid = sorted((*DEFAULT_INTERVALS, *KINDS))
            raise BadRequest(f"Unknown subscription type: {shown(kind)}. Valid types: {valid}")
        interval = seconds_of(request, "update_interval", DEFAULT_INTERVAL, (SHORTEST, LONGEST), brought_within=True)
        if kind == "executor_logs":
            subscription = self._logs(request, interval)
        else:
            subscription = self._answers(kind, request, interval)
        self.add(subscription)
        self._ours.add(subscription)
        answer = {"type": "subscribed", "subscription_id": subscription.name, "subscription_type": kind}
        return subscription, {**answer, "update_interval": interval}

    async def begin(self, subscription: Subscription) -> None:
        """Send what there is, then whatever changes."""
        if subscription not in self._ours:
            await super().begin(subscription)
        elif isinstance(subscription, LogSubscription):
            subscription.begin_with(await self._lines_so_far(subscription))
        else:
            subscription.begin_with(None)

    def drop(self, subscription: Subscription) -> None:
        """End a subscription."""
        super().drop(subscription)
        if subscription in self._ours:
            self._ours.discard(subscription)
            self._hub.leave(subscription)

    # Answers that are looked at again when something happened

    def _answers(self, kind: str, request: dict[str, Any], interval: float) -> Subscription:
        name, message, executor_id = _question(kind, request)
        priced = kind in {"positions", "performance"}
        subscription = Subscription(self.connection, name, interval, lambda each: self._frame(kind, each))
        self._hub.want(name, message, subscription, executor_id=executor_id, priced=priced)
        return subscription

    def _frame(self, kind: str, subscription: Subscription) -> bytes | None:
        answer, subscription.waiting = subscription.waiting, None
        if not isinstance(answer, Answer):
            return None
        return self._frame_of(kind, subscription, orjson.Fragment(answer.data), answer.total_count)

    def _frame_of(self, kind: str, subscription: Subscription, data: object, total: int | None) -> bytes:
        frame = {"type": kind, "subscription_id": subscription.name, "data": data}
        if total is not None:
            frame["total_count"] = total
        frame |= {"timestamp": self._system.clock.now(), "sequence": subscription.next_sequence()}
        return framed(dumps(frame))

    # Logs

    def _logs(self, request: dict[str, Any], interval: float) -> Subscription:
        executor_id = text_of(request, "executor_id")
        limit = count_of(request, "limit", DEFAULT_LINES, MAX_LINES)
        level = request.get("level")
        if level is not None and (not isinstance(level, str) or level.upper() not in LEVELS):
            raise BadRequest(f"level should be one of {', '.join(LEVELS)}")
        subscription = LogSubscription(
            self.connection,
            executor_id,
            limit,
            None if level is None else level.upper(),
            interval,
            self._lines_frame,
        )
        self._hub.follow(executor_id, subscription, subscription.hear)
        return subscription

    async def _lines_so_far(self, subscription: LogSubscription) -> bytes | None:
        wanted = GetExecutorLogs(
            executor_id=subscription.executor_id, level=subscription.level, limit=subscription.limit
        )
        try:
            known = await self._system.ask(REGISTRY, wanted, timeout=ANSWER_TIMEOUT)
        except Refusal as refusal:
            return framed(dumps({"type": "error", "message": refusal.detail}))
        except ActorCrashed as crash:
            return framed(dumps({"type": "error", "message": f"Internal error {crash.crash_id}"}))
        # What came while it was asked for may be among it.
        told = {dumps(line) for line in known.logs}
        news = [line for line in subscription.items if line not in told]
        subscription.items.clear()
        subscription.items.extend(news)
        subscription.total = known.total_count + len(news)
        if not known.logs:
            return None
        return self._frame_of("executor_logs", subscription, list(known.logs), known.total_count)

    def _lines_frame(self, subscription: Subscription) -> bytes | None:
        lines = [orjson.Fragment(line) for line in subscription.items]
        subscription.items.clear()
        if not lines or not isinstance(subscription, LogSubscription):
            return None
        return self._frame_of("executor_logs", subscription, lines, subscription.total)


class LogSubscription(Subscription):
    """A subscription to one executor's log, from a level's lines on."""

    def __init__(
        self,
        connection: Connection,
        executor_id: str,
        limit: int,
        level: str | None,
        interval: float,
        make: Callable[[Subscription], bytes | None],
    ) -> None:
        super().__init__(connection, f"executor_logs_{executor_id}", interval, make)
        self.executor_id = executor_id
        self.limit = limit
        self.level = level
        self.total = 0
        """Lines of the level so far."""

    def hear(self, encoded: list[bytes], lines: list[dict[str, Any]]) -> None:
        """Lines were logged."""
        for text, line in zip(encoded, lines, strict=True):
            if self.level in {None, line["level"]}:
                self.total += 1
                self.keep(text)
        self.poke()


def _question(kind: str, request: dict[str, Any]) -> tuple[str, Message[Any], str | None]:
    """A subscription's name, what it wants to know, and the one executor that it is about, if it is one."""
    match kind:
        case "executors":
            filters = _filters(request)
            digest = hashlib.sha256(dumps(sorted(filters.items()))).hexdigest()[:8]
            return f"executors_{digest}", ListActiveExecutors(**filters), None
        case "executor_detail":
            executor_id = text_of(request, "executor_id")
            if len(executor_id) > 200:  # noqa: PLR2004 - as in paths
                raise BadRequest("executor_id is too long")
            return f"executor_detail_{executor_id}", GetExecutor(executor_id=executor_id), executor_id
        case "executor_summary":
            return kind, GetExecutorsSummary(), None
        case _:
            controller = _optional_text(request, "controller_id")
            name = f"{kind}_{controller or 'all'}"
            if kind == "performance":
                return name, GetExecutorsPerformance(controller_id=controller), None
            return name, ListPositionsHeld(controller_id=controller), None


def _filters(request: dict[str, Any]) -> dict[str, str]:
    given = request.get("filters") or {}
    if not isinstance(given, dict):
        raise BadRequest("filters should be an object")
    unknown = sorted(set(given) - set(FILTERS))
    if unknown:
        raise BadRequest(f"There is no filter {shown(unknown[0])}. Known are {', '.join(FILTERS)}")
    found = {name: _optional_text(given, name) for name in FILTERS}
    return {name: value for name, value in found.items() if value is not None}


def _optional_text(request: dict[str, Any], name: str) -> str | None:
    value = request.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > 200:  # noqa: PLR2004 - as in messages
        raise BadRequest(f"{name} should be a text of at most 200 characters")
    return value
