"""Executors in the form that the released server's clients read. Pure."""

from __future__ import annotations

import base64
import hashlib
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aviary.actors.core.refusal import Invalid
from aviary.persistence.values import place_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aviary.persistence.executors import KeptExecutor, LogLine, Results

ENDED = "TERMINATED"
HOLD = "POSITION_HOLD"

DIGEST = 8
"""Characters that tell a cursor of ours from one that was tampered with."""

NOT_OURS = "cursor: no page of ours had this one"

type Row = dict[str, Any]


def row_of(kept: KeptExecutor, report: Row | None = None, interrupted: str | None = None) -> Row:
    """An executor as lists and streams show it; of one that runs, with what its host last said.

    `interrupted` says why one that has not ended does not run now.
    """
    report = kept.report if report is None else report
    numbers = kept.model_dump(include={"net_pnl_quote", "net_pnl_pct", "cum_fees_quote", "filled_amount_quote"})
    status = kept.status
    return {
        "id": kept.executor_id,
        "timestamp": kept.config.get("timestamp"),
        "type": kept.type,
        "status": status,
        "config": kept.config,
        **{name: report.get(name, value) for name, value in numbers.items()},
        "is_active": status != ENDED,
        "is_trading": status != ENDED and bool(report.get("is_trading")),
        "custom_info": report.get("custom_info", {}),
        "close_timestamp": kept.closed_at or report.get("close_timestamp"),
        "close_type": kept.close_type or report.get("close_type"),
        "controller_id": kept.controller_id,
        "executor_id": kept.executor_id,
        "executor_type": kept.type,
        "account_name": kept.account,
        "created_at": iso(kept.created_at),
        "connector_name": kept.connector_name,
        "trading_pair": kept.trading_pair,
        "side": kept.side,
        "error_count": kept.error_count,
        "last_error": kept.last_error,
        "after_crash": kept.after_crash,
        "interrupted": interrupted,
    }


def line_of(line: LogLine) -> Row:
    """A line of an executor's log."""
    return {"timestamp": iso(line.at), "level": line.level, "message": line.message, "exc_info": line.exc_info}


def iso(at: float) -> str:
    """A Unix time as ISO 8601 in UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat()


# Cursors


def sealed(cursor: str | None) -> str | None:
    """A place in a list as clients get it."""
    if cursor is None:
        return None
    return base64.urlsafe_b64encode(f"{_digest(cursor)}{cursor}".encode()).decode().rstrip("=")


def opened(cursor: str | None) -> str | None:
    """The place that a client's cursor means. `Invalid` for one that `sealed` did not give."""
    if not cursor:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        place = text[DIGEST:]
        if text[:DIGEST] == _digest(place) and sealed(place) == cursor and place_of(place) is not None:
            return place
    except ValueError:
        # Neither base64, nor text, nor a place.
        raise Invalid(NOT_OURS, "cursor") from None
    raise Invalid(NOT_OURS, "cursor")


def _digest(place: str) -> str:
    return hashlib.sha256(f"executors {place}".encode()).hexdigest()[:DIGEST]


# Sums


def summary_of(active: Iterable[Row]) -> Row:
    """What runs now, added up."""
    rows = list(active)
    return {
        "total_active": len(rows),
        "total_pnl_quote": math.fsum(row["net_pnl_quote"] for row in rows),
        "total_volume_quote": math.fsum(row["filled_amount_quote"] for row in rows),
        "by_type": _counts(row["type"] for row in rows),
        "by_connector": _counts(row["connector_name"] for row in rows),
        "by_status": _counts(row["status"] for row in rows),
    }


def performance_of(
    controller_id: str | None, ended: Sequence[Results], active: Sequence[Row], held: Sequence[Row]
) -> Row:
    """Results of what ended, runs and is held. Where a price is not known, what depends on it is null.

    Profit of executors whose position is held counts with the position, and not twice.
    """
    closed = [one for one in ended if one.close_type != HOLD]
    count = sum(one.count for one in closed)
    realized = math.fsum(one.net_pnl_quote for one in closed) + math.fsum(
        one["realized_pnl_quote"] for one in held
    )
    waiting = [row["net_pnl_quote"] for row in active] + [one["unrealized_pnl_quote"] for one in held]
    unrealized = None if None in waiting else math.fsum(waiting)
    statuses = {ENDED: sum(one.count for one in ended)} if ended else {}
    return {
        "controller_id": controller_id,
        "total_executors": sum(one.count for one in ended) + len(active),
        "by_status": {**statuses, **_counts(row["status"] for row in active)},
        "pnl_total_quote": realized,
        "unrealized_pnl_quote": unrealized,
        "global_pnl_quote": None if unrealized is None else realized + unrealized,
        "pnl_pct_avg": math.fsum(one.net_pnl_pct for one in closed) / count if count else 0.0,
        "fees_total_quote": math.fsum(
            [*(one.cum_fees_quote for one in ended), *(row["cum_fees_quote"] for row in active)]
        ),
        "volume_total_quote": math.fsum(
            [*(one.filled_amount_quote for one in ended), *(row["filled_amount_quote"] for row in active)]
        ),
        "win_rate": sum(one.wins for one in closed) / count if count else 0.0,
        "sharpe_ratio": _sharpe(closed, count),
        "by_type": _by_type(ended, active),
        "active_positions": len(held),
        "position_hold_fees_quote": math.fsum(one["cum_fees_quote"] for one in held),
    }


def _sharpe(closed: Sequence[Results], count: int) -> float | None:
    """Mean of the profits over their standard deviation, of the sample."""
    if count < 2:  # noqa: PLR2004 - one value has no deviation
        return None
    mean = math.fsum(one.net_pnl_quote for one in closed) / count
    variance = (math.fsum(one.net_pnl_squares for one in closed) - count * mean * mean) / (count - 1)
    # What is left of equal values are errors of rounding.
    return None if variance <= 1e-12 * max(1.0, mean * mean) else round(mean / math.sqrt(variance), 4)


def _by_type(ended: Sequence[Results], active: Sequence[Row]) -> list[Row]:
    kinds = dict.fromkeys([*(one.type for one in ended), *(row["type"] for row in active)])
    found = []
    for kind in kinds:
        over = [one for one in ended if one.type == kind]
        running = [row for row in active if row["type"] == kind]
        completed = sum(one.count for one in over)
        found.append(
            {
                "executor_type": kind,
                "total": completed + len(running),
                "completed": completed,
                "running": len(running),
                "pnl_quote": math.fsum(
                    [*(one.net_pnl_quote for one in over), *(row["net_pnl_quote"] for row in running)]
                ),
                "volume_quote": math.fsum(
                    [*(one.filled_amount_quote for one in over), *(row["filled_amount_quote"] for row in running)]
                ),
                "fees_quote": math.fsum(
                    [*(one.cum_fees_quote for one in over), *(row["cum_fees_quote"] for row in running)]
                ),
            }
        )
    return found


def _counts(values: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for value in values:
        found[value] = found.get(value, 0) + 1
    return found
