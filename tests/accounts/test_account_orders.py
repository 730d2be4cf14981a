"""Orders over the actors: placed, refused, cancelled, filled, and kept."""

from decimal import Decimal

import pytest
from account_world import Exchange, World
from aviary.actors.core.refusal import Invalid, NotFound, Rejected
from aviary.actors.messages.trading import ListActiveOrders, ListTrades, SearchOrders

pytestmark = pytest.mark.whole


def test_an_order_is_placed_listed_cancelled_and_kept(world: World, exchange: Exchange, account: str) -> None:
    key = exchange.key()
    world.connect(account, key)

    placed = world.place(account)

    assert placed.state == "open"
    assert placed.amount == "0.01"
    assert exchange.order_ids(key) == {placed.order_id}
    page = world.ask("trading", ListActiveOrders(account_names=(account,)))
    assert [(order.order_id, order.status) for order in page.data] == [(placed.order_id, "OPEN")]
    cancelled = world.cancel(account, placed.order_id)
    assert cancelled.state == "cancelled"
    assert exchange.order_ids(key) == set()
    found = world.ask("trading", SearchOrders(account_names=(account,), status="CANCELLED"))
    assert [order.order_id for order in found.data] == [placed.order_id]


def test_a_market_order_is_filled_and_its_trades_are_kept(world: World, exchange: Exchange, account: str) -> None:
    world.connect(account, exchange.key())

    placed = world.place(account, price=None, order_type="MARKET")

    order = world.until_order(account, placed.order_id, "filled")
    assert order.filled_amount == Decimal("0.01")
    trades = world.ask("trading", ListTrades(account_names=(account,)))
    assert sum(trade.amount for trade in trades.data) == Decimal("0.01")


def test_a_trade_between_two_orders_of_the_account_fills_both(
    world: World, exchange: Exchange, account: str
) -> None:
    key = exchange.key()
    world.connect(account, key)
    for _ in range(5):
        price = exchange.middle("BTCUSDT")
        orders = [world.place(account, price=price, side=side).order_id for side in ("SELL", "BUY")]
        sold, bought = ({fill["trade_id"] for fill in exchange.fills_of(key, name)} for name in orders)
        if sold != bought:
            continue

        filled = [world.until_order(account, name, "filled") for name in orders]
        assert [order.filled_amount for order in filled] == [Decimal("0.01")] * 2
        return
    pytest.fail("somebody else was faster each time")


def test_the_exchange_s_no_is_the_answer_and_the_order_is_kept_as_failed(
    world: World, exchange: Exchange, account: str
) -> None:
    world.connect(account, exchange.key())

    with pytest.raises(Rejected, match="insufficient balance"):
        world.place(account, amount="90")

    failed = world.ask("trading", SearchOrders(account_names=(account,), status="FAILED"))
    assert [(order.state, order.trading_pair) for order in failed.data] == [("rejected", "BTC-USDT")]


def test_an_order_that_makes_no_sense_is_refused_and_nothing_is_written(
    world: World, exchange: Exchange, account: str
) -> None:
    world.connect(account, exchange.key())

    for changes, field in (
        ({"trading_pair": "NO-SUCH"}, "trading_pair"),
        ({"price": None}, "price"),
        ({"amount": "0.00002"}, "amount"),
        ({"amount": "0.0000000001"}, "amount"),
    ):
        with pytest.raises(Invalid) as caught:
            world.place(account, **changes)
        assert caught.value.field == field

    assert world.ask("trading", SearchOrders(account_names=(account,))).data == ()


def test_unknown_accounts_connectors_and_orders_are_not_found(
    world: World, exchange: Exchange, account: str
) -> None:
    with pytest.raises(NotFound, match="Account 'nosuch' not found"):
        world.place("nosuch")
    world.connect(account, exchange.key())

    with pytest.raises(NotFound, match="no connector 'binance'"):
        world.place(account, connector_name="binance")
    with pytest.raises(NotFound, match="Order 'nosuch' not found in active orders"):
        world.cancel(account, "nosuch")
