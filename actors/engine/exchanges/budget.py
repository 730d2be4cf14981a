"""What this process may ask of an exchange, shared between its orders and its own questions.

Hummingbot counts requests against each exchange's limits and lets them through in the order in which they came, so
that questions use up what orders need. Here cancels go first, then orders, then what keeps a connection up, then
questions; and questions take at most a quarter of each limit, whether or not anybody else wants the rest.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from aviary.config.clock import SystemClock
from hummingbot.core.api_throttler.async_throttler import AsyncThrottler

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aviary.config.clock import Clock

SHARE_OF_QUESTIONS = 4
"""Questions take at most one part of a limit in so many."""

SHORTEST_WAIT = 0.01
"""Seconds until it is looked again whether there is room, at least."""

ORDER_COUNTS = frozenset({"ORDERS", "ORDERS_24HR", "ORDERS_1MIN", "ORDERS_1SEC"})
"""Limits of Binance that only new orders count against; hummingbot has cancels and questions count too.
Source: "Unfilled order count" and "Limits" of its REST documentation."""


class Purpose(IntEnum):
    """What a request is for, the most urgent first."""

    CANCEL = 0
    PLACE = 1
    UPKEEP = 2
    """Whatever keeps a connection up or was asked for by somebody: the default."""
    QUESTION = 3
    """What nobody asked for: comparing, settling, polling."""


@dataclass(slots=True)
class Passage:
    """Requests made for one purpose."""

    purpose: Purpose
    admitted: bool = False
    """Whether any of them was let through."""


_PASSAGE: ContextVar[Passage | None] = ContextVar("passage", default=None)


@contextmanager
def requests_for(purpose: Purpose) -> Iterator[Passage]:
    """What is asked of exchanges inside, in this task and in those that it starts, is for this purpose."""
    passage = Passage(purpose)
    token = _PASSAGE.set(passage)
    try:
        yield passage
    finally:
        _PASSAGE.reset(token)


@dataclass(slots=True)
class _Pool:
    """What was let through against one limit lately."""

    taken: deque[tuple[float, int, bool]] = field(default_factory=deque)
    """When each is forgotten again, its weight, and whether it was a question."""
    used: int = 0
    used_by_questions: int = 0

    def forget(self, now: float) -> None:
        while self.taken and self.taken[0][0] <= now:
            _, weight, question = self.taken.popleft()
            self.used -= weight
            self.used_by_questions -= weight if question else 0

    def take(self, until: float, weight: int, *, question: bool) -> None:
        self.taken.append((until, weight, question))
        self.used += weight
        self.used_by_questions += weight if question else 0

    def has_room(self, limit: int, weight: int, *, question: bool) -> bool:
        if self.used + weight > max(limit, weight):
            return False
        return not question or self.used_by_questions + weight <= max(limit // SHARE_OF_QUESTIONS, weight)


@dataclass(slots=True, eq=False)
class _Waiting:
    purpose: Purpose
    charges: list[tuple[Any, int]]
    turn: asyncio.Future[None]


class Budget:
    """Lets requests through one of hummingbot's throttlers as its limits and their purposes allow."""

    def __init__(self, throttler: Any, clock: Clock) -> None:
        self._throttler = throttler
        self._clock = clock
        self._pools: dict[str, _Pool] = {}
        self._line: dict[Purpose, deque[_Waiting]] = {purpose: deque() for purpose in Purpose}
        self._timer: asyncio.TimerHandle | None = None

    async def admit(self, limit_id: str) -> None:
        """Wait until a request may be sent; it is counted then."""
        passage = _PASSAGE.get()
        purpose = Purpose.UPKEEP if passage is None else passage.purpose
        charges = self._charges(limit_id, purpose)
        if charges:
            await self._wait(_Waiting(purpose, charges, asyncio.get_running_loop().create_future()))
        if passage is not None:
            passage.admitted = True

    def used(self, limit_id: str, *, by_questions: bool = False) -> int:
        """The weight that counts against a limit now."""
        pool = self._pools.get(limit_id)
        if pool is None:
            return 0
        pool.forget(self._clock.monotonic())
        return pool.used_by_questions if by_questions else pool.used

    def _charges(self, limit_id: str, purpose: Purpose) -> list[tuple[Any, int]]:
        own, related = self._throttler.get_related_limits(limit_id)
        if own is None:
            return []
        charges = [(own, own.weight), *related]
        if purpose is Purpose.PLACE:
            return charges
        return [(limit, weight) for limit, weight in charges if limit.limit_id not in ORDER_COUNTS]

    async def _wait(self, waiting: _Waiting) -> None:
        self._line[waiting.purpose].append(waiting)
        self._let_through()
        try:
            await waiting.turn
        except asyncio.CancelledError:
            if waiting in self._line[waiting.purpose]:
                self._line[waiting.purpose].remove(waiting)
                self._let_through()
            raise

    def _let_through(self) -> None:
        """Whoever has room goes; whoever has not keeps those behind from what it waits for."""
        now = self._clock.monotonic()
        kept_for_others: set[str] = set()
        due: list[float] = []
        for line in self._line.values():
            for waiting in tuple(line):
                full = [
                    limit.limit_id
                    for limit, weight in waiting.charges
                    if self._is_full(limit, weight, waiting, now)
                ]
                names = {limit.limit_id for limit, _ in waiting.charges}
                if full or names & kept_for_others:
                    kept_for_others.update(full)
                    due += [self._pools[name].taken[0][0] for name in full if self._pools[name].taken]
                    continue
                line.remove(waiting)
                self._take(waiting, now)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due:
            wait = max(SHORTEST_WAIT, min(due) - now)
            self._timer = asyncio.get_running_loop().call_later(wait, self._let_through)

    def _is_full(self, limit: Any, weight: int, waiting: _Waiting, now: float) -> bool:
        pool = self._pools.setdefault(limit.limit_id, _Pool())
        pool.forget(now)
        return not pool.has_room(int(limit.limit), weight, question=waiting.purpose is Purpose.QUESTION)

    def _take(self, waiting: _Waiting, now: float) -> None:
        margin = 1 + self._throttler._safety_margin_pct  # noqa: SLF001 - no public way
        for limit, weight in waiting.charges:
            until = now + limit.time_interval * margin
            self._pools[limit.limit_id].take(until, weight, question=waiting.purpose is Purpose.QUESTION)
        if not waiting.turn.done():
            waiting.turn.set_result(None)


class _Admission:
    """Hummingbot's `async with throttler.execute_task(…)`."""

    def __init__(self, budget: Budget, limit_id: str) -> None:
        self._budget = budget
        self._limit_id = limit_id

    async def __aenter__(self) -> None:
        await self._budget.admit(self._limit_id)

    async def __aexit__(self, *_: object) -> None:
        return None


def budget_of(throttler: Any) -> Budget:
    """The budget of a throttler, made with its first request."""
    budget: Budget | None = getattr(throttler, "_aviary_budget", None)
    if budget is None:
        budget = throttler._aviary_budget = Budget(throttler, SystemClock())  # noqa: SLF001
    return budget


def hold_requests_to_budgets() -> None:
    """From now on all of hummingbot's throttlers in this process work as described here."""
    AsyncThrottler.execute_task = lambda throttler, limit_id: _Admission(budget_of(throttler), limit_id)


def give_orders_the_right_of_way(connector: Any) -> None:
    """A connector's own order path and polls say from now on what their requests are for."""
    for name, purpose in (
        ("_place_order", Purpose.PLACE),
        ("_place_cancel", Purpose.CANCEL),
        ("_status_polling_loop_fetch_updates", Purpose.QUESTION),
    ):
        if hasattr(connector, name):
            setattr(connector, name, _for(purpose, getattr(connector, name)))


def _for(purpose: Purpose, request: Any) -> Any:
    async def with_purpose(*arguments: Any, **named: Any) -> Any:
        with requests_for(purpose):
            return await request(*arguments, **named)

    return with_purpose
