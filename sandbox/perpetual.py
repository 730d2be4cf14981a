"""The perpetual market: USDT-margined positions, cross margin, funding and liquidation.

An account's wallet is its USDT balance. Equity is the wallet plus unrealised profit at mark price; what is not
the margin of positions or of open orders is available. Below the maintenance margin everything is closed at market.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal

from aviary.config.clock import Clock
from aviary.sandbox.events import AccountChanged, Execution, LeverageSet, Listener
from aviary.sandbox.funding import funding_rate
from aviary.sandbox.instruments import MAXIMUM_LOTS, MAXIMUM_TICKS, Instrument, Market
from aviary.sandbox.numbers import Numbers
from aviary.sandbox.orders import Fill, Order, OrderType, PositionSide, Side, Status, TimeInForce, Trade
from aviary.sandbox.positions import PRECISION, Position, closes
from aviary.sandbox.refusals import Refused
from aviary.sandbox.store import Store
from aviary.sandbox.venue import NewOrder, Venue

ASSET = "USDT"
"""The only margin asset."""

DEFAULT_LEVERAGE = 20

MAXIMUM_LEVERAGE = 125

MAINTENANCE = Decimal("0.004")
"""Maintenance margin as a fraction of the positions' value at mark price."""

LIQUIDATION_FEE = Decimal("0.005")
"""Charged on what a liquidation closes, as a fraction of its value."""

ZERO = Decimal(0)


class PerpetualVenue(Venue):
    """Books, wallets and positions of the perpetual market."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        numbers: Numbers,
        listener: Listener,
        mark: Callable[[str, float], float],
        wake: Callable[[str], None],
        seed: int,
        funding_interval: int,
    ) -> None:
        super().__init__(Market.PERPETUAL, store, clock, numbers, listener)
        self._mark_at = mark
        self._wake = wake
        self._seed = seed
        self.funding_interval = funding_interval
        self._positions: dict[str, dict[tuple[str, PositionSide], Position]] = {}
        for key, symbol, side, amount, cost, updated in store.positions():
            self._positions.setdefault(key, {})[symbol, side] = Position(amount, cost, updated)
        self._leverages = store.leverages()
        self._hedged = store.hedged()
        self._moved: set[tuple[str, str]] = set()
        self._reason = "ORDER"
        self._margins_kept = 0.0

    # Questions

    def mark(self, symbol: str, at: float | None = None) -> Decimal:
        """The mark price of a symbol."""
        price = self._mark_at(symbol, self._clock.now() if at is None else at)
        return Decimal(str(round(price, 8)))

    def position(self, key: str, symbol: str, side: PositionSide) -> Position:
        """A position; an empty one if there is none."""
        return self._positions.get(key, {}).get((symbol, side), Position())

    def positions(self, key: str) -> dict[tuple[str, PositionSide], Position]:
        """All positions a key has or had."""
        return self._positions.get(key, {})

    def keys_with_positions(self) -> Iterable[str]:
        """Keys that have an open position."""
        return [key for key, held in self._positions.items() if any(each.amount for each in held.values())]

    def leverage(self, key: str, symbol: str) -> int:
        """The leverage of a key in a symbol."""
        return self._leverages.get((key, symbol), DEFAULT_LEVERAGE)

    def hedged(self, key: str) -> bool:
        """Whether a key holds long and short positions apart."""
        return key in self._hedged

    def wallet(self, key: str) -> Decimal:
        """The wallet balance of a key."""
        return self.wallets.get(key, ASSET).free

    def profit(self, key: str) -> Decimal:
        """Unrealised profit of all positions of a key."""
        return sum(
            (
                position.profit(self.instruments[symbol], self.mark(symbol))
                for (symbol, _), position in self.positions(key).items()
                if position.amount
            ),
            ZERO,
        )

    def position_margin(self, key: str) -> Decimal:
        """Initial margin of all positions of a key."""
        return sum(
            (
                self.value(symbol, position) / self.leverage(key, symbol)
                for (symbol, _), position in self.positions(key).items()
            ),
            ZERO,
        )

    def order_margin(self, key: str) -> Decimal:
        """Initial margin of all open orders of a key."""
        return sum((each.reserved for each in self.open_orders(key)), ZERO)

    def maintenance(self, key: str) -> Decimal:
        """Equity below which the positions of a key are liquidated."""
        return (
            sum((self.value(symbol, held) for (symbol, _), held in self.positions(key).items()), ZERO)
            * MAINTENANCE
        )

    def available(self, key: str) -> Decimal:
        """What a key may still use as margin."""
        free = self.wallet(key) + self.profit(key) - self.position_margin(key) - self.order_margin(key)
        return max(free, ZERO)

    def value(self, symbol: str, position: Position) -> Decimal:
        """What a position is worth at mark price, without sign."""
        if not position.amount:
            return ZERO
        return abs(self.instruments[symbol].amount(position.amount)) * self.mark(symbol)

    # Settings

    def set_leverage(self, key: str, symbol: str, leverage: int) -> None:
        """Change the leverage of a symbol; refused outside 1 to 125."""
        self.instrument(symbol)
        if not 1 <= leverage <= MAXIMUM_LEVERAGE:
            raise Refused(-4028, f"Leverage {leverage} is not valid")
        with self._store.transaction():
            self._leverages[key, symbol] = leverage
            self._store.write_leverage(key, symbol, leverage)
        self._listener(LeverageSet(key, symbol, leverage, self._now()))

    def set_hedged(self, key: str, *, hedged: bool) -> None:
        """Change the position mode; refused without need, or with open orders or positions."""
        if hedged == self.hedged(key):
            raise Refused(-4059, "No need to change position side.")
        if self.open_orders(key):
            raise Refused(-4067, "Position side cannot be changed if there exists open orders.")
        if any(each.amount for each in self.positions(key).values()):
            raise Refused(-4068, "Position side cannot be changed if there exists position.")
        with self._store.transaction():
            self._hedged = self._hedged | {key} if hedged else self._hedged - {key}
            self._store.write_hedged(key, hedged=hedged)

    # Orders

    def _admitted(self, key: str, request: NewOrder) -> Order:
        instrument = self.instrument(request.symbol)
        self._refuse_duplicate(key, request.client_id, Refused(-4116, "ClientOrderId is duplicated."))
        if (request.position_side is PositionSide.BOTH) == self.hedged(key):
            raise Refused(-4061, "Order's position side does not match user's setting.")
        lots = self._lots(instrument, request.quantity)
        price = self._price(instrument, request)
        order = self._order(key, request, price, lots)
        order.reduce_only = request.reduce_only or closes(request.side, request.position_side)
        order.position_side = request.position_side
        reducible = self._reducible(order)
        if order.reduce_only:
            if not reducible:
                raise Refused(-2022, "ReduceOnly Order is rejected.")
            order.quantity = min(order.quantity, reducible)
        book = self.books[request.symbol]
        if order.post_only and book.crossing(order):
            raise Refused(
                -5022,
                "Due to the order could not be executed as maker, the Post Only order will be rejected."
                " The order will not be recorded in the order history",
            )
        self._set_margin_aside(order, reducible)
        return order

    def _set_margin_aside(self, order: Order, reducible: int) -> None:
        instrument, key = order.instrument, order.owner
        if order.type is OrderType.MARKET:
            taken, cost = self.books[instrument.symbol].cost(order.side, order.quantity)
            worth = (
                instrument.notional(cost)
                if taken
                else self.mark(instrument.symbol) * instrument.amount(order.quantity)
            )
        else:
            worth = instrument.notional(order.price * order.quantity)
        if order.reduce_only:
            return
        if worth < instrument.minimum_notional:
            raise Refused(
                -4164,
                f"Order's notional must be no smaller than {instrument.minimum_notional}"
                " (unless you choose reduce only).",
            )
        opening = max(0, order.quantity - reducible)
        margin = worth * opening / order.quantity / self.leverage(key, instrument.symbol)
        fee = worth * opening / order.quantity * instrument.fees.taker
        if opening and self.available(key) < margin + fee:
            raise Refused(-2019, "Margin is insufficient.")
        order.reserved = margin.quantize(PRECISION)

    @staticmethod
    def _lots(instrument: Instrument, quantity: Decimal) -> int:
        if quantity <= 0:
            raise Refused(-4003, "Quantity less than or equal to zero.")
        lots = instrument.lots(quantity)
        if lots is None:
            raise Refused(-1111, "Precision is over the maximum defined for this asset.")
        if lots > MAXIMUM_LOTS:
            raise Refused(-4005, "Quantity greater than max quantity.")
        return lots

    @staticmethod
    def _price(instrument: Instrument, request: NewOrder) -> int:
        if request.type is OrderType.MARKET:
            return 0
        if request.price <= 0:
            raise Refused(-4001, "Price less than 0.")
        ticks = instrument.ticks(request.price)
        if ticks is None:
            raise Refused(-4014, "Price not increased by tick size.")
        if ticks > MAXIMUM_TICKS:
            raise Refused(-4002, "Price greater than max price.")
        return ticks

    def _reducible(self, order: Order) -> int:
        """Lots by which the order could reduce its position."""
        held = self.position(order.owner, order.instrument.symbol, order.position_side).amount
        return max(0, -held * order.side.sign)

    def _apply(self, order: Order, trade: Trade, *, is_maker: bool) -> Fill:
        instrument, key = order.instrument, order.owner
        rate = instrument.fees.maker if is_maker else instrument.fees.taker
        worth = instrument.notional(trade.price * trade.quantity)
        fee = (worth * rate).quantize(PRECISION)
        held = self._positions.setdefault(key, {}).setdefault((instrument.symbol, order.position_side), Position())
        realized = held.trade(order.side, trade.quantity, worth)
        held.updated = trade.at
        before = order.remaining + trade.quantity
        order.reserved = (order.reserved * order.remaining / before).quantize(PRECISION)
        self._store.write_position(
            key, instrument.symbol, order.position_side, held.amount, held.cost, held.updated
        )
        self.wallets.credit(key, ASSET, realized - fee)
        self._income(key, instrument.symbol, "COMMISSION", -fee, str(trade.id))
        if realized:
            self._income(key, instrument.symbol, "REALIZED_PNL", realized, str(trade.id))
        self._moved.add((key, instrument.symbol))
        self._trim_reducing(order)
        return Fill(trade, order, is_maker, fee, ASSET, realized)

    def _trim_reducing(self, filled: Order) -> None:
        """Shrink or expire resting reduce-only orders that exceed what is left to reduce."""
        symbol = filled.instrument.symbol
        book = self.books[symbol]
        for order in self.open_orders(filled.owner, symbol):
            if order is filled or not order.reduce_only or not book.rests(order):
                continue
            allowed = self._reducible(order)
            if not allowed:
                book.withdraw(order)
                self._finish(order, Status.EXPIRED, Execution.EXPIRED)
            elif order.remaining > allowed:
                book.resize(order, allowed)
                self._store.write_order(order)

    def _release(self, order: Order) -> None:
        order.reserved = ZERO

    def _settle_accounts(self) -> None:
        touched = self.wallets.collect_touched()
        for key, symbol in sorted(self._moved):
            touched.pop(key, None)
            if key not in self.muted_keys:
                self._listener(AccountChanged(self.market, key, (ASSET,), self._now(), symbol, self._reason))
        self._moved.clear()
        for key in touched:
            if key not in self.muted_keys:
                self._listener(AccountChanged(self.market, key, (ASSET,), self._now(), "", self._reason))

    def _income(self, key: str, symbol: str, kind: str, amount: Decimal, trade: str = "") -> None:
        self._store.write_income(key, symbol, kind, amount, ASSET, self._now(), trade)

    # Funding and liquidation

    def next_funding(self, now: float) -> int:
        """When funding is paid next, in Unix seconds."""
        return (int(now) // self.funding_interval + 1) * self.funding_interval

    def funding_rate(self, symbol: str, at: int) -> Decimal:
        """The rate paid at a funding time: longs pay it to shorts if it is positive."""
        return funding_rate(self._seed, symbol, at // self.funding_interval)

    def keep_margins(self, now: float) -> None:
        """Pay funding that is due and liquidate who is out of margin. Looks once a second."""
        if 0 <= now - self._margins_kept < 1.0:
            return
        self._margins_kept = now
        self._pay_funding(now)
        for key in self.keys_with_positions():
            if self.wallet(key) + self.profit(key) < self.maintenance(key):
                self._liquidate(key)

    def _pay_funding(self, now: float) -> None:
        last_due = self.next_funding(now) - self.funding_interval
        paid = self._store.fact("funding_paid")
        if paid == last_due:
            return
        with self._store.transaction():
            self._store.write_fact("funding_paid", last_due)
            first = last_due if paid is None else paid + self.funding_interval
            if paid is None:
                return
            for due in range(
                max(first, last_due - 100 * self.funding_interval), last_due + 1, self.funding_interval
            ):
                self._fund(due)
            self._reason = "FUNDING_FEE"
            self._settle_accounts()
            self._reason = "ORDER"

    def _fund(self, due: int) -> None:
        for key, held in self._positions.items():
            for (symbol, _), position in held.items():
                if not position.amount:
                    continue
                worth = self.instruments[symbol].amount(position.amount) * self.mark(symbol, due)
                payment = (-worth * self.funding_rate(symbol, due)).quantize(PRECISION)
                self.wallets.credit(key, ASSET, payment)
                self._store.write_income(key, symbol, "FUNDING_FEE", payment, ASSET, due * 1000, "")
                self._moved.add((key, symbol))

    def _liquidate(self, key: str) -> None:
        with self._store.transaction():
            self.withdraw(self.open_orders(key))
            for (symbol, side), position in list(self.positions(key).items()):
                if not position.amount:
                    continue
                self._wake(symbol)
                instrument = self.instruments[symbol]
                lots = abs(position.amount)
                request = NewOrder(
                    symbol=symbol,
                    side=Side.SELL if position.amount > 0 else Side.BUY,
                    type=OrderType.MARKET,
                    time_in_force=TimeInForce.GTC,
                    quantity=instrument.amount(lots),
                    price=ZERO,
                    client_id=f"autoclose-{self._now()}",
                    reduce_only=True,
                    position_side=side,
                )
                order, _ = self.place(key, request)
                fee = (instrument.notional(order.worth) * LIQUIDATION_FEE).quantize(PRECISION)
                self.wallets.credit(key, ASSET, -fee)
                self._income(key, symbol, "INSURANCE_CLEAR", -fee)
            deficit = -self.wallet(key)
            if deficit > 0 and not any(each.amount for each in self.positions(key).values()):
                # What the account cannot pay is the insurance fund's loss.
                self.wallets.credit(key, ASSET, deficit)
                self._income(key, "", "INSURANCE_CLEAR", deficit)
            self._settle_accounts()
