"""The spot market: orders are backed by the asset they give, fees are taken from the asset they receive."""

from decimal import Decimal

from aviary.config.clock import Clock
from aviary.sandbox.events import Listener
from aviary.sandbox.instruments import MAXIMUM_LOTS, MAXIMUM_TICKS, Instrument, Market
from aviary.sandbox.numbers import Numbers
from aviary.sandbox.orders import Fill, Order, OrderType, Side, Trade
from aviary.sandbox.refusals import Refused, filter_failure
from aviary.sandbox.store import Store
from aviary.sandbox.venue import NewOrder, Venue

FEE_PRECISION = Decimal("1e-8")
"""Fees are rounded to what the wire can carry."""


class SpotVenue(Venue):
    """Books and balances of the spot market."""

    def __init__(self, store: Store, clock: Clock, numbers: Numbers, listener: Listener) -> None:
        super().__init__(Market.SPOT, store, clock, numbers, listener)

    def _admitted(self, key: str, request: NewOrder) -> Order:
        instrument = self.instrument(request.symbol)
        book = self.books[request.symbol]
        self._refuse_duplicate(key, request.client_id, Refused(-2010, "Duplicate order sent."))
        price = self._price(instrument, request)
        lots = self._lots(instrument, request)
        order = self._order(key, request, price, lots)
        if order.type is OrderType.MARKET:
            taken, cost = book.cost(order.side, lots)
            if taken and instrument.notional(cost) < instrument.minimum_notional:
                raise filter_failure("NOTIONAL")
            needed = instrument.notional(cost) if order.side is Side.BUY else instrument.amount(lots)
        else:
            if instrument.notional(price * lots) < instrument.minimum_notional:
                raise filter_failure("NOTIONAL")
            if order.post_only and book.crossing(order):
                raise Refused(-2010, "Order would immediately match and take.")
            needed = instrument.notional(price * lots) if order.side is Side.BUY else instrument.amount(lots)
        asset = instrument.quote if order.side is Side.BUY else instrument.base
        if self.wallets.get(key, asset).free < needed:
            raise Refused(-2010, "Account has insufficient balance for requested action.")
        if order.type is not OrderType.MARKET:
            self.wallets.lock(key, asset, needed)
            order.reserved = needed
        return order

    @staticmethod
    def _price(instrument: Instrument, request: NewOrder) -> int:
        if request.type is OrderType.MARKET:
            return 0
        ticks = instrument.ticks(request.price)
        if ticks is None or not 0 < ticks <= MAXIMUM_TICKS:
            raise filter_failure("PRICE_FILTER")
        return ticks

    def _lots(self, instrument: Instrument, request: NewOrder) -> int:
        if request.spend is not None:
            return self._affordable(instrument, request.side, request.spend)
        lots = instrument.lots(request.quantity)
        if lots is None or not 0 < lots <= MAXIMUM_LOTS:
            raise filter_failure("LOT_SIZE")
        return lots

    def _affordable(self, instrument: Instrument, side: Side, spend: Decimal) -> int:
        """Lots that a market order gets, or must give, for an amount of quote."""
        left = int(spend / instrument.notional(1))
        lots = 0
        for price, quantity in self.books[instrument.symbol].side(side.opposite).levels(1_000):
            taken = min(quantity, left // price)
            lots += taken
            left -= taken * price
            if taken < quantity:
                break
        if not lots:
            raise filter_failure("NOTIONAL")
        return lots

    def _apply(self, order: Order, trade: Trade, *, is_maker: bool) -> Fill:
        instrument = order.instrument
        rate = instrument.fees.maker if is_maker else instrument.fees.taker
        amount = instrument.amount(trade.quantity)
        worth = instrument.notional(trade.price * trade.quantity)
        buying = order.side is Side.BUY
        paid_asset, paid = (instrument.quote, worth) if buying else (instrument.base, amount)
        got_asset, got = (instrument.base, amount) if buying else (instrument.quote, worth)
        fee = (got * rate).quantize(FEE_PRECISION)
        if order.type is not OrderType.MARKET:
            backing = instrument.notional(order.price * trade.quantity) if buying else amount
            self.wallets.lock(order.owner, paid_asset, -backing)
            order.reserved -= backing
        self.wallets.credit(order.owner, paid_asset, -paid)
        self.wallets.credit(order.owner, got_asset, got - fee)
        return Fill(trade, order, is_maker, fee, got_asset)

    def _release(self, order: Order) -> None:
        if order.reserved:
            asset = order.instrument.quote if order.side is Side.BUY else order.instrument.base
            self.wallets.lock(order.owner, asset, -order.reserved)
            order.reserved = Decimal(0)
