"""Both venues by themselves, on a fake clock: nothing is created, nothing is lost."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from aviary.config.clock import FakeClock
from aviary.sandbox.events import Event, OrderReported, Traded
from aviary.sandbox.exchange import Exchange, Settings
from aviary.sandbox.instruments import Market
from aviary.sandbox.numbers import Numbers
from aviary.sandbox.orders import OrderType, Side, Status, TimeInForce
from aviary.sandbox.perpetual import PerpetualVenue
from aviary.sandbox.refusals import Refused
from aviary.sandbox.spot import SpotVenue
from aviary.sandbox.store import Store
from aviary.sandbox.venue import NewOrder
from hypothesis import given, settings
from hypothesis import strategies as st

SYMBOL = "BTCUSDT"

KEYS = ("alice", "bob", "carol")

BALANCES = {"USDT": Decimal(10_000), "BTC": Decimal(1)}


@pytest.fixture
def store() -> Iterator[Store]:
    with TemporaryDirectory() as folder:
        store = Store(Path(folder) / "test.sqlite")
        yield store
        store.close()


def spot(store: Store, events: list[Event]) -> SpotVenue:
    venue = SpotVenue(store, FakeClock(), Numbers(store), events.append)
    for key in KEYS:
        venue.wallets.open(key, BALANCES)
    return venue


def order(
    side: Side, price: str, quantity: str, kind: OrderType = OrderType.LIMIT, tif: TimeInForce = TimeInForce.GTC
) -> NewOrder:
    name = f"{side}{price}{quantity}"
    return NewOrder(SYMBOL, side, kind, tif, Decimal(quantity), Decimal(price), name)


def total(venue: SpotVenue, asset: str) -> Decimal:
    return sum((venue.wallets.get(key, asset).total for key in KEYS), Decimal(0))


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(KEYS),
        st.sampled_from(list(Side)),
        st.integers(9_990, 10_010),
        st.integers(1, 40),
        st.sampled_from(["GTC", "IOC", "FOK", "MAKER", "MARKET", "CANCEL"]),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(ACTIONS)
def test_balances_are_conserved_but_for_fees_and_locks_back_exactly_the_open_orders(
    actions: list[tuple[str, Side, int, int, str]],
) -> None:
    with TemporaryDirectory() as folder:
        store = Store(Path(folder) / "test.sqlite")
        venue = spot(store, [])
        instrument = venue.instruments[SYMBOL]
        for number, (key, side, price, lots, kind) in enumerate(actions):
            if kind == "CANCEL":
                venue.withdraw(venue.open_orders(key)[:1])
                continue
            type_ = {"MARKET": OrderType.MARKET, "MAKER": OrderType.LIMIT_MAKER}.get(kind, OrderType.LIMIT)
            tif = TimeInForce(kind) if type_ is OrderType.LIMIT else TimeInForce.GTC
            amount = instrument.amount(lots * 1_000)
            request = NewOrder(SYMBOL, side, type_, tif, amount, Decimal(price), f"n{number}")
            try:
                venue.place(key, request)
            except Refused:
                continue
        fees = {"USDT": Decimal(0), "BTC": Decimal(0)}
        for fill in store.fills("1 = 1"):
            fees[fill.fee_asset] += fill.fee
        for asset, amount in BALANCES.items():
            assert total(venue, asset) + fees[asset] == amount * len(KEYS)
        for key in KEYS:
            for asset in BALANCES:
                balance = venue.wallets.get(key, asset)
                backing = sum(
                    (
                        each.reserved
                        for each in venue.open_orders(key)
                        if asset == (instrument.quote if each.side is Side.BUY else instrument.base)
                    ),
                    Decimal(0),
                )
                assert balance.locked == backing
                assert balance.free >= 0
        again = SpotVenue(store, FakeClock(), Numbers(store), lambda _: None)
        assert {each.id for each in again.all_open_orders()} == {each.id for each in venue.all_open_orders()}
        for key in KEYS:
            for asset in BALANCES:
                assert again.wallets.get(key, asset) == venue.wallets.get(key, asset)
        store.close()


def test_the_maker_sets_the_price_and_the_taker_keeps_the_difference(store: Store) -> None:
    events: list[Event] = []
    venue = spot(store, events)
    venue.place("alice", order(Side.SELL, "10000", "0.1"))

    bought, fills = venue.place("bob", order(Side.BUY, "10500", "0.1"))

    assert bought.status is Status.FILLED
    assert [fill.trade.price for fill in fills] == [1_000_000]
    assert venue.wallets.get("bob", "USDT").free == Decimal(9_000)
    assert venue.wallets.get("bob", "BTC").free == Decimal("1.0999")
    assert venue.wallets.get("alice", "USDT").free == Decimal(10_999)
    trades = [event.trade for event in events if isinstance(event, Traded)]
    assert [trade.buyer_is_maker for trade in trades] == [False]


def test_reports_are_copies_of_the_moment_they_tell_of(store: Store) -> None:
    events: list[Event] = []
    venue = spot(store, events)
    venue.place("alice", order(Side.SELL, "10000", "0.1"))
    venue.place("alice", order(Side.SELL, "10001", "0.1"))
    venue.place("bob", order(Side.BUY, "10001", "0.2"))
    told = [
        event.order.filled for event in events if isinstance(event, OrderReported) and event.order.owner == "bob"
    ]
    assert told == [0, 10_000, 20_000]


def test_profits_of_both_sides_of_a_perpetual_add_up_to_nothing(store: Store) -> None:
    venue = PerpetualVenue(
        store,
        FakeClock(),
        Numbers(store),
        lambda _: None,
        mark=lambda _symbol, _at: 10_000.0,
        wake=lambda _symbol: None,
        seed=1,
        funding_interval=28_800,
    )
    for key in KEYS:
        venue.wallets.open(key, {"USDT": Decimal(10_000)})
    for buyer, seller, price, amount in (
        ("alice", "bob", "10000", "0.3"),
        ("carol", "alice", "10100", "0.5"),
        ("bob", "carol", "9900", "0.4"),
    ):
        venue.place(seller, order(Side.SELL, price, amount))
        venue.place(buyer, order(Side.BUY, price, amount))

    fees = sum((each.fee for each in store.fills("market = ?", Market.PERPETUAL)), Decimal(0))
    equity = sum((venue.wallet(key) + venue.profit(key) for key in KEYS), Decimal(0))
    amounts = [held.amount for key in KEYS for held in venue.positions(key).values()]
    assert sum(amounts) == 0
    assert abs(equity + fees - 30_000) < Decimal("1e-6")
    for key in KEYS:
        incomes = sum((row[3] for row in store.incomes(key, None, None, 0, 2**62, 1_000)), Decimal(0))
        assert venue.wallet(key) == 10_000 + incomes


def test_orders_that_never_traded_are_forgotten_in_time_and_others_are_kept(store: Store) -> None:
    venue = spot(store, [])
    kept, _ = venue.place("alice", order(Side.SELL, "10000", "0.1"))
    traded, _ = venue.place("bob", order(Side.BUY, "10000", "0.05"))
    ended, _ = venue.place("carol", order(Side.BUY, "9000", "0.1"))
    venue.withdraw([ended])

    store.forget_unfilled(int(FakeClock.EPOCH * 1000) + 1, 100)

    assert [each.id for each in store.orders("1 = 1")] == [kept.id, traded.id]


def test_an_exchange_whose_change_failed_half_way_stops_moving(tmp_path: Path) -> None:
    exchange = Exchange(tmp_path, FakeClock(), Settings())
    exchange.keys.known("sandbox1")
    exchange.step(set())
    with pytest.raises(ZeroDivisionError), exchange.store.transaction():
        exchange.store.write_fact("half", 1 // 0)

    with pytest.raises(RuntimeError, match="half way"):
        exchange.step(set())

    exchange.close()


def test_books_that_nobody_looks_at_have_no_synthetic_quotes(tmp_path: Path) -> None:
    clock = FakeClock()
    exchange = Exchange(tmp_path, clock, Settings())
    book = exchange.spot.books[SYMBOL]
    exchange.wake(Market.SPOT, SYMBOL)
    assert book.bids.best is not None
    for _ in range(200):
        clock.advance(0.2)
        exchange.step(set())
    assert (book.bids.best, book.asks.best) == (None, None)

    exchange.step({(Market.SPOT, SYMBOL)})

    reference = exchange.reference(Market.SPOT, SYMBOL, clock.now())
    assert book.bids.best is not None
    assert book.asks.best is not None
    assert book.bids.best < reference * 100 < book.asks.best
    exchange.close()


def test_a_resting_order_is_filled_once_the_reference_price_has_been_there(tmp_path: Path) -> None:
    clock = FakeClock()
    exchange = Exchange(tmp_path, clock, Settings(seed=3))
    key = exchange.keys.known("sandbox1")
    exchange.wake(Market.SPOT, SYMBOL)
    price = round(exchange.reference(Market.SPOT, SYMBOL, clock.now()) * 0.998, 2)
    resting, _ = exchange.spot.place(key, order(Side.BUY, str(price), "0.01"))

    lowest = price + 1
    for _ in range(20_000):
        clock.advance(0.2)
        exchange.step(set())
        candle = exchange.candles[Market.SPOT][SYMBOL].at("1s", int(clock.now()) - 1, clock.now())
        lowest = min(lowest, candle.low / 100)
        if lowest < price:
            break
    for _ in range(40):
        clock.advance(0.2)
        exchange.step(set())

    assert lowest < price
    assert resting.status is Status.FILLED
    exchange.close()
