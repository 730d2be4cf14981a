"""The past of portfolios in the form that clients read, and the cursors of its pages. Pure."""

from __future__ import annotations

import hashlib
from itertools import groupby
from typing import TYPE_CHECKING, Any

from aviary.actors.accounts.portfolio_flows import tells_flows
from aviary.actors.accounts.portfolio_performance import measure, timeline
from aviary.actors.accounts.trading_views import iso
from aviary.actors.core.refusal import Invalid
from aviary.actors.messages.portfolio_history import (
    AccountResult,
    HistoryFilters,
    HistoryPagination,
    PastHolding,
    PastState,
    PortfolioHistory,
    Result,
    Unpriced,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from aviary.actors.messages.portfolio_history import GetPortfolioHistory, HistoryInterval
    from aviary.persistence.portfolio import Point, Sheet, Snapshot

INTERVALS: Mapping[HistoryInterval, int] = {
    "5m": 300,
    "15m": 900,
    "30m": 1_800,
    "1h": 3_600,
    "4h": 14_400,
    "12h": 43_200,
    "1d": 86_400,
}
"""Seconds of each interval."""

MOST_SAMPLES = 500
"""Values that returns are measured between, unless an interval is asked for."""

SEAL = 12
"""Hexadecimal digits of a cursor that tell whether it was given for this question."""

type Prices = Mapping[tuple[str, str], Mapping[str, float]]
"""What a token is worth now, by credential."""


def cursor_of(question: GetPortfolioHistory, at: int) -> str:
    """The cursor of the page after the one that ends at a moment."""
    return f"{at}-{_seal(question, at)}"


def place_of(question: GetPortfolioHistory) -> int | None:
    """The moment that the question's cursor means. `Invalid` for one that was not given for this question."""
    if not question.cursor:
        return None
    text, _, seal = question.cursor.partition("-")
    if not (text.isascii() and text.isdecimal() and len(text) <= SEAL and seal == _seal(question, int(text))):
        raise Invalid("This cursor was not given for this question; begin without one", "cursor")
    return int(text)


def _seal(question: GetPortfolioHistory, at: int) -> str:
    about = question.model_dump_json(exclude={"cursor", "limit"})
    return hashlib.sha256(f"{at} {about}".encode()).hexdigest()[:SEAL]


def page_of(question: GetPortfolioHistory, moments: Sequence[int], sheets: Iterable[Sheet]) -> PortfolioHistory:
    """A page; `moments` may be one more than it shows."""
    shown = moments[: question.limit]
    more = len(moments) > len(shown)
    by_moment = {at: tuple(some) for at, some in groupby(sheets, key=lambda one: one.at)}
    return PortfolioHistory.model_construct(
        data=tuple(_state(at, by_moment[at]) for at in shown if at in by_moment),
        pagination=HistoryPagination(
            limit=question.limit,
            has_more=more,
            next_cursor=cursor_of(question, shown[-1]) if more else None,
            current_cursor=question.cursor or None,
            filters=HistoryFilters(
                account_names=question.account_names or None,
                connector_names=question.connector_names or None,
                start_time=question.start_time,
                end_time=question.end_time,
                interval=question.interval,
            ),
        ),
    )


def _state(at: int, sheets: Sequence[Sheet]) -> PastState:
    state: dict[str, dict[str, tuple[PastHolding, ...]]] = {}
    for sheet in sheets:
        state.setdefault(sheet.account, {})[sheet.connector] = tuple(_held(row) for row in sheet.holdings)
    # It was made of what it says here: to check each row of a page would take seconds.
    return PastState.model_construct(timestamp=iso(at), state=state, quote_token=sheets[0].quote)


def _held(row: Mapping[str, Any]) -> PastHolding:
    units = float(row["units"])
    price = None if row["price"] is None else float(row["price"])
    return PastHolding(
        token=row["token"],
        units=units,
        price=price,
        value=None if price is None else units * price,
        available_units=float(row["available"]),
        stale=row["stale"],
    )


def fitting_interval(seconds: float) -> HistoryInterval:
    """The shortest interval of which a stretch of time has not too many."""
    for name, step in INTERVALS.items():
        if seconds / step <= MOST_SAMPLES:
            return name
    return "1d"


def unpriced(latest: Iterable[Snapshot]) -> Iterator[Unpriced]:
    """What is held and has no price."""
    for snapshot in latest:
        for held in snapshot.holdings:
            if held.price is None and held.units:
                yield Unpriced(
                    account_name=snapshot.account,
                    connector_name=snapshot.connector,
                    token=held.token,
                    units=held.units,
                )


class Results:
    """Results of any part of a portfolio over one stretch of time."""

    def __init__(
        self, points: Sequence[Point], since: int, fees: Mapping[tuple[str, str], Mapping[str, float]], prices: Prices
    ) -> None:
        self._points = points
        self._since = since
        self._fees = fees
        self._prices = prices

    def total(self) -> Result | None:
        """All together."""
        return self._result(self._points)

    def accounts(self) -> dict[str, AccountResult]:
        """Each account, and each of its connectors."""
        found = {}
        for account in sorted({point.account for point in self._points}):
            own = [point for point in self._points if point.account == account]
            whole = self._result(own)
            parts = {
                connector: self._result([point for point in own if point.connector == connector])
                for connector in sorted({point.connector for point in own})
            }
            if whole is not None:
                known = {name: part for name, part in parts.items() if part is not None}
                found[account] = AccountResult(total=whole, connectors=known)
        return found

    def _result(self, points: Sequence[Point]) -> Result | None:
        measured = measure(timeline(points, self._since))
        if measured is None:
            return None
        start, end = measured.start, measured.end
        credentials = sorted({(point.account, point.connector) for point in points})
        fees, worth = self._paid(credentials)
        return Result(
            start_time=iso(start.at),
            end_time=iso(end.at),
            start_value=start.value,
            end_value=end.value,
            net_flow=end.flow - start.flow,
            untold_flow=end.untold - start.untold,
            flows_told=end.untold == start.untold and all(tells_flows(connector) for _, connector in credentials),
            profit=end.profit - start.profit,
            total_return=measured.simple,
            time_weighted_return=measured.time_weighted,
            max_drawdown=measured.max_drawdown,
            current_drawdown=measured.current_drawdown,
            volatility=measured.volatility,
            sharpe=measured.sharpe,
            samples=measured.samples,
            fees=fees,
            fees_value=worth,
        )

    def _paid(self, credentials: Iterable[tuple[str, str]]) -> tuple[dict[str, float], float | None]:
        """Fees by token, and what they are worth together; `None` if one of the tokens has no price."""
        fees: dict[str, float] = {}
        worth: float | None = 0.0
        for credential in credentials:
            prices = self._prices.get(credential, {})
            for token, amount in self._fees.get(credential, {}).items():
                fees[token] = fees.get(token, 0.0) + amount
                price = prices.get(token)
                worth = None if price is None or worth is None else worth + amount * price
        return fees, worth
