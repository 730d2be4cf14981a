"""The budget of requests: orders before questions, and questions within a quarter."""

import asyncio
from typing import Any

import pytest
from aviary.actors.engine.exchanges.budget import (
    Purpose,
    budget_of,
    give_orders_the_right_of_way,
    hold_requests_to_budgets,
    requests_for,
)
from hummingbot.core.api_throttler.async_throttler import AsyncThrottler
from hummingbot.core.api_throttler.data_types import LinkedLimitWeightPair, RateLimit

pytestmark = pytest.mark.asyncio

MINUTE = 60.0
LONG = 3600.0


@pytest.fixture(autouse=True)
def _held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AsyncThrottler, "execute_task", AsyncThrottler.execute_task)
    hold_requests_to_budgets()


def throttler(limit: int = 100, interval: float = LONG, orders: int = 1000) -> Any:
    pools = [LinkedLimitWeightPair("WEIGHT", 10), LinkedLimitWeightPair("ORDERS", 1)]
    return AsyncThrottler(
        [
            RateLimit("WEIGHT", limit=limit, time_interval=interval),
            RateLimit("ORDERS", limit=orders, time_interval=interval),
            RateLimit("/order", limit=10_000, time_interval=interval, linked_limits=pools),
        ]
    )


async def ask(on: Any, purpose: Purpose) -> Purpose:
    with requests_for(purpose):
        async with on.execute_task("/order"):
            return purpose


async def asked_until_stuck(on: Any, purpose: Purpose) -> int:
    """How many requests are let through before one has to wait."""
    tasks = [asyncio.create_task(ask(on, purpose)) for _ in range(30)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    done = sum(task.done() for task in tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return done


async def test_questions_take_a_quarter_and_orders_all_that_is_left() -> None:
    exchange = throttler()

    assert await asked_until_stuck(exchange, Purpose.QUESTION) == 2
    assert await asked_until_stuck(exchange, Purpose.PLACE) == 8
    assert await asked_until_stuck(exchange, Purpose.CANCEL) == 0
    budget = budget_of(exchange)
    assert (budget.used("WEIGHT"), budget.used("WEIGHT", by_questions=True)) == (100, 20)


async def test_only_new_orders_count_as_orders() -> None:
    exchange = throttler(limit=10_000, orders=3)

    assert await asked_until_stuck(exchange, Purpose.CANCEL) == 30
    assert await asked_until_stuck(exchange, Purpose.PLACE) == 3


async def test_a_question_that_weighs_more_than_a_quarter_is_asked_alone() -> None:
    assert await asked_until_stuck(throttler(limit=20), Purpose.QUESTION) == 1


async def test_who_waits_goes_by_urgency_and_then_in_turn() -> None:
    exchange = throttler(limit=10, interval=0.05)
    await ask(exchange, Purpose.PLACE)
    order: list[Purpose] = []

    async def note(purpose: Purpose) -> None:
        order.append(await ask(exchange, purpose))

    wanted = [Purpose.QUESTION, Purpose.UPKEEP, Purpose.PLACE, Purpose.PLACE, Purpose.CANCEL]
    await asyncio.gather(*(note(purpose) for purpose in wanted))

    assert order == sorted(wanted)


async def test_who_gives_up_waiting_is_known_not_to_have_been_sent_and_keeps_nobody_waiting() -> None:
    exchange = throttler(limit=20)
    await ask(exchange, Purpose.PLACE)
    await ask(exchange, Purpose.PLACE)

    with requests_for(Purpose.PLACE) as passage, pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01), exchange.execute_task("/order"):
            raise AssertionError("it was let through")

    assert not passage.admitted
    assert budget_of(exchange).used("WEIGHT") == 20


async def test_a_connector_s_own_requests_say_what_they_are_for() -> None:
    seen: list[tuple[str, int]] = []

    class Connector:
        _throttler = throttler()

        async def _place_order(self) -> None:
            await self._ask("place")

        async def _place_cancel(self) -> None:
            await self._ask("cancel")

        async def _status_polling_loop_fetch_updates(self) -> None:
            await self._ask("poll")

        async def _ask(self, what: str) -> None:
            async with self._throttler.execute_task("/order"):
                seen.append((what, budget_of(self._throttler).used("WEIGHT", by_questions=True)))

    connector = Connector()
    give_orders_the_right_of_way(connector)
    await connector._place_order()
    await connector._place_cancel()
    await connector._status_polling_loop_fetch_updates()

    assert seen == [("place", 0), ("cancel", 0), ("poll", 10)]
    assert budget_of(connector._throttler).used("ORDERS") == 1
