from decimal import Decimal

import peewee
import pytest
from aviary.persistence import paging
from aviary.persistence.fills import Fill
from aviary.persistence.orders import DuplicateOrder, Order, OrderFilter
from aviary.persistence.repositories import Repositories
from aviary.persistence.values import UnknownCursor, cursor_of, place_of
from hypothesis import given
from hypothesis import strategies as st


def an_order(number: int = 1, **changes: object) -> Order:
    values: dict[str, object] = {
        "client_order_id": f"c-{number}",
        "account": "desk",
        "connector": "sandbox",
        "trading_pair": "BTC-USDT",
        "side": "BUY",
        "order_type": "LIMIT",
        "amount": Decimal("0.10"),
        "price": Decimal("50000.000000000000000001"),
        "created_at": float(number),
        "updated_at": float(number),
    }
    return Order.model_validate(values | changes)


def a_fill(number: int, amount: str, price: str = "100") -> Fill:
    return Fill(
        trade_id=f"t-{number}",
        client_order_id="c-1",
        account="desk",
        connector="sandbox",
        trading_pair="BTC-USDT",
        side="BUY",
        amount=Decimal(amount),
        price=Decimal(price),
        fee_paid=Decimal("0.01"),
        fee_currency="USDT",
        timestamp=float(number),
    )


def test_an_intent_comes_back_digit_for_digit(records: Repositories) -> None:
    order = an_order()

    records.orders.record_intent(order)

    assert records.orders.get("desk", "sandbox", "c-1") == order


def test_an_id_is_used_once(records: Repositories) -> None:
    records.orders.record_intent(an_order())

    with pytest.raises(DuplicateOrder):
        records.orders.record_intent(an_order())


def test_a_trade_between_two_orders_of_an_account_counts_once_in_each(records: Repositories) -> None:
    for number, side in ((1, "BUY"), (2, "SELL")):
        records.orders.record_intent(an_order(number, side=side))
    bought = a_fill(1, "0.10")
    sold = bought.model_copy(update={"client_order_id": "c-2", "side": "SELL"})

    for fill in (bought, sold, bought, sold):
        records.fills.record(fill, at=1.0)

    for name in ("c-1", "c-2"):
        order = records.orders.get("desk", "sandbox", name)
        assert order is not None
        assert (order.state, order.filled_amount) == ("filled", Decimal("0.10"))


def test_an_id_may_be_used_again_by_another_account(records: Repositories) -> None:
    records.orders.record_intent(an_order())
    records.orders.record_intent(an_order(account="other"))

    assert len(records.orders.find("c-1")) == 2


def test_late_news_takes_nothing_back(records: Repositories) -> None:
    records.orders.record_intent(an_order())
    records.orders.record_outcome("desk", "sandbox", "c-1", "filled", at=2.0, exchange_order_id="7")

    order = records.orders.record_outcome("desk", "sandbox", "c-1", "open", at=3.0, exchange_order_id="8")

    assert order is not None
    assert (order.state, order.exchange_order_id, order.updated_at) == ("filled", "7", 2.0)


def test_news_of_an_unknown_order_changes_nothing(records: Repositories) -> None:
    assert records.orders.record_outcome("desk", "sandbox", "nobody", "open", at=1.0) is None
    assert records.orders.live() == ()


def test_a_cancel_is_written_down_before_it_is_asked_for(records: Repositories) -> None:
    records.orders.record_intent(an_order())
    records.orders.record_outcome("desk", "sandbox", "c-1", "open", at=2.0)

    order = records.orders.request_cancel("desk", "sandbox", "c-1", at=3.0)

    assert order is not None
    assert (order.state, order.cancel_requested) == ("pending_cancel", True)
    assert records.orders.live("desk", "sandbox") == (order,)


def test_a_fill_counts_once_however_often_it_is_reported(records: Repositories) -> None:
    records.orders.record_intent(an_order())

    first = records.fills.record(a_fill(1, "0.04", "100"), at=2.0)
    again = records.fills.record(a_fill(1, "0.04", "100"), at=3.0)

    assert first is not None
    assert again is None
    order = records.orders.get("desk", "sandbox", "c-1")
    assert order is not None
    assert (order.state, order.filled_amount, order.filled_quote) == (
        "partially_filled",
        Decimal("0.04"),
        Decimal(4),
    )


def test_the_last_fill_fills_the_order(records: Repositories) -> None:
    records.orders.record_intent(an_order())

    records.fills.record(a_fill(1, "0.04", "100"), at=2.0)
    order = records.fills.record(a_fill(2, "0.06", "200"), at=3.0)

    assert order is not None
    assert (order.state, order.average_price, order.fee_paid) == ("filled", Decimal(160), Decimal("0.02"))


def test_orders_that_ended_are_not_live(records: Repositories) -> None:
    for number, state in enumerate(("open", "cancelled", "unresolved", "filled", "rejected"), 1):
        records.orders.record_intent(an_order(number))
        records.orders.record_outcome("desk", "sandbox", f"c-{number}", state, at=9.0)

    assert [order.client_order_id for order in records.orders.live()] == ["c-1", "c-3"]


def test_a_walk_over_the_pages_meets_every_order_once_while_others_arrive(records: Repositories) -> None:
    for number in range(1, 24):
        records.orders.record_intent(an_order(number, created_at=float(number // 3)))
    met: list[str] = []
    cursor = None
    for step in range(100):
        page = records.orders.search(OrderFilter(), limit=5, cursor=cursor)
        met += [order.client_order_id for order in page.data]
        records.orders.record_intent(an_order(100 + step, created_at=1_000.0))
        cursor = page.next_cursor
        if cursor is None:
            break

    assert sorted(met) == sorted(f"c-{number}" for number in range(1, 24))


def test_a_search_filters_by_everything(records: Repositories) -> None:
    records.orders.record_intent(an_order(1))
    records.orders.record_intent(an_order(2, trading_pair="ETH-USDT"))
    records.orders.record_intent(an_order(3, account="other"))
    records.orders.record_intent(an_order(4, connector="binance"))

    def found(**wanted: object) -> list[str]:
        page = records.orders.search(OrderFilter.model_validate(wanted), limit=10)
        return [order.client_order_id for order in page.data]

    assert found(accounts=("desk",), connectors=("sandbox",), trading_pairs=("BTC-USDT",)) == ["c-1"]
    assert found(since=3.0) == ["c-4", "c-3"]
    assert found(until=1.5) == ["c-1"]
    assert found(states=("filled",)) == []


@given(st.floats(0, 4e9), st.integers(0, 10**12))
def test_a_cursor_is_read_back_exactly(at: float, number: int) -> None:
    assert place_of(cursor_of(at, number)) == (at, number)


@pytest.mark.parametrize("cursor", ["0:", "x:y", "zzz", "1.0", "'; drop table orders"])
def test_a_cursor_that_is_not_ours_is_told_from_the_first_page(cursor: str) -> None:
    assert place_of(None) is place_of("") is None
    with pytest.raises(UnknownCursor):
        place_of(cursor)


def test_a_fill_that_comes_before_its_order_is_counted_when_the_order_is_adopted(records: Repositories) -> None:
    assert records.fills.record(a_fill(1, "0.04"), at=1.0) is None

    adopted = records.orders.adopt(an_order(state="open"))

    assert (adopted.state, adopted.filled_amount) == ("partially_filled", Decimal("0.04"))
    assert records.orders.get("desk", "sandbox", "c-1") == adopted


def test_what_the_exchange_says_in_all_and_its_fills_are_not_added_up(records: Repositories) -> None:
    records.orders.adopt(an_order(state="open", filled_amount=Decimal("0.04"), filled_quote=Decimal(4)))

    first = records.fills.record(a_fill(1, "0.04", "100"), at=2.0)
    second = records.fills.record(a_fill(2, "0.01", "100"), at=3.0)

    assert first is not None
    assert first.filled_amount == Decimal("0.04")
    assert second is not None
    assert (second.filled_amount, second.average_price) == (Decimal("0.05"), Decimal(100))


def test_totals_of_the_exchange_only_grow(records: Repositories) -> None:
    records.orders.record_intent(an_order())
    records.orders.record_outcome("desk", "sandbox", "c-1", "open", at=2.0, filled=(Decimal("0.05"), Decimal(5)))

    order = records.orders.record_outcome(
        "desk", "sandbox", "c-1", "open", at=3.0, filled=(Decimal("0.02"), Decimal(2))
    )

    assert order is not None
    assert (order.state, order.filled_amount, order.filled_quote) == (
        "partially_filled",
        Decimal("0.05"),
        Decimal(5),
    )


def test_fees_of_different_currencies_are_not_added_up(records: Repositories) -> None:
    records.orders.record_intent(an_order())
    for number, currency in enumerate(("USDT", "BNB", "USDT"), 1):
        fill = a_fill(number, "0.01").model_copy(update={"fee_currency": currency})
        order = records.fills.record(fill, at=2.0)

    assert order is not None
    assert (order.fee_paid, order.fee_currency) == (Decimal("0.02"), "USDT")


def test_a_partial_fill_does_not_end_the_wait_for_a_cancel(records: Repositories) -> None:
    records.orders.record_intent(an_order())
    records.orders.record_outcome("desk", "sandbox", "c-1", "open", at=2.0)
    records.orders.request_cancel("desk", "sandbox", "c-1", at=3.0)

    order = records.fills.record(a_fill(1, "0.04"), at=4.0)

    assert order is not None
    assert (order.state, order.filled_amount) == ("pending_cancel", Decimal("0.04"))


def test_a_fill_that_comes_after_the_cancel_is_counted_and_the_order_stays_cancelled(
    records: Repositories,
) -> None:
    records.orders.record_intent(an_order())
    records.orders.record_outcome("desk", "sandbox", "c-1", "cancelled", at=2.0)

    order = records.fills.record(a_fill(1, "0.04"), at=4.0)

    assert order is not None
    assert (order.state, order.filled_amount) == ("cancelled", Decimal("0.04"))


def test_an_order_on_the_books_is_not_rejected_by_the_answer_to_its_second_placement(
    records: Repositories,
) -> None:
    records.orders.record_intent(an_order())
    records.orders.record_outcome("desk", "sandbox", "c-1", "open", at=2.0)

    order = records.orders.record_outcome("desk", "sandbox", "c-1", "rejected", at=3.0, error="Duplicate order")

    assert order is not None
    assert order.state == "open"


def test_an_unresolved_order_that_has_fills_is_partially_filled_once_it_is_found_open(
    records: Repositories,
) -> None:
    records.orders.record_intent(an_order())
    records.orders.record_outcome("desk", "sandbox", "c-1", "unresolved", at=2.0)
    records.orders.record_outcome("desk", "sandbox", "c-1", "open", at=3.0, filled=(Decimal("0.01"), Decimal(1)))

    assert [order.state for order in records.orders.live()] == ["partially_filled"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_live_is_found_by_its_own_index(database: peewee.Database) -> None:
    # The server asks at every start and reconciliation, and what has ended only grows. PostgreSQL
    # plans by the size of the tables, which is nothing here.
    plan = database.execute_sql(
        "EXPLAIN QUERY PLAN SELECT * FROM orders"
        " WHERE state IN ('open', 'intent') AND account = 'a' AND connector = 's' ORDER BY id"
    ).fetchall()

    assert "orders_live" in str(plan)


def test_a_long_list_is_counted_up_to_a_bound(records: Repositories, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "COUNTED", 3)
    for n in range(5):
        records.orders.record_intent(an_order(n))

    page = records.orders.search(OrderFilter(), limit=4)

    assert (page.total_count, len(page.data), page.has_more) == (3, 4, True)


def test_orders_are_found_by_the_credentials_they_were_placed_with(records: Repositories) -> None:
    for account in ("desk", "other"):
        for connector in ("sandbox", "binance"):
            records.orders.record_intent(an_order(account=account, connector=connector))

    def found(*credentials: tuple[str, str]) -> set[tuple[str, str]]:
        page = records.orders.search(OrderFilter(credentials=credentials), limit=10)
        return {(order.account, order.connector) for order in page.data}

    chosen = ("desk", "sandbox"), ("other", "binance")
    assert found(*chosen) == set(chosen)
    assert found() == set()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("table", "at"), [("orders", "created_at"), ("fills", "timestamp")])
def test_a_page_of_an_account_s_history_is_read_in_order_and_not_sorted(
    database: peewee.Database, table: str, at: str
) -> None:
    plan = database.execute_sql(
        f"EXPLAIN QUERY PLAN SELECT * FROM {table} WHERE account IN (?) AND connector IN (?)"
        f" ORDER BY {at} DESC, id DESC LIMIT 100",
        ("desk", "sandbox"),
    ).fetchall()

    assert f"{table}_of_account" in str(plan)
    assert "TEMP B-TREE" not in str(plan)
