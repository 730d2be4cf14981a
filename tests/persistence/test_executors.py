"""What is kept of executors."""

from decimal import Decimal
from typing import Any

import pytest
from aviary.persistence.executors import (
    LOGS_KEPT,
    DuplicateExecutor,
    ExecutorFilter,
    KeptExecutor,
    LogLine,
)
from aviary.persistence.fills import Fill
from aviary.persistence.orders import DuplicateOrder, Order
from aviary.persistence.repositories import Repositories


def executor(name: str, **changes: Any) -> KeptExecutor:
    values = {
        "executor_id": name,
        "account": "desk",
        "controller_id": "main",
        "type": "order_executor",
        "connector_name": "sandbox",
        "trading_pair": "BTC-USDT",
        "side": "BUY",
        "config": {"amount": 1},
        "life": {"type": "order_executor", "config": "{}", "notes": {}, "state": {}},
        "created_at": 1.0,
        **changes,
    }
    return KeptExecutor.model_validate(values)


def order(name: str, **changes: Any) -> Order:
    values = {
        "client_order_id": name,
        "account": "desk",
        "connector": "sandbox",
        "trading_pair": "BTC-USDT",
        "side": "BUY",
        "order_type": "LIMIT",
        "amount": Decimal(2),
        "price": Decimal(10),
        "created_at": 1.0,
        "updated_at": 1.0,
        **changes,
    }
    return Order.model_validate(values)


def fill(order_name: str, number: int, **changes: Any) -> Fill:
    values = {
        "trade_id": str(number),
        "client_order_id": order_name,
        "account": "desk",
        "connector": "sandbox",
        "trading_pair": "BTC-USDT",
        "side": "BUY",
        "amount": Decimal(1),
        "price": Decimal(10),
        "timestamp": float(number),
        **changes,
    }
    return Fill.model_validate(values)


def test_an_executor_comes_back_as_it_was_and_its_id_is_used_once(records: Repositories) -> None:
    one = executor("a", report={"custom_info": {"x": [1, None]}})
    records.executors.add(one)

    assert records.executors.get("a") == one
    assert records.executors.get("b") is None
    with pytest.raises(DuplicateExecutor):
        records.executors.add(one)
    records.executors.change("a", life={"state": {"closing": "EARLY_STOP"}}, status="SHUTTING_DOWN", stop="keep")
    changed = records.executors.get("a")
    assert changed is not None
    assert (changed.life, changed.status, changed.stop) == (
        {"state": {"closing": "EARLY_STOP"}},
        "SHUTTING_DOWN",
        "keep",
    )


def test_an_order_and_whose_it_is_are_written_in_one_transaction(records: Repositories) -> None:
    records.executors.add(executor("a"))
    assert not records.executors.has_orders("a")
    records.executors.intend("a", order("first"), "open:L1")
    records.fills.record(fill("first", 1), at=2.0)

    with pytest.raises(DuplicateOrder):
        records.executors.intend("a", order("first"), "")

    assert records.executors.has_orders("a")
    (found,) = records.executors.orders("a")
    assert (found.role, found.order.filled_amount, [one.trade_id for one in found.fills]) == (
        "open:L1",
        Decimal(1),
        ["1"],
    )


def test_filters_meet_and_pages_meet_every_row_once(records: Repositories) -> None:
    for number in range(7):
        kind = "grid_executor" if number % 2 else "order_executor"
        records.executors.add(executor(str(number), type=kind, created_at=float(number // 2)))
    wanted = ExecutorFilter(types=("grid_executor", "order_executor"), accounts=("desk", "other"))

    seen: list[str] = []
    cursor = None
    while True:
        page = records.executors.search(wanted, limit=2, cursor=cursor)
        seen += [one.executor_id for one in page.data]
        cursor = page.next_cursor
        if cursor is None:
            break

    assert seen == ["6", "5", "4", "3", "2", "1", "0"]
    assert page.total_count == 7
    grids = records.executors.search(ExecutorFilter(types=("grid_executor",)), limit=10)
    assert [one.executor_id for one in grids.data] == ["5", "3", "1"]
    assert records.executors.search(ExecutorFilter(controllers=("nobody",)), limit=10).data == ()


def test_what_has_not_ended_or_is_not_settled_is_told_apart(records: Repositories) -> None:
    records.executors.add(executor("runs", status="RUNNING"))
    records.executors.add(executor("ended", status="TERMINATED"))
    records.executors.add(executor("settled", status="TERMINATED", settled=True))

    assert [one.executor_id for one in records.executors.unsettled()] == ["runs", "ended"]
    assert [one.executor_id for one in records.executors.active()] == ["runs"]


def test_results_are_added_up_by_kind_and_end(records: Repositories) -> None:
    for number, profit in enumerate((3.0, -1.0)):
        records.executors.add(
            executor(
                f"closed{number}",
                status="TERMINATED",
                close_type="EARLY_STOP",
                net_pnl_quote=profit,
                filled_amount_quote=100.0,
            )
        )
    records.executors.add(executor("held", status="TERMINATED", close_type="POSITION_HOLD", controller_id="other"))
    records.executors.add(executor("runs", status="RUNNING", net_pnl_quote=50.0))

    by_end = {one.close_type: one for one in records.executors.results(None)}

    closed = by_end["EARLY_STOP"]
    assert (closed.count, closed.wins, closed.net_pnl_quote, closed.net_pnl_squares) == (2, 1, 2.0, 10.0)
    assert closed.filled_amount_quote == 200.0
    assert by_end["POSITION_HOLD"].count == 1
    assert [one.close_type for one in records.executors.results("other")] == ["POSITION_HOLD"]
    assert records.executors.results("nobody") == ()


def test_held_is_what_the_orders_of_those_that_hold_have_traded(records: Repositories) -> None:
    for name, held in (("a", True), ("b", True), ("c", False)):
        records.executors.add(executor(name, held=held, controller_id="two" if name == "b" else "main"))
        records.executors.intend(name, order(f"of-{name}"), "")
        records.fills.record(fill(f"of-{name}", ord(name)), at=2.0)

    assert [(one.executor_id, each.client_order_id) for one, each in records.executors.held()] == [
        ("a", "of-a"),
        ("b", "of-b"),
    ]
    assert [one.executor_id for one, _ in records.executors.held("two")] == ["b"]
    records.executors.clear(("a", "b"))
    assert records.executors.held() == ()


def test_the_newest_lines_are_kept_and_found_by_level(records: Repositories) -> None:
    records.executors.add(executor("a"))
    lines = [
        LogLine(at=float(number), level="ERROR" if number % 10 == 0 else "INFO", message=str(number))
        for number in range(LOGS_KEPT + 5)
    ]
    records.executors.log("a", lines)

    newest, total = records.executors.logs("a", None, 2)
    errors, found = records.executors.logs("a", "ERROR", 1000)

    assert ([line.message for line in newest], total) == ([str(LOGS_KEPT + 3), str(LOGS_KEPT + 4)], LOGS_KEPT)
    assert {line.level for line in errors} == {"ERROR"}
    assert found == len(errors) == LOGS_KEPT // 10
    assert records.executors.logs("b", None, 10) == ((), 0)
