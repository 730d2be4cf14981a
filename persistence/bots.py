"""Bots: what each should be doing, its process, its runs, and what its controllers reported."""

from typing import Any, Literal

import orjson
import peewee
from aviary.persistence.tables import BotRow, BotRunRow, PerformanceRow, Query
from aviary.persistence.values import LARGEST_NUMBER, Record, read, read_json

type Desired = Literal["running", "stopped", "archived"]

PERFORMANCE_KEPT = 20_000
"""Reports kept for each controller of a bot: at one a minute, two weeks."""


TRIM_EVERY = 500
"""Reports of one controller between two looks at how many there are."""


class Bot(Record):
    """A bot as it should be. `process` is what its runtime needs to find it again."""

    name: str
    desired: Desired
    runtime: str = "process"
    spec: dict[str, Any]
    process: dict[str, Any] | None = None
    created_at: float
    updated_at: float


class BotRun(Record):
    """One deployment of a bot. Times are Unix seconds; the last three texts are JSON or free."""

    id: int = 0
    bot_name: str
    instance_name: str
    deployed_at: float
    stopped_at: float | None = None
    strategy_type: str
    strategy_name: str
    config_name: str | None = None
    account_name: str
    image_version: str | None = None
    deployment_status: str = "DEPLOYED"
    run_status: str = "CREATED"
    deployment_config: str
    final_status: str | None = None
    error_message: str | None = None


class Performance(Record):
    """What a controller reported at one moment."""

    bot_name: str
    controller_id: str
    at: float
    performance: dict[str, Any]


class Bots:
    """The bots of one database."""

    def __init__(self, database: peewee.Database) -> None:
        self._database = database
        self._since_trim: dict[tuple[str, str], int] = {}

    def add(self, bot: Bot) -> bool:
        """Write a bot down; whether its name was free."""
        with self._database.atomic():
            if self.get(bot.name) is not None:
                return False
            self._run(BotRow.insert(**_bot_columns(bot.model_dump())))
            return True

    def change(self, name: str, *, at: float, **changes: object) -> Bot | None:
        """Change `desired`, `spec`, `runtime` or `process`; answers the bot, `None` if unknown."""
        unknown = set(changes) - {"desired", "spec", "runtime", "process"}
        if unknown:
            raise ValueError(f"not columns of a bot: {sorted(unknown)}")
        with self._database.atomic():
            self._run(BotRow.update(**_bot_columns({**changes, "updated_at": at})).where(BotRow.name == name))
            return self.get(name)

    def remove(self, name: str) -> bool:
        """Forget a bot, not its runs; whether it was there."""
        return self._run(BotRow.delete().where(BotRow.name == name)) > 0

    def get(self, name: str) -> Bot | None:
        """One bot."""
        return next((bot for bot in self._bots(BotRow.select().where(BotRow.name == name))), None)

    def list(self, desired: Desired | None = None) -> tuple[Bot, ...]:
        """Every bot, or those that should be `desired`, oldest first."""
        query: Query = BotRow.select()
        if desired is not None:
            query = query.where(BotRow.desired == desired)
        return self._bots(query.order_by(BotRow.created_at, BotRow.name))

    # Runs

    def add_run(self, run: BotRun) -> int:
        """Write a run down; answers its number."""
        query: Query = BotRunRow.insert(**run.model_dump(exclude={"id"}))
        number: int = query.bind(self._database).execute()
        return number

    def change_run(self, number: int, **changes: object) -> BotRun | None:
        """Change columns of a run; answers it, `None` if unknown."""
        with self._database.atomic():
            if changes and self.run(number) is not None:
                self._run(BotRunRow.update(**changes).where(BotRunRow.id == number))
            return self.run(number)

    def run(self, number: int) -> BotRun | None:
        """One run."""
        if not 0 < number <= LARGEST_NUMBER:
            return None
        return next(iter(self._runs(BotRunRow.select().where(BotRunRow.id == number))), None)

    def last_run(self, bot_name: str) -> BotRun | None:
        """The latest run of a bot."""
        query: Query = BotRunRow.select().where(BotRunRow.bot_name == bot_name).order_by(BotRunRow.id.desc())
        return next(iter(self._runs(query.limit(1))), None)

    def delete_run(self, number: int) -> bool:
        """Forget a run; whether it was there."""
        with self._database.atomic():
            known = self.run(number) is not None
            if known:
                self._run(BotRunRow.delete().where(BotRunRow.id == number))
            return known

    def runs(self, *, limit: int, offset: int = 0, **equal: str | None) -> tuple[tuple[BotRun, ...], int]:
        """Runs, newest first, with how many there are; `equal` maps columns to wanted values."""
        query: Query = BotRunRow.select()
        for column, value in equal.items():
            if value is not None:
                query = query.where(getattr(BotRunRow, column) == value)
        total: int = query.bind(self._database).count()
        return self._runs(
            query.order_by(BotRunRow.id.desc()).limit(limit).offset(min(offset, LARGEST_NUMBER))
        ), total

    # Performance

    def record_performance(self, report: Performance) -> None:
        """Keep a report, and not many more than `PERFORMANCE_KEPT` of one controller."""
        row = {**report.model_dump(), "performance": orjson.dumps(report.performance).decode()}
        controller = (report.bot_name, report.controller_id)
        with self._database.atomic():
            self._run(PerformanceRow.insert(**row))
            # The first one looks, too: a server may never live long enough for the next look.
            since = self._since_trim.get(controller, TRIM_EVERY) + 1
            if since > TRIM_EVERY:
                self._trim_performance(*controller)
                since = 0
        self._since_trim[controller] = since

    def _trim_performance(self, bot_name: str, controller_id: str) -> None:
        of_it = (PerformanceRow.bot_name == bot_name, PerformanceRow.controller_id == controller_id)
        edge: Query = PerformanceRow.select(PerformanceRow.id).where(*of_it).order_by(PerformanceRow.id.desc())
        for row in edge.offset(PERFORMANCE_KEPT).limit(1).bind(self._database):
            self._run(PerformanceRow.delete().where(*of_it, PerformanceRow.id <= row.id))

    def performance(
        self,
        bot_name: str | None = None,
        controller_id: str | None = None,
        *,
        since: float | None = None,
        until: float | None = None,
        limit: int,
    ) -> tuple[Performance, ...]:
        """Reports, newest first."""
        query: Query = PerformanceRow.select()
        if bot_name is not None:
            query = query.where(PerformanceRow.bot_name == bot_name)
        if controller_id is not None:
            query = query.where(PerformanceRow.controller_id == controller_id)
        if since is not None:
            query = query.where(PerformanceRow.at >= since)
        if until is not None:
            query = query.where(PerformanceRow.at < until)
        query = query.order_by(PerformanceRow.at.desc(), PerformanceRow.id.desc()).limit(limit)
        return tuple(
            read(
                Performance,
                {
                    "bot_name": row.bot_name,
                    "controller_id": row.controller_id,
                    "at": row.at,
                    "performance": read_json(row.performance),
                },
            )
            for row in query.bind(self._database)
        )

    def _run(self, query: Query) -> int:
        changed: int = query.bind(self._database).execute()
        return changed

    def _bots(self, query: Query) -> tuple[Bot, ...]:
        return tuple(
            read(
                Bot,
                {
                    "name": row.name,
                    "desired": row.desired,
                    "runtime": row.runtime,
                    "spec": read_json(row.spec),
                    "process": None if row.process is None else read_json(row.process),
                    "created_at": row.created_at,
                    "updated_at": row.updated_at,
                },
            )
            for row in query.bind(self._database)
        )

    def _runs(self, query: Query) -> tuple[BotRun, ...]:
        return tuple(
            read(BotRun, {name: getattr(row, name) for name in BotRun.model_fields})
            for row in query.bind(self._database)
        )


def _bot_columns(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: orjson.dumps(value).decode() if name in {"spec", "process"} and value is not None else value
        for name, value in values.items()
    }
