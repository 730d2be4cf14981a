"""One market of the exchange: its books, and the life of every order in them.

What differs between spot and perpetuals (what an order must be backed by, what a fill moves) is left to
`SpotVenue` and `PerpetualVenue`.
"""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass
from decimal import Decimal

from aviary.config.clock import Clock
from aviary.sandbox.book import Book, Match
from aviary.sandbox.events import AccountChanged, BalanceMoved, Execution, Listener, OrderReported, Traded
from aviary.sandbox.instruments import INSTRUMENTS, Instrument, Market
from aviary.sandbox.numbers import Numbers
from aviary.sandbox.orders import HOUSE, Fill, Order, OrderType, PositionSide, Side, Status, TimeInForce, Trade
from aviary.sandbox.refusals import Refused, bad_symbol, no_such_order, unknown_order
from aviary.sandbox.store import Store
from aviary.sandbox.wallets import Wallets


@dataclass(frozen=True, slots=True)
class NewOrder:
    """A request to trade, as parsed from the wire. `spend` replaces the amount of a spot market buy."""

    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    price: Decimal
    client_id: str
    reduce_only: bool = False
    position_side: PositionSide = PositionSide.BOTH
    spend: Decimal | None = None


class Venue(ABC):
    """Base of the two markets."""

    def __init__(self, market: Market, store: Store, clock: Clock, numbers: Numbers, listener: Listener) -> None:
        self.market = market
        self.instruments = INSTRUMENTS[market]
        self.books = {symbol: Book() for symbol in self.instruments}
        self.wallets = Wallets(market, store)
        self.muted_keys: set[str] = set()
        """Keys whose user stream is told nothing, while a fault acts behind their back."""
        self._store = store
        self._clock = clock
        self._numbers = numbers
        self._listener = listener
        self._open: dict[str, dict[int, Order]] = defaultdict(dict)
        for order in store.open_orders():
            if order.instrument.market is market:
                self._open[order.owner][order.id] = order
                self.books[order.instrument.symbol].rest(order)

    # Questions

    def instrument(self, symbol: str) -> Instrument:
        """The instrument of a symbol; refused if there is none."""
        found = self.instruments.get(symbol)
        if found is None:
            raise bad_symbol()
        return found

    def open_orders(self, key: str, symbol: str | None = None) -> list[Order]:
        """Open orders of a key, oldest first."""
        orders = self._open.get(key, {}).values()
        return [each for each in orders if symbol is None or each.instrument.symbol == symbol]

    def all_open_orders(self) -> Iterable[Order]:
        """Open orders of all keys."""
        return [order for orders in self._open.values() for order in orders.values()]

    def symbols_with_orders(self) -> set[str]:
        """Symbols in which somebody has an open order."""
        return {order.instrument.symbol for orders in self._open.values() for order in orders.values()}

    def find(self, key: str, symbol: str, order_id: int | None, client_id: str | None) -> Order:
        """An order of a key, open or not; refused if it does not exist. Of several with one client id, the newest."""
        order = self._find_open(key, symbol, order_id, client_id)
        if order is not None:
            return order
        if order_id is not None:
            found = self._store.orders(
                "key = ? AND market = ? AND symbol = ? AND id = ?", key, self.market, symbol, order_id
            )
        else:
            found = self._store.orders(
                "key = ? AND market = ? AND client_id = ? AND symbol = ?",
                key,
                self.market,
                client_id,
                symbol,
                tail="ORDER BY id DESC LIMIT 1",
            )
        if not found:
            raise no_such_order()
        return found[0]

    def _find_open(self, key: str, symbol: str, order_id: int | None, client_id: str | None) -> Order | None:
        orders = self._open.get(key, {})
        if order_id is not None:
            order = orders.get(order_id)
            return order if order is not None and order.instrument.symbol == symbol else None
        for order in orders.values():
            if order.client_id == client_id and order.instrument.symbol == symbol:
                return order
        return None

    # Orders of keys

    def place(self, key: str, request: NewOrder) -> tuple[Order, list[Fill]]:
        """Take an order: it trades what it can, then rests or expires. Refused if it may not."""
        with self._store.transaction():
            order = self._admitted(key, request)
            order.id = self._numbers.next_order()
            self._open[key][order.id] = order
            self._store.write_order(order)
            self._report(order, Execution.NEW)
            fills = self._execute(order) if self._may_execute(order) else []
            if order.remaining:
                if order.rests:
                    self.books[request.symbol].rest(order)
                else:
                    self._finish(order, Status.EXPIRED, Execution.EXPIRED)
            self._settle_accounts()
        return order, fills

    def cancel(
        self, key: str, symbol: str, order_id: int | None, client_id: str | None, request_id: str = ""
    ) -> Order:
        """Cancel an open order; refused if it is not open."""
        order = self._find_open(key, symbol, order_id, client_id)
        if order is None:
            raise unknown_order()
        self.withdraw([order], request_id)
        return order

    def withdraw(self, orders: Iterable[Order], request_id: str = "") -> None:
        """Cancel open orders, whoever asked for it."""
        with self._store.transaction():
            for order in orders:
                self.books[order.instrument.symbol].withdraw(order)
                self._finish(order, Status.CANCELED, Execution.CANCELED, request_id)
            self._settle_accounts()

    def deposit(self, key: str, asset: str, change: Decimal) -> None:
        """Give a key an amount, or take it away."""
        with self._store.transaction():
            self.wallets.credit(key, asset, change)
            self._listener(BalanceMoved(self.market, key, asset, change, self._now()))
            self._settle_accounts()

    # Orders of the house

    def house_rest(self, symbol: str, side: Side, price: int, lots: int) -> Order:
        """Add synthetic liquidity; the price must not cross the book."""
        order = self._house_order(symbol, side, price, lots)
        self.books[symbol].rest(order)
        return order

    def house_take(self, symbol: str, side: Side, price: int, lots: int) -> int:
        """Trade synthetically up to a price; gives the lots traded."""
        order = self._house_order(symbol, side, price, lots)
        if self.books[symbol].crossing(order):
            with self._store.transaction():
                self._execute(order)
                self._settle_accounts()
        return order.filled

    def fill_behind_the_back(self, order: Order, lots: int) -> None:
        """Trade an open order with the house at its own price, out of turn."""
        book = self.books[order.instrument.symbol]
        counter = self._house_order(order.instrument.symbol, order.side.opposite, order.price, lots)
        with self._store.transaction():
            book.withdraw(order)
            for each in (order, counter):
                each.filled += lots
                each.worth += lots * order.price
            if order.remaining:
                book.rest(order)
            self._settle(counter, Match(order, order.price, lots))
            self._settle_accounts()

    def _house_order(self, symbol: str, side: Side, price: int, lots: int) -> Order:
        now = self._now()
        return Order(
            id=0,
            owner=HOUSE,
            instrument=self.instruments[symbol],
            client_id="",
            side=side,
            type=OrderType.LIMIT,
            time_in_force=TimeInForce.IOC,
            price=price,
            quantity=lots,
            created=now,
            updated=now,
        )

    # The life of an order

    @abstractmethod
    def _admitted(self, key: str, request: NewOrder) -> Order:
        """Check a request against filters and funds, set aside what backs it, and make the order."""

    @abstractmethod
    def _apply(self, order: Order, trade: Trade, *, is_maker: bool) -> Fill:
        """Move what a fill moves."""

    @abstractmethod
    def _release(self, order: Order) -> None:
        """Give back what is still set aside for an order that is done."""

    def _may_execute(self, order: Order) -> bool:
        """Whether the order may trade at all: fill-or-kill trades wholly or not."""
        if order.time_in_force is not TimeInForce.FOK:
            return True
        return self.books[order.instrument.symbol].crossing(order) == order.quantity

    def _execute(self, order: Order) -> list[Fill]:
        book = self.books[order.instrument.symbol]
        fills: list[Fill] = []
        while (match := book.next_match(order)) is not None:
            fill = self._settle(order, match)
            if fill is not None:
                fills.append(fill)
        return fills

    def _settle(self, taker: Order, match: Match) -> Fill | None:
        maker = match.maker
        buyer, seller = (taker, maker) if taker.side is Side.BUY else (maker, taker)
        trade = Trade(
            id=self._numbers.next_trade(),
            instrument=taker.instrument,
            price=match.price,
            quantity=match.quantity,
            at=self._now(),
            buyer_is_maker=buyer is maker,
            buyer_order=buyer.id,
            seller_order=seller.id,
        )
        self._listener(Traded(trade))
        if maker.owner != HOUSE:
            self._filled(maker, trade, is_maker=True)
        return self._filled(taker, trade, is_maker=False) if taker.owner != HOUSE else None

    def _filled(self, order: Order, trade: Trade, *, is_maker: bool) -> Fill:
        order.updated = trade.at
        order.status = Status.PARTIALLY_FILLED if order.remaining else Status.FILLED
        fill = self._apply(order, trade, is_maker=is_maker)
        if order.status is Status.FILLED:
            self._release(order)
            self._open[order.owner].pop(order.id, None)
        self._store.write_fill(fill)
        self._store.write_order(order)
        self._report(order, Execution.TRADE, fill)
        return fill

    def _finish(self, order: Order, status: Status, execution: Execution, request_id: str = "") -> None:
        order.status = status
        order.updated = self._now()
        self._release(order)
        self._open[order.owner].pop(order.id, None)
        self._store.write_order(order)
        self._report(order, execution, request_id=request_id)

    def _report(self, order: Order, execution: Execution, fill: Fill | None = None, request_id: str = "") -> None:
        if order.owner not in self.muted_keys:
            self._listener(OrderReported(copy(order), execution, fill, request_id))

    def _settle_accounts(self) -> None:
        """Report the balances that changed."""
        for key, assets in self.wallets.collect_touched().items():
            if key not in self.muted_keys:
                self._listener(AccountChanged(self.market, key, tuple(assets), self._now()))

    def _order(self, key: str, request: NewOrder, price: int, lots: int) -> Order:
        """The order that is asked for. It gets its id once it is accepted."""
        now = self._now()
        return Order(
            id=0,
            owner=key,
            instrument=self.instrument(request.symbol),
            client_id=request.client_id,
            side=request.side,
            type=request.type,
            time_in_force=request.time_in_force,
            price=price,
            quantity=lots,
            created=now,
            updated=now,
        )

    def _refuse_duplicate(self, key: str, client_id: str, refusal: Refused) -> None:
        if any(each.client_id == client_id for each in self._open.get(key, {}).values()):
            raise refusal

    def _now(self) -> int:
        return int(self._clock.now() * 1000)
