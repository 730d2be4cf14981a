"""A position in a perpetual."""

from dataclasses import dataclass
from decimal import Decimal

from aviary.sandbox.instruments import Instrument
from aviary.sandbox.orders import PositionSide, Side

PRECISION = Decimal("1e-8")
"""The smallest part of the margin asset that is accounted for."""

ZERO = Decimal(0)


@dataclass(slots=True)
class Position:
    """Signed lots and what they cost to enter, in quote; the cost is never negative."""

    amount: int = 0
    cost: Decimal = ZERO
    updated: int = 0

    def entry(self, instrument: Instrument) -> Decimal:
        """Average entry price; 0 if there is no position."""
        return self.cost / abs(instrument.amount(self.amount)) if self.amount else ZERO

    def profit(self, instrument: Instrument, price: Decimal) -> Decimal:
        """Profit if closed at a price, before fees."""
        worth = abs(instrument.amount(self.amount)) * price
        return worth - self.cost if self.amount > 0 else self.cost - worth

    def trade(self, side: Side, lots: int, worth: Decimal) -> Decimal:
        """Change the position by a fill of so many lots and so much quote; gives the profit realised."""
        realized = ZERO
        closing = min(lots, max(0, -self.amount * side.sign))
        if closing:
            cost = (
                self.cost
                if closing == abs(self.amount)
                else (self.cost * closing / abs(self.amount)).quantize(PRECISION)
            )
            got = worth * closing / lots
            realized = ((got - cost) if self.amount > 0 else (cost - got)).quantize(PRECISION)
            self.cost -= cost
        self.amount += side.sign * lots
        if lots > closing:
            self.cost += worth * (lots - closing) / lots
        return realized


def closes(side: Side, position_side: PositionSide) -> bool:
    """Whether an order in hedge mode is one that closes."""
    return (position_side, side) in ((PositionSide.LONG, Side.SELL), (PositionSide.SHORT, Side.BUY))
