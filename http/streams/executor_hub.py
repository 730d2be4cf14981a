"""From the executors' actors to subscriptions: each question is asked once for all who want its answer.

What an executor does is published on the bus; that makes answers old. A question that has become old is asked again,
its answer encoded once, and the same bytes go to every subscription, if they differ from those before.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aviary.actors.core.refusal import ActorCrashed, NotFound, Refusal
from aviary.actors.messages.executors import EXECUTORS, REGISTRY
from aviary.http.json import dumps

if TYPE_CHECKING:
    from collections.abc import Callable

    from aviary.actors.core.message import Message
    from aviary.actors.core.system import System
    from aviary.http.streams.subscription import Subscription

    type Hear = Callable[[list[bytes], list[dict[str, Any]]], None]

ANSWER_TIMEOUT = 10.0
"""Seconds that an answer may take."""

SHORTEST = 0.25
"""Seconds between two times that the same question is asked."""

RETRY = 2.0
"""Seconds until a question that could not be answered is asked again."""

REFRESH = 5.0
"""Seconds after which what depends on market prices is asked about again although no executor did anything."""

ARRIVED = 20_000
"""Events that may wait for the front end's loop."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, encoded."""

    data: bytes
    total_count: int | None = None


class Question:
    """One question and whoever wants its answer; asked again when it is old."""

    def __init__(self, system: System, message: Message[Any], executor_id: str | None, *, priced: bool) -> None:
        self.executor_id = executor_id
        """The executor whose doings make the answer old; `None` for all."""
        self.listeners: set[Subscription] = set()
        self.latest: Answer | None = None
        self._system = system
        self._message = message
        self._refresh = REFRESH if priced else None
        self._old = asyncio.Event()
        self._old.set()
        self._retry: asyncio.TimerHandle | None = None
        self._task = asyncio.ensure_future(self._run())

    def is_old(self) -> None:
        """Something happened."""
        self._old.set()

    def close(self) -> None:
        """Ask no more."""
        self._task.cancel()
        if self._retry is not None:
            self._retry.cancel()

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._refresh):
                    await self._old.wait()
            except TimeoutError:
                # Prices have moved meanwhile.
                self._old.set()
            self._old.clear()
            answer = await self._ask()
            if answer != self.latest:
                self.latest = answer
                for subscription in tuple(self.listeners):
                    subscription.conflated += subscription.waiting is not None
                    subscription.waiting = answer
                    subscription.poke()
            await asyncio.sleep(SHORTEST)

    async def _ask(self) -> Answer | None:
        try:
            value = await self._system.ask(REGISTRY, self._message, timeout=ANSWER_TIMEOUT)
        except NotFound:
            return Answer(b"null")
        except (Refusal, ActorCrashed):
            # What is known stays, and is asked about again.
            self._retry = asyncio.get_running_loop().call_later(RETRY, self._old.set)
            return self.latest
        if isinstance(value, dict) and set(value) == {"data", "total_count"}:
            return Answer(dumps(value["data"]), value["total_count"])
        return Answer(dumps(value))


@dataclass(slots=True)
class Arrivals:
    """What the bus brought and the front end's loop has not taken yet."""

    changed: set[str] = field(default_factory=set)
    lines: list[tuple[str, list[dict[str, Any]]]] = field(default_factory=list)
    woken: bool = False


class ExecutorHub:
    """Knows which subscriptions want which answer, and who follows whose log."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._loop = asyncio.get_running_loop()
        self._questions: dict[str, Question] = {}
        self._followers: dict[str, dict[Subscription, Hear]] = {}
        self._arrivals = Arrivals()
        self._unsubscribe = system.bus.subscribe(f"{EXECUTORS}/", self._from_bus)

    def want(
        self,
        name: str,
        message: Message[Any],
        subscription: Subscription,
        *,
        executor_id: str | None = None,
        priced: bool = False,
    ) -> None:
        """Hand a question's answers to a subscription, beginning with the one that is there."""
        question = self._questions.get(name)
        if question is None:
            question = self._questions[name] = Question(self._system, message, executor_id, priced=priced)
        question.listeners.add(subscription)
        if question.latest is not None:
            subscription.waiting = question.latest

    def follow(self, executor_id: str, subscription: Subscription, hear: Hear) -> None:
        """Hand the lines that an executor logs from now on to a subscription, each also encoded."""
        self._followers.setdefault(executor_id, {})[subscription] = hear

    def leave(self, subscription: Subscription) -> None:
        """A subscription ends."""
        for name, question in tuple(self._questions.items()):
            question.listeners.discard(subscription)
            if not question.listeners:
                question.close()
                del self._questions[name]
        for executor_id, followers in tuple(self._followers.items()):
            followers.pop(subscription, None)
            if not followers:
                del self._followers[executor_id]

    def close(self) -> None:
        """Let go of the bus."""
        self._unsubscribe()
        for question in self._questions.values():
            question.close()

    def _from_bus(self, topic: str, event: object) -> None:
        # On the publisher's thread: a burst wakes the loop once.
        if self._loop.is_closed():
            return
        _, executor_id, *what = topic.split("/")
        arrivals = self._arrivals
        arrivals.changed.add(executor_id)
        if what == ["lines"] and isinstance(event, list) and executor_id in self._followers:
            arrivals.lines.append((executor_id, event))
            del arrivals.lines[:-ARRIVED]
        if not arrivals.woken:
            arrivals.woken = True
            self._loop.call_soon_threadsafe(self._hand_out)

    def _hand_out(self) -> None:
        arrived, self._arrivals = self._arrivals, Arrivals()
        for question in self._questions.values():
            if question.executor_id is None or question.executor_id in arrived.changed:
                question.is_old()
        for executor_id, lines in arrived.lines:
            encoded = [dumps(line) for line in lines]
            for hear in tuple(self._followers.get(executor_id, {}).values()):
                hear(encoded, lines)
