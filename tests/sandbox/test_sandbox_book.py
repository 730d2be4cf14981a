"""The matching engine by itself."""

from aviary.sandbox.book import Book
from aviary.sandbox.instruments import INSTRUMENTS, Market
from aviary.sandbox.orders import Order, OrderType, Side, TimeInForce
from hypothesis import given
from hypothesis import strategies as st

INSTRUMENT = INSTRUMENTS[Market.SPOT]["BTCUSDT"]


def limit(number: int, side: Side, price: int, quantity: int) -> Order:
    return Order(
        id=number,
        owner=f"key{number}",
        instrument=INSTRUMENT,
        client_id=str(number),
        side=side,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        price=price,
        quantity=quantity,
        created=number,
        updated=number,
    )


def arrive(book: Book, order: Order) -> list[tuple[int, int, int]]:
    """Trade an order and rest what is left; gives (maker's id, price, lots) of each match."""
    matches = []
    while (match := book.next_match(order)) is not None:
        matches.append((match.maker.id, match.price, match.quantity))
    if order.remaining:
        book.rest(order)
    return matches


def test_better_prices_trade_first_and_older_orders_before_younger_ones_of_the_same_price() -> None:
    book = Book()
    for order in (limit(1, Side.SELL, 102, 5), limit(2, Side.SELL, 101, 5), limit(3, Side.SELL, 101, 5)):
        arrive(book, order)

    matches = arrive(book, limit(4, Side.BUY, 102, 12))

    assert matches == [(2, 101, 5), (3, 101, 5), (1, 102, 2)]


def test_a_partly_filled_order_keeps_its_place() -> None:
    book = Book()
    arrive(book, limit(1, Side.BUY, 100, 5))
    arrive(book, limit(2, Side.BUY, 100, 5))
    arrive(book, limit(3, Side.SELL, 100, 2))

    matches = arrive(book, limit(4, Side.SELL, 100, 4))

    assert matches == [(1, 100, 3), (2, 100, 1)]


def test_every_changed_level_is_recorded_for_watchers() -> None:
    book = Book()
    changed: set[tuple[Side, int]] = set()
    book.watch(changed)

    arrive(book, limit(1, Side.BUY, 100, 5))
    arrive(book, limit(2, Side.SELL, 99, 9))

    assert changed == {(Side.BUY, 100), (Side.SELL, 99)}


ORDERS = st.lists(
    st.tuples(st.sampled_from(list(Side)), st.integers(95, 105), st.integers(1, 20), st.booleans()), max_size=60
)


@given(ORDERS)
def test_the_book_is_never_crossed_and_loses_no_lot(arrivals: list[tuple[Side, int, int, bool]]) -> None:
    book = Book()
    orders: list[Order] = []
    traded = 0
    for number, (side, price, quantity, cancels) in enumerate(arrivals):
        order = limit(number, side, price, quantity)
        best = book.side(side.opposite).best
        for _, at, lots in arrive(book, order):
            assert (at - price) * side.sign <= 0
            assert best is None or (at - best) * side.sign >= 0
            best, traded = at, traded + lots
        orders.append(order)
        if cancels and book.rests(order):
            book.withdraw(order)
        assert book.bids.best is None or book.asks.best is None or book.bids.best < book.asks.best
    assert sum(each.filled for each in orders) == 2 * traded
    cancelled = {number for number, (*_, cancels) in enumerate(arrivals) if cancels}
    for order in orders:
        assert book.rests(order) == (order.remaining > 0 and order.id not in cancelled)


@given(ORDERS)
def test_what_an_order_could_trade_is_what_it_trades(arrivals: list[tuple[Side, int, int, bool]]) -> None:
    book = Book()
    for number, (side, price, quantity, _) in enumerate(arrivals):
        order = limit(number, side, price, quantity)
        expected = book.crossing(order)
        arrive(book, order)
        assert order.filled == expected
