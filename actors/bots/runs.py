"""Deployments and reports as the released server shows them."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from aviary.actors.core.refusal import Conflict, Invalid, NotFound
from aviary.actors.messages.bots import GetPerformanceHistory, ListRuns
from aviary.actors.messages.names import seconds_of
from aviary.persistence.bots import BotRun
from aviary.persistence.repositories import Repositories

ACTIVE = 30.0
"""Seconds after its last word that a bot counts as active."""

INTERVALS = {"1m": 60, "5m": 300, "15m": 900, "30m": 1800, "1h": 3600, "4h": 14_400, "12h": 43_200, "1d": 86_400}
"""Names and seconds of the distances at which reports are shown."""

READ_AT_ONCE = 20_000


def iso(moment: float) -> str:
    """A moment (Unix seconds) as clients read it."""
    return datetime.fromtimestamp(moment, UTC).isoformat()


def run_view(run: BotRun) -> dict[str, Any]:
    """One deployment."""
    return {
        **run.model_dump(exclude={"deployed_at", "stopped_at"}),
        "deployed_at": iso(run.deployed_at),
        "stopped_at": None if run.stopped_at is None else iso(run.stopped_at),
    }


def list_runs(r: Repositories, query: ListRuns) -> dict[str, Any]:
    """Deployments, newest first."""
    equal = query.model_dump(exclude={"limit", "offset"})
    runs, total = r.bots.runs(limit=query.limit, offset=query.offset, **equal)
    return {
        "status": "success",
        "data": [run_view(run) for run in runs],
        "total": total,
        "limit": query.limit,
        "offset": query.offset,
    }


def get_run(r: Repositories, number: int) -> dict[str, Any]:
    """One deployment; `NotFound`."""
    run = r.bots.run(number)
    if run is None:
        raise NotFound(f"Bot run {number} not found")
    return {"status": "success", "data": run_view(run)}


def delete_run(r: Repositories, number: int) -> dict[str, Any]:
    """Forget a deployment that is over."""
    run = r.bots.run(number)
    if run is None:
        raise NotFound(f"Bot run {number} not found")
    last = r.bots.last_run(run.bot_name)
    if r.bots.get(run.bot_name) is not None and last is not None and last.id == number:
        raise Conflict(f"Bot '{run.bot_name}' still exists: archive it first")
    r.bots.delete_run(number)
    return {"status": "success", "message": f"Bot run {number} deleted successfully"}


def statistics(r: Repositories) -> dict[str, Any]:
    """Counts of deployments."""
    runs, total = r.bots.runs(limit=READ_AT_ONCE)
    return {
        "status": "success",
        "data": {
            "total_runs": total,
            "active_runs": sum(run.run_status == "RUNNING" for run in runs),
            "strategy_type_counts": dict(Counter(run.strategy_type for run in runs)),
            "status_counts": dict(Counter(run.run_status for run in runs)),
        },
    }


def performance_history(r: Repositories, query: GetPerformanceHistory) -> dict[str, Any]:
    """Kept reports, newest first, at most one for each interval and controller."""
    step = INTERVALS.get(query.interval)
    if step is None:
        raise Invalid(f"one of {', '.join(INTERVALS)}", "interval")
    until = moment_of(query.cursor) if query.cursor else query.end_time
    reports = r.bots.performance(
        query.bot_name, query.controller_id, since=query.start_time, until=until, limit=READ_AT_ONCE
    )
    shown: list[dict[str, Any]] = []
    seen: set[tuple[str, str, int]] = set()
    cursor = None
    for report in reports:
        slot = (report.bot_name, report.controller_id, int(report.at // step))
        if slot in seen:
            continue
        if len(shown) == query.limit:
            cursor = shown[-1]["timestamp"]
            break
        seen.add(slot)
        shown.append(
            {
                "timestamp": iso(report.at),
                "bot_name": report.bot_name,
                "controller_id": report.controller_id,
                "status": "running",
                "performance": report.performance.get("performance", {}),
                "custom_info": report.performance.get("custom_info", {}),
            }
        )
    pagination = {
        "next_cursor": cursor,
        "has_more": cursor is not None,
        "limit": query.limit,
        "interval": query.interval,
    }
    return {"status": "success", "data": shown, "pagination": pagination}


def moment_of(cursor: str) -> float:
    """Unix seconds of the moment that a page's cursor is."""
    try:
        return float(seconds_of(cursor))
    except ValueError:
        raise Invalid("not the next_cursor of a page", "cursor") from None
