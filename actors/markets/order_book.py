"""What an order book says about a trade that was not made yet: pure arithmetic on its levels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

type Levels = Sequence[tuple[Decimal, Decimal]]
"""Price and amount of each level of one side, best price first."""


@dataclass(frozen=True, slots=True)
class Take:
    """What is taken from one side of a book, from its best price on."""

    volume: Decimal
    """In base units."""
    quote: Decimal
    """What the volume is worth at its levels' prices."""
    worst: Decimal | None
    """The price of the last level that was touched; `None` if none was."""
    enough: bool
    """Whether the book had all that was asked for."""

    @property
    def average(self) -> Decimal | None:
        """The volume-weighted price; `None` if nothing was taken."""
        return self.quote / self.volume if self.volume else None


def take_volume(levels: Levels, volume: Decimal) -> Take:
    """Take `volume` base units."""
    taken = worth = Decimal(0)
    worst = None
    for price, amount in levels:
        if taken >= volume:
            break
        step = min(amount, volume - taken)
        taken += step
        worth += step * price
        worst = price
    return Take(taken, worth, worst, enough=taken >= volume)


def take_quote(levels: Levels, quote: Decimal) -> Take:
    """Take what costs, or brings, `quote`."""
    taken = worth = Decimal(0)
    worst = None
    for price, amount in levels:
        if worth >= quote:
            break
        worst = price
        if amount * price < quote - worth:
            taken += amount
            worth += amount * price
        else:
            taken += (quote - worth) / price
            worth = quote
    return Take(taken, worth, worst, enough=worth >= quote)


def take_to_price(levels: Levels, price: Decimal, *, is_buy: bool) -> Take:
    """Take every level that is at `price` or better. There is always enough of that."""
    taken = worth = Decimal(0)
    worst = None
    for at, amount in levels:
        if at > price if is_buy else at < price:
            break
        taken += amount
        worth += amount * at
        worst = at
    return Take(taken, worth, worst, enough=True)


def reaches(levels: Levels, price: Decimal, *, is_buy: bool) -> bool:
    """Whether the last level is worse than `price`, so that all levels up to it are known."""
    return bool(levels) and (levels[-1][0] > price if is_buy else levels[-1][0] < price)


def levels_of(rows: Iterable[Sequence[float]]) -> tuple[tuple[Decimal, Decimal], ...]:
    """Levels from the numbers of a feed, with the digits that they were sent with."""
    return tuple((Decimal(repr(price)), Decimal(repr(amount))) for price, amount in rows)
