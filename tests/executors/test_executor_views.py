"""Executors, sums and positions in the form that clients read."""

from decimal import Decimal
from typing import Any

import pytest
from aviary.actors.core.refusal import Invalid
from aviary.actors.executors import held as holdings
from aviary.actors.executors import views
from aviary.persistence.executors import KeptExecutor, Results
from aviary.persistence.fills import Fill
from aviary.persistence.values import cursor_of


def ended(kind: str, close_type: str | None, *profits: float, **changes: float) -> Results:
    values = {
        "type": kind,
        "status": "TERMINATED",
        "close_type": close_type,
        "count": len(profits),
        "wins": sum(profit > 0 for profit in profits),
        "net_pnl_quote": sum(profits),
        "net_pnl_squares": sum(profit * profit for profit in profits),
        "net_pnl_pct": 0.0,
        "cum_fees_quote": 0.0,
        "filled_amount_quote": 0.0,
        **changes,
    }
    return Results.model_validate(values)


def row(**changes: Any) -> views.Row:
    return {
        "type": "grid_executor",
        "status": "RUNNING",
        "connector_name": "sandbox",
        "net_pnl_quote": 1.5,
        "cum_fees_quote": 0.25,
        "filled_amount_quote": 100.0,
        **changes,
    }


def executor(name: str = "a", **changes: Any) -> KeptExecutor:
    values = {
        "executor_id": name,
        "account": "desk",
        "controller_id": "main",
        "type": "order_executor",
        "connector_name": "sandbox",
        "trading_pair": "BTC-USDT",
        "side": "BUY",
        "config": {"side": "BUY", "timestamp": 5.0},
        "life": {},
        "created_at": 1.0,
        **changes,
    }
    return KeptExecutor.model_validate(values)


def fill(side: str, amount: str, price: str, **changes: Any) -> Fill:
    values = {
        "trade_id": f"{side}{amount}{price}",
        "client_order_id": "o",
        "account": "desk",
        "connector": "sandbox",
        "trading_pair": "BTC-USDT",
        "side": side,
        "amount": Decimal(amount),
        "price": Decimal(price),
        "timestamp": 3.0,
        **changes,
    }
    return Fill.model_validate(values)


def test_running_and_ended_have_one_shape() -> None:
    kept = executor(status="RUNNING", net_pnl_quote=1.0)
    running = views.row_of(kept, {"net_pnl_quote": 2.0, "is_trading": True, "custom_info": {"a": 1}}, "away")
    over = views.row_of(
        executor(status="TERMINATED", close_type="EARLY_STOP", closed_at=9.0, net_pnl_quote=3.0, settled=True)
    )

    assert set(running) == set(over)
    assert (running["net_pnl_quote"], running["is_active"], running["is_trading"]) == (2.0, True, True)
    assert (running["interrupted"], running["timestamp"], running["close_timestamp"]) == ("away", 5.0, None)
    assert (over["net_pnl_quote"], over["is_active"], over["is_trading"]) == (3.0, False, False)
    assert (over["side"], over["close_type"], over["close_timestamp"]) == ("BUY", "EARLY_STOP", 9.0)


def test_the_sums_of_the_released_server_s_sample() -> None:
    # What its sample shows: five that ended, one that is held.
    results = [
        ended("order_executor", "EARLY_STOP", 0.0),
        ended("position_executor", "EARLY_STOP", -0.4406588, net_pnl_pct=-0.000861, filled_amount_quote=1024.147),
        ended("grid_executor", "EARLY_STOP", 0.0),
        ended("dca_executor", "EARLY_STOP", 0.0),
        ended("twap_executor", "COMPLETED", -0.290468295, net_pnl_pct=-0.00097, filled_amount_quote=299.535795),
        ended("order_executor", "POSITION_HOLD", 0.0, cum_fees_quote=0.256),
    ]
    hold = {"realized_pnl_quote": 0.0, "unrealized_pnl_quote": -0.2792635, "cum_fees_quote": 0.2560135}

    found = views.performance_of(None, results, [], [hold])

    assert (found["total_executors"], found["by_status"]) == (6, {"TERMINATED": 6})
    assert found["pnl_total_quote"] == pytest.approx(-0.731127095)
    assert found["global_pnl_quote"] == pytest.approx(-1.0103906)
    assert found["pnl_pct_avg"] == pytest.approx(-0.0003662)
    assert found["volume_total_quote"] == pytest.approx(1323.682795)
    assert (found["sharpe_ratio"], found["win_rate"], found["active_positions"]) == (-0.7059, 0.0, 1)
    assert found["position_hold_fees_quote"] == 0.2560135


def test_what_runs_counts_and_an_unknown_price_is_no_zero() -> None:
    hold = {"realized_pnl_quote": 0.0, "unrealized_pnl_quote": None, "cum_fees_quote": 0.0}
    results = [ended("grid_executor", None, 2.0, 2.0)]

    found = views.performance_of("main", results, [row(), row(status="SHUTTING_DOWN")], [])
    blind = views.performance_of(None, [], [row()], [hold])

    assert found["by_status"] == {"TERMINATED": 2, "RUNNING": 1, "SHUTTING_DOWN": 1}
    assert (found["unrealized_pnl_quote"], found["fees_total_quote"]) == (3.0, 0.5)
    assert (found["win_rate"], found["sharpe_ratio"]) == (1.0, None)
    (grid,) = found["by_type"]
    assert (grid["total"], grid["completed"], grid["running"], grid["pnl_quote"]) == (4, 2, 2, 7.0)
    assert (blind["unrealized_pnl_quote"], blind["global_pnl_quote"]) == (None, None)
    assert views.summary_of([row(), row(type="order_executor")]) == {
        "total_active": 2,
        "total_pnl_quote": 3.0,
        "total_volume_quote": 200.0,
        "by_type": {"grid_executor": 1, "order_executor": 1},
        "by_connector": {"sandbox": 2},
        "by_status": {"RUNNING": 2},
    }


@pytest.mark.parametrize("place", [(0.0, 1), (1795358684.8502722, 2**40)])
def test_a_cursor_opens_to_its_place_and_any_other_is_refused(place: tuple[float, int]) -> None:
    cursor = views.sealed(cursor_of(*place))
    assert cursor is not None
    assert views.opened(cursor) == cursor_of(*place)
    assert (views.opened(None), views.opened(""), views.sealed(None)) == (None, None, None)
    for at in range(len(cursor)):
        changed = cursor[:at] + ("A" if cursor[at] != "A" else "B") + cursor[at + 1 :]
        with pytest.raises(Invalid):
            views.opened(changed)
    for other in (cursor_of(*place), cursor + "=", cursor + "A", "é", "\0", "A" * 200):
        with pytest.raises(Invalid):
            views.opened(other)


def test_a_position_is_the_sum_of_what_was_traded() -> None:
    fills = [
        (executor("a"), fill("BUY", "2", "100", fee_paid=Decimal("0.5"), fee_currency="USDT")),
        (executor("b"), fill("BUY", "1", "130", fee_paid=Decimal("0.01"), fee_currency="BTC")),
        (executor("b"), fill("SELL", "1", "140", fee_paid=Decimal(1), fee_currency="BNB")),
        (executor("c", controller_id="other"), fill("SELL", "1", "100")),
    ]

    first, short = holdings.held_by(fills)
    view = holdings.view_of(first, Decimal(120))

    assert first.executor_ids == ("a", "b")
    assert (view["net_amount_base"], view["buy_breakeven_price"], view["matched_amount_base"]) == (2.0, 110.0, 1.0)
    assert (view["position_side"], view["realized_pnl_quote"], view["unrealized_pnl_quote"]) == (
        "LONG",
        30.0,
        20.0,
    )
    assert view["cum_fees_quote"] == pytest.approx(1.8)
    shorted = holdings.view_of(short, Decimal(90))
    assert (shorted["position_side"], shorted["unrealized_pnl_quote"]) == ("SHORT", 10.0)
    assert holdings.summary_of([first, short], {})["total_unrealized_pnl"] is None
    even = holdings.summary_of(holdings.held_by(fills[1:3]), {})
    assert (even["total_realized_pnl"], even["total_unrealized_pnl"]) == (10.0, 0.0)
    assert even["positions"][0]["position_side"] is None
