"""How a portfolio has done: returns, drawdown, volatility. Pure; the formulas are in docs/portfolio.md."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from statistics import fmean, stdev
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aviary.persistence.portfolio import Point

YEAR = 365.25 * 86_400

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Moment:
    """What some credentials were worth together, and what they had made and taken in until then."""

    at: int
    value: Decimal
    profit: Decimal
    flow: Decimal
    untold: Decimal


@dataclass(frozen=True, slots=True)
class Measured:
    """How they have done between the first moment and the last."""

    start: Moment
    end: Moment
    simple: float | None
    """Profit over the capital that was there, each flow weighted with the share of the time that it was."""
    time_weighted: float | None
    max_drawdown: float | None
    current_drawdown: float | None
    volatility: float | None
    sharpe: float | None
    samples: int


def timeline(points: Iterable[Point], since: int) -> tuple[Moment, ...]:
    """The sums over credentials, each at its last point so far; `points` come oldest first.

    What was known before `since` counts as of then. A credential that appears later came in then.
    """
    last: dict[tuple[str, str], Point] = {}
    moments: dict[int, Moment] = {}
    now = Moment(since, ZERO, ZERO, ZERO, ZERO)
    for point in points:
        before = last.get((point.account, point.connector))
        last[point.account, point.connector] = point
        now = _moved(now, point, before, max(point.at, since))
        moments[now.at] = now
    return tuple(moments[at] for at in sorted(moments))


def _moved(now: Moment, point: Point, before: Point | None, at: int) -> Moment:
    if before is None:
        return Moment(
            at, now.value + point.value, now.profit + point.profit, now.flow + point.flow, now.untold + point.untold
        )
    return Moment(
        at=at,
        value=now.value + point.value - before.value,
        profit=now.profit + point.profit - before.profit,
        flow=now.flow + point.flow - before.flow,
        untold=now.untold + point.untold - before.untold,
    )


def measure(moments: Sequence[Moment]) -> Measured | None:
    """What can be told from a timeline; `None` if it is empty."""
    if not moments:
        return None
    start, end = moments[0], moments[-1]
    returns = [_between(before, after) for before, after in pairwise(moments)]
    growth = _growth(returns)
    drawdowns = _drawdowns(growth)
    volatility, sharpe = _risk(returns, end.at - start.at)
    return Measured(
        start=start,
        end=end,
        simple=_simple(moments),
        time_weighted=growth[-1] - 1 if returns else None,
        max_drawdown=max(drawdowns) if returns else None,
        current_drawdown=drawdowns[-1] if returns else None,
        volatility=volatility,
        sharpe=sharpe,
        samples=len(moments),
    )


def _between(before: Moment, after: Moment) -> float:
    # What flowed counts as if it had come in half-way: when exactly is not known.
    capital = before.value + (after.flow - before.flow) / 2
    return float((after.profit - before.profit) / capital) if capital > 0 else 0.0


def _growth(returns: Sequence[float]) -> list[float]:
    growth = [1.0]
    for each in returns:
        growth.append(growth[-1] * (1 + each))
    return growth


def _drawdowns(growth: Sequence[float]) -> list[float]:
    peak, found = growth[0], []
    for value in growth:
        peak = max(peak, value)
        found.append((peak - value) / peak if peak > 0 else 0.0)
    return found


def _simple(moments: Sequence[Moment]) -> float | None:
    start, end = moments[0], moments[-1]
    lasted = end.at - start.at
    if lasted <= 0:
        return None
    capital = start.value
    for before, after in pairwise(moments):
        capital += (after.flow - before.flow) * (end.at - after.at) / lasted
    return float((end.profit - start.profit) / capital) if capital > 0 else None


def _risk(returns: Sequence[float], lasted: int) -> tuple[float | None, float | None]:
    """Volatility and Sharpe ratio, both for a year."""
    if len(returns) < 2 or lasted <= 0:  # noqa: PLR2004 - of one number there is no deviation
        return None, None
    in_a_year = len(returns) * YEAR / lasted
    deviation = stdev(returns)
    volatility = deviation * math.sqrt(in_a_year)
    sharpe = fmean(returns) / deviation * math.sqrt(in_a_year) if deviation > 0 else None
    return volatility, sharpe
