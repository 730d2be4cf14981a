"""What is kept of bots in the database, in the terms of bot actors and of their registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from aviary.actors.core.message import Value
from aviary.actors.keeping.records import Records
from aviary.actors.runtimes import ProcessMark
from aviary.persistence.bots import Bot, BotRun, Desired, Performance
from aviary.persistence.values import read_json
from pydantic import Field

if TYPE_CHECKING:
    from aviary.actors.core.actor import AsyncActor
    from aviary.actors.messages.bots import BotStatus
    from aviary.persistence.repositories import Repositories

RECENT = 100
"""Kept reports among which a bot's last ones are looked for."""

PERFORMANCE_PERIOD = 60.0
"""Seconds between two reports of a controller that are kept."""


class StoredBot(Value):
    """A bot as it should be."""

    name: str
    desired: Desired
    script_config: str
    """A file name under `conf/scripts` of its folder."""
    account: str
    process: ProcessMark | None = None
    skip_cancellation: bool = False
    """The last stop that was asked for leaves the orders where they are."""
    last_stop: dict[str, Any] = Field(default_factory=dict)
    """How the last run ended, if it was stopped: see `final_status`."""


class BotStore:
    """Reads and writes bots through the database's actor, on behalf of the actor that asks."""

    def __init__(self, performance_period: float = PERFORMANCE_PERIOD) -> None:
        self.performance_period = performance_period

    async def load(self, actor: AsyncActor, name: str) -> StoredBot | None:
        """One bot, `None` if there is none of this name."""
        bot, run = await Records(actor).read(lambda r: (r.bots.get(name), r.bots.last_run(name)))
        return None if bot is None else stored(bot, run)

    async def save_desired(self, actor: AsyncActor, name: str, desired: Desired) -> None:
        """Write down what a bot should do; done before it is told to."""
        at = actor.clock.now()
        await Records(actor).write(lambda r: r.bots.change(name, at=at, desired=desired))

    async def save_process(self, actor: AsyncActor, name: str, mark: ProcessMark | None) -> None:
        """Write down which process is the bot, before that process does anything."""
        at = actor.clock.now()
        process = None if mark is None else mark.model_dump()

        def work(r: Repositories) -> None:
            r.bots.change(name, at=at, process=process)
            run = r.bots.last_run(name)
            if mark is not None and run is not None:
                r.bots.change_run(run.id, run_status="RUNNING", stopped_at=None, error_message=None)

        await Records(actor).write(work)

    async def note_stop(self, actor: AsyncActor, name: str, status: BotStatus) -> None:
        """Keep the last state of a run that has stopped."""
        at = actor.clock.now()

        def work(r: Repositories) -> None:
            run = r.bots.last_run(name)
            if run is None:
                return
            last = status.model_copy(update={"state": "stopped"})
            if not status.performance:
                # The bot was adopted and stopped before it said a word: the last kept results are its last.
                kept = {
                    report.controller_id: report for report in reversed(r.bots.performance(name, limit=RECENT))
                }
                results = {key: report.performance for key, report in kept.items()}
                last = last.model_copy(update={"performance": results})
            final = final_status(last)
            r.bots.change_run(run.id, run_status="STOPPED", stopped_at=at, final_status=final)

        await Records(actor).write(work)

    async def note_left(self, actor: AsyncActor, name: str, status: BotStatus) -> None:
        """Keep what the last run has left by now."""

        def work(r: Repositories) -> None:
            run = r.bots.last_run(name)
            last = {} if run is None else _last_stop(run)
            if run is not None and last:
                left = {"orders_left": status.orders_left, "positions_left": status.positions_left}
                r.bots.change_run(run.id, final_status=orjson.dumps({**last, **left}).decode())

        await Records(actor).write(work)

    async def note_failure(self, actor: AsyncActor, name: str, why: str) -> None:
        """Keep why a bot is not tried any more."""

        def work(r: Repositories) -> None:
            run = r.bots.last_run(name)
            if run is not None:
                r.bots.change_run(run.id, run_status="ERROR", error_message=why)

        await Records(actor).write(work)

    async def keep_performance(self, actor: AsyncActor, name: str, at: float, payload: dict[str, Any]) -> None:
        """Keep one report of each controller."""

        def work(r: Repositories) -> None:
            for controller_id, report in payload.items():
                r.bots.record_performance(
                    Performance(bot_name=name, controller_id=controller_id, at=at, performance=report)
                )

        await Records(actor).write(work)


def stored(bot: Bot, run: BotRun | None = None) -> StoredBot:
    """A row of the database as actors see it, and the last run of the bot."""
    return StoredBot(
        name=bot.name,
        desired=bot.desired,
        script_config=bot.spec["script_config"],
        account=bot.spec["account"],
        process=None if bot.process is None else ProcessMark.model_validate(bot.process),
        skip_cancellation=bool(bot.spec.get("skip_order_cancellation")),
        last_stop={} if run is None else _last_stop(run),
    )


def _last_stop(run: BotRun) -> dict[str, Any]:
    """How a run ended; empty if it was not stopped."""
    if run.run_status != "STOPPED" or run.final_status is None:
        return {}
    final = read_json(run.final_status)
    return final if isinstance(final, dict) else {}


def final_status(status: BotStatus) -> str:
    """What a run's record keeps of its end: JSON in a text, as the released server has it."""
    return orjson.dumps(
        {
            "status": status.state,
            "reason": status.reason,
            "orders_left": status.orders_left,
            "positions_left": status.positions_left,
            "performance": performance_view(status),
            "error_logs": status.error_logs,
        }
    ).decode()


def performance_view(status: BotStatus) -> dict[str, Any]:
    """Performance as the released server shows it: each controller with a status of its own."""
    running = (
        "running" if status.state in {"running", "degraded", "starting", "settling", "stopping"} else "stopped"
    )
    return {
        controller_id: {
            "status": running,
            "performance": report.get("performance", {}),
            "custom_info": report.get("custom_info", {}),
        }
        for controller_id, report in status.performance.items()
    }


__all__ = ["Bot", "BotRun", "BotStore", "StoredBot", "final_status", "performance_view", "stored"]
