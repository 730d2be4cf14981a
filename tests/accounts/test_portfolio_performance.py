"""Returns, drawdown and risk of portfolios whose story is known."""

import math
from decimal import Decimal
from statistics import fmean, stdev

import pytest
from aviary.actors.accounts.portfolio_performance import YEAR, Measured, measure, timeline
from aviary.persistence.portfolio import Point

HOUR = 3_600


def point(at: int, value: float, profit: float, flow: float, connector: str = "sandbox") -> Point:
    return Point(
        at=at,
        account="desk",
        connector=connector,
        value=Decimal(str(value)),
        profit=Decimal(str(profit)),
        flow=Decimal(str(flow)),
        untold=Decimal(0),
    )


def measured(*points: Point, since: int = 0) -> Measured:
    found = measure(timeline(points, since))
    assert found is not None
    return found


def test_without_points_there_is_nothing_to_tell() -> None:
    assert measure(timeline((), 0)) is None


def test_one_point_has_a_value_and_no_return() -> None:
    found = measured(point(5, 100, 0, 100))

    assert (found.start.value, found.end.value, found.samples) == (100, 100, 1)
    assert (found.simple, found.time_weighted, found.max_drawdown, found.volatility, found.sharpe) == (None,) * 5


def test_returns_drawdown_and_risk_of_a_known_story() -> None:
    found = measured(
        point(0, 1_000, 0, 1_000),
        point(HOUR, 1_100, 100, 1_000),
        point(2 * HOUR, 990, -10, 1_000),
        point(3 * HOUR, 1_039.5, 39.5, 1_000),
    )

    returns = [0.1, -0.1, 0.05]
    assert found.simple == pytest.approx(0.0395)
    assert found.time_weighted == pytest.approx(1.1 * 0.9 * 1.05 - 1)
    assert found.max_drawdown == pytest.approx(0.1)
    assert found.current_drawdown == pytest.approx(1 - 0.9 * 1.05)
    assert found.volatility == pytest.approx(stdev(returns) * math.sqrt(YEAR / HOUR))
    assert found.sharpe == pytest.approx(fmean(returns) / stdev(returns) * math.sqrt(YEAR / HOUR))
    assert found.samples == 4


def test_a_deposit_is_no_profit_and_no_drawdown_ends_it() -> None:
    found = measured(
        point(0, 1_000, 0, 1_000),
        point(HOUR, 900, -100, 1_000),
        point(2 * HOUR, 10_900, -100, 11_000),
        point(3 * HOUR, 12_000, 1_000, 11_000),
    )

    assert found.end.profit - found.start.profit == 1_000
    assert found.end.flow - found.start.flow == 10_000
    assert found.time_weighted == pytest.approx(0.9 * (1 + 1_100 / 10_900) - 1)
    assert found.max_drawdown == pytest.approx(0.1)
    # The deposit was there for a third of the time.
    assert found.simple == pytest.approx(1_000 / (1_000 + 10_000 / 3))


def test_a_withdrawal_is_no_loss() -> None:
    found = measured(point(0, 1_000, 0, 1_000), point(HOUR, 100, 0, 100), point(2 * HOUR, 110, 10, 100))

    assert found.time_weighted == pytest.approx(0.1)
    assert found.max_drawdown == 0


def test_nothing_that_moves_has_no_sharpe_ratio() -> None:
    found = measured(*(point(HOUR * n, 100, 0, 100) for n in range(5)))

    assert (found.time_weighted, found.volatility, found.sharpe) == (0, 0, None)


def test_an_empty_account_has_no_return_rather_than_an_endless_one() -> None:
    found = measured(point(0, 0, 0, 0), point(HOUR, 0, 0, 0))

    assert (found.simple, found.time_weighted) == (None, 0)


def test_together_each_counts_with_its_last_point_and_a_newcomer_has_come_in() -> None:
    found = measured(
        point(0, 100, 0, 100, "a"),
        point(HOUR, 50, 0, 50, "b"),
        point(2 * HOUR, 110, 10, 100, "a"),
        point(3 * HOUR, 55, 5, 50, "b"),
    )

    assert (found.start.value, found.end.value) == (100, 165)
    assert found.end.flow - found.start.flow == 50
    assert found.end.profit - found.start.profit == 15
    assert found.time_weighted == pytest.approx((1 + 10 / 150) * (1 + 5 / 160) - 1)


def test_what_was_known_before_the_stretch_is_its_beginning() -> None:
    found = measured(
        point(10, 100, 20, 80, "a"),
        point(40, 300, 0, 300, "b"),
        point(HOUR, 120, 40, 80, "a"),
        since=50,
    )

    assert (found.start.at, found.start.value, found.end.value) == (50, 400, 420)
    assert found.end.profit - found.start.profit == 20
    assert found.time_weighted == pytest.approx(0.05)
