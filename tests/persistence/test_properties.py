"""What holds for every order, fill and list, on both databases."""

import itertools
from decimal import Decimal

import peewee
import pytest
from aviary.persistence.fills import Fill
from aviary.persistence.order_states import TERMINAL
from aviary.persistence.orders import Order, OrderFilter
from aviary.persistence.repositories import Repositories
from aviary.persistence.values import Page, Record, UnknownCursor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# The database is made once and rolled back after each example.
several = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
money = st.decimals(allow_nan=False, allow_infinity=False)
amounts = st.decimals(Decimal("1e-18"), Decimal(10**12), places=18)
numbers = itertools.count()


def an_order(name: str, **changes: object) -> Order:
    values: dict[str, object] = {
        "client_order_id": name,
        "account": "desk",
        "connector": "sandbox",
        "trading_pair": "BTC-USDT",
        "side": "SELL",
        "order_type": "LIMIT",
        "amount": Decimal(1),
        "price": Decimal(1),
        "created_at": 1.0,
        "updated_at": 1.0,
    }
    return Order.model_validate(values | changes)


def a_fill(trade_id: str, amount: Decimal, price: Decimal = Decimal(1), **changes: object) -> Fill:
    values: dict[str, object] = {
        "trade_id": trade_id,
        "client_order_id": "c",
        "account": "desk",
        "connector": "sandbox",
        "trading_pair": "BTC-USDT",
        "side": "SELL",
        "amount": amount,
        "price": price,
        "timestamp": 1.0,
    }
    return Fill.model_validate(values | changes)


@several
@given(money, money, st.floats(0, 4e9))
def test_money_and_time_come_back_exactly(
    database: peewee.Database, amount: Decimal, price: Decimal, at: float
) -> None:
    records = Repositories(database)
    with database.atomic() as transaction:
        records.orders.record_intent(an_order("c", amount=amount, price=price, created_at=at))
        back = records.orders.get("desk", "sandbox", "c")
        transaction.rollback()

    assert back is not None
    assert (back.amount.as_tuple(), back.created_at) == (amount.as_tuple(), at)
    assert back.price is not None
    assert back.price.as_tuple() == price.as_tuple()


@several
@given(st.text(st.characters(exclude_categories=()), max_size=50))
def test_whatever_an_exchange_says_is_kept(database: peewee.Database, text: str) -> None:
    records = Repositories(database)
    with database.atomic() as transaction:
        records.orders.record_intent(an_order("c"))
        records.orders.record_outcome("desk", "sandbox", "c", "rejected", at=2.0, error=text)
        back = records.orders.get("desk", "sandbox", "c")
        assert records.orders.search(OrderFilter(accounts=(text,)), limit=1).total_count == (text == "desk")
        transaction.rollback()

    assert back is not None
    assert back.error == text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()


@several
@given(
    st.lists(st.tuples(st.integers(0, 8), amounts, amounts), max_size=12),
    st.integers(0, 12),
    st.sampled_from([None, "open", "pending_cancel", "cancelled"]),
)
def test_an_order_counts_its_fills_once_in_any_order(
    database: peewee.Database, reports: list[tuple[int, Decimal, Decimal]], known_after: int, before: str | None
) -> None:
    records = Repositories(database)
    first: dict[int, tuple[Decimal, Decimal]] = {}
    with database.atomic() as transaction:
        for place, (trade, amount, price) in enumerate([*reports, (9, Decimal(1), Decimal(2))]):
            if place == min(known_after, len(reports)):
                records.orders.adopt(an_order("c", amount=Decimal(10) ** 15, state=before or "intent"))
            first.setdefault(trade, (amount, price))
            records.fills.record(a_fill(f"t-{trade}", amount, price), at=2.0)
        order = records.orders.get("desk", "sandbox", "c")
        transaction.rollback()

    assert order is not None
    assert order.filled_amount == sum(amount for amount, _ in first.values())
    assert order.filled_quote == sum(amount * price for amount, price in first.values())
    assert order.state in ({before} if before in {"pending_cancel", *TERMINAL} else {"partially_filled"})


@several
@given(
    st.lists(st.integers(0, 4), max_size=20),
    st.lists(st.integers(0, 6), max_size=10),
    st.integers(1, 6),
    st.sampled_from(["orders", "fills"]),
)
def test_a_walk_meets_every_row_once_whatever_arrives_meanwhile(
    database: peewee.Database, there: list[int], arriving: list[int], limit: int, kind: str
) -> None:
    records = Repositories(database)

    def add(at: int) -> str:
        name = f"c-{next(numbers)}"
        if kind == "orders":
            records.orders.record_intent(an_order(name, created_at=float(at)))
        else:
            records.fills.record(a_fill(name, Decimal(1), timestamp=float(at)), at=1.0)
        return name

    def page(cursor: str | None) -> Page[Order] | Page[Fill]:
        if kind == "orders":
            return records.orders.search(OrderFilter(), limit=limit, cursor=cursor)
        return records.fills.search(limit=limit, cursor=cursor)

    def name_of(row: Record) -> str:
        return row.client_order_id if isinstance(row, Order) else row.trade_id if isinstance(row, Fill) else ""

    with database.atomic() as transaction:
        old = [add(at) for at in there]
        late = iter(arriving)
        met: list[str] = []
        cursor = None
        for _ in range(40):
            got = page(cursor)
            met += [name_of(row) for row in got.data]
            cursor = got.next_cursor
            assert got.has_more == (cursor is not None)
            if cursor is None:
                break
            for at in itertools.islice(late, 1):
                add(at)
        transaction.rollback()

    assert cursor is None
    assert len(met) == len(set(met))
    assert set(old) <= set(met)


@pytest.mark.parametrize("number", [0, -1, 10**30])
def test_a_run_of_an_absurd_number_is_unknown(records: Repositories, number: int) -> None:
    assert records.bots.run(number) is None
    assert records.bots.change_run(number, run_status="X") is None
    assert not records.bots.delete_run(number)
    assert records.bots.runs(limit=1, offset=max(number, 0)) == ((), 0)


@pytest.mark.parametrize("cursor", ["²", "9" * 40, "nan:1", "inf:1", "1.0:" + "9" * 40, "1.0:-1"])
def test_an_absurd_cursor_is_no_page_s(records: Repositories, cursor: str) -> None:
    with pytest.raises(UnknownCursor):
        records.orders.search(OrderFilter(), limit=1, cursor=cursor)
    with pytest.raises(UnknownCursor):
        records.fills.search(limit=1, cursor=cursor)
    with pytest.raises(UnknownCursor):
        records.journal.search(limit=1, cursor=cursor)
