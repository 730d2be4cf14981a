"""A position in a perpetual."""

from dataclasses import dataclass
from decimal import Decimal

from aviary.sandbox.instruments import Instrument

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
