"""Comparing our orders with the exchange's: each in exactly one place, nothing lost, nothing guessed."""

from decimal import Decimal
from typing import Any, get_args

import pytest
from aviary.actors.accounts.orders import check_order, fill_of, round_down
from aviary.actors.accounts.reconciliation import OpenOrder, reconcile
from aviary.actors.core.refusal import Invalid
from aviary.actors.messages.connectors import TradingRule
from aviary.actors.messages.trading import PlaceOrder
from aviary.persistence.order_states import LIVE, OrderState
from aviary.persistence.orders import Order
from hypothesis import given
from hypothesis import strategies as st

STATES = get_args(OrderState.__value__)
FILLED = st.sampled_from([Decimal(0), Decimal("0.5"), Decimal(1)])


def order(name: str, **changes: Any) -> Order:
    fields: dict[str, Any] = {
        "client_order_id": name,
        "account": "desk",
        "connector": "sandbox",
        "trading_pair": "BTC-USDT",
        "side": "BUY",
        "order_type": "LIMIT",
        "amount": Decimal(2),
        "price": Decimal(100),
        "state": "open",
        "exchange_order_id": "1",
        "created_at": 0.0,
        "updated_at": 0.0,
        **changes,
    }
    return Order(**fields)


def shown(name: str, executed: str = "0") -> OpenOrder:
    return OpenOrder(client_order_id=name, exchange_order_id="1", state="OPEN", executed=Decimal(executed))


@pytest.mark.parametrize(
    ("ours", "theirs", "place"),
    [
        (order("a"), [shown("a")], "agreed"),
        (order("a", state="intent", exchange_order_id=None), [shown("a")], "confirmed"),
        (order("a", state="unresolved", exchange_order_id=None), [shown("a")], "confirmed"),
        (order("a"), [shown("a", "0.5")], "traded"),
        (order("a"), [], "missing"),
        (order("a", state="intent", exchange_order_id=None), [], "missing"),
        (order("a", state="pending_cancel", cancel_requested=True), [shown("a")], "cancels_lost"),
        (order("a", state="unresolved", cancel_requested=True), [shown("a")], "cancels_lost"),
        (order("a", state="pending_cancel", cancel_requested=True), [], "missing"),
    ],
)
def test_an_order_is_put_where_its_treatment_is(ours: Order, theirs: list[OpenOrder], place: str) -> None:
    differences = reconcile([ours], theirs)

    filled = {name for name in type(differences).model_fields if getattr(differences, name)}
    assert filled == {place}


@st.composite
def books(draw: st.DrawFn) -> tuple[list[Order], list[OpenOrder]]:
    names = draw(st.lists(st.sampled_from("abcdefgh"), unique=True))
    ours = [
        order(
            name,
            state=draw(st.sampled_from(STATES)),
            filled_amount=draw(FILLED),
            exchange_order_id=draw(st.sampled_from([None, "1"])),
            cancel_requested=draw(st.booleans()),
        )
        for name in names
    ]
    theirs = [
        OpenOrder(client_order_id=name, exchange_order_id="1", state="OPEN", executed=draw(FILLED))
        for name in draw(st.lists(st.sampled_from("abcdefghxyz")))
    ]
    return ours, theirs


@given(books())
def test_every_live_order_is_in_exactly_one_place_and_every_shown_one_is_known(
    book: tuple[list[Order], list[OpenOrder]],
) -> None:
    ours, theirs = book

    found = reconcile(ours, theirs)

    placed = [
        *(one.client_order_id for one in (*found.agreed, *found.traded, *found.missing, *found.cancels_lost)),
        *(one.client_order_id for one, _ in found.confirmed),
    ]
    assert sorted(placed) == sorted(one.client_order_id for one in ours if one.state in LIVE)
    names = {one.client_order_id for one in theirs}
    assert {one.client_order_id for one in found.foreign} == names - {one.client_order_id for one in ours}
    assert not {one.client_order_id for one in found.missing} & names
    assert set(found.doubled) == {
        name for name in names if [one.client_order_id for one in theirs].count(name) > 1
    }


@given(st.decimals("0.00000001", "1000000", places=8), st.sampled_from(["0.01", "0.00001", "1", "0.5", "100"]))
def test_rounding_goes_down_to_a_multiple_of_the_step(number: Decimal, step: str) -> None:
    rounded = round_down(number, Decimal(step))

    assert rounded % Decimal(step) == 0
    assert 0 <= number - rounded < Decimal(step)


RULE = TradingRule(
    min_order_size=Decimal("0.001"),
    max_order_size=Decimal(100),
    min_price_increment=Decimal("0.01"),
    min_base_amount_increment=Decimal("0.001"),
    min_quote_amount_increment=Decimal(0),
    min_notional_size=Decimal(5),
    min_order_value=Decimal(0),
    max_price_significant_digits=Decimal("1e56"),
    supports_limit_orders=True,
    supports_market_orders=True,
    buy_order_collateral_token="USDT",
    sell_order_collateral_token="USDT",
)


def wanted(**changes: Any) -> PlaceOrder:
    return PlaceOrder.model_validate(
        {
            "account_name": "desk",
            "connector_name": "sandbox",
            "trading_pair": "BTC-USDT",
            "trade_type": "BUY",
            "amount": "1.23456",
            "price": "99.999",
            **changes,
        }
    )


def test_an_order_is_rounded_to_the_exchange_s_steps() -> None:
    checked = check_order(wanted(), {"BTC-USDT": RULE}, {"LIMIT"}, perpetual=False)

    assert (checked.amount, checked.price, checked.position_action) == (Decimal("1.234"), Decimal("99.99"), "NIL")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"trading_pair": "NO-SUCH"}, "trading_pair"),
        ({"order_type": "MARKET"}, "order_type"),
        ({"price": None}, "price"),
        ({"price": "0.001"}, "price"),
        ({"amount": "0.0001"}, "amount"),
        ({"amount": "101"}, "amount"),
        ({"amount": "0.01"}, "amount"),
        ({"amount": "1e29"}, "amount"),
    ],
)
def test_an_order_that_the_exchange_would_refuse_is_refused_with_the_field(
    changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        check_order(wanted(**changes), {"BTC-USDT": RULE}, {"LIMIT"}, perpetual=False)

    assert caught.value.field == field


@pytest.mark.parametrize(
    ("fees", "percent", "token", "paid"),
    [
        ({"BNB": "0.1", "USDT": "9"}, None, None, ("0.1", "BNB")),
        ({}, "0.001", None, ("0.2", "USDT")),
        ({}, "0.001", "BNB", ("0.2", "BNB")),
        ({}, "0", None, ("0", None)),
    ],
)
def test_a_fill_s_fee_is_read(
    fees: dict[str, str], percent: str | None, token: str | None, paid: tuple[str, str | None]
) -> None:
    row = {
        "trade_id": 7,
        "client_order_id": "a",
        "trading_pair": "BTC-USDT",
        "side": "BUY",
        "amount": "2",
        "price": "100",
        "timestamp": 1.0,
        "fees": fees,
        "fee_percent": percent,
        "fee_percent_token": token,
    }

    fill = fill_of(row, "desk", "sandbox")

    assert (fill.fee_paid, fill.fee_currency) == (Decimal(paid[0]), paid[1])
