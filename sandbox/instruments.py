"""What can be traded, and the rules and fees of each market.

Inside the exchange prices are whole numbers of ticks and amounts whole numbers of lots, so that
matching is exact and quick; `Instrument` converts at the border.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Market(StrEnum):
    """The two venues of the exchange."""

    SPOT = "spot"
    PERPETUAL = "perpetual"


@dataclass(frozen=True)
class FeeRates:
    """Fractions of the notional charged to whoever was resting (maker) and whoever arrived (taker)."""

    maker: Decimal
    taker: Decimal


FEES = {
    Market.SPOT: FeeRates(Decimal("0.001"), Decimal("0.001")),
    Market.PERPETUAL: FeeRates(Decimal("0.0002"), Decimal("0.0004")),
}
"""The rates that hummingbot's own fee schemas for these connectors assume."""


@dataclass(frozen=True)
class Instrument:
    """A tradable pair and its filters; `tick` and `step` are the smallest price and amount increments."""

    market: Market
    base: str
    quote: str
    tick: Decimal
    step: Decimal
    minimum_notional: Decimal
    anchor: float
    """The price around which the reference price wanders, in quote for one base."""
    level_value: float
    """Typical value of one level of synthetic liquidity near the touch, in quote."""

    @property
    def symbol(self) -> str:
        """The exchange's name of the pair, such as `BTCUSDT`."""
        return self.base + self.quote

    @property
    def fees(self) -> FeeRates:
        """The fee rates of the instrument's market."""
        return FEES[self.market]

    def price(self, ticks: int) -> Decimal:
        """Ticks as a price in quote."""
        return self.tick * ticks

    def amount(self, lots: int) -> Decimal:
        """Lots as an amount in base."""
        return self.step * lots

    def notional(self, ticks_times_lots: int) -> Decimal:
        """A sum of ticks times lots as an amount in quote."""
        return self.tick * self.step * ticks_times_lots

    def ticks(self, price: Decimal) -> int | None:
        """A price as whole ticks; None if it is not a multiple of the tick."""
        return _whole(price, self.tick)

    def lots(self, amount: Decimal) -> int | None:
        """An amount as whole lots; None if it is not a multiple of the step."""
        return _whole(amount, self.step)

    def nearest_ticks(self, price: float) -> int:
        """The ticks nearest to a price."""
        return max(1, round(price / float(self.tick)))


def _whole(value: Decimal, unit: Decimal) -> int | None:
    count = value / unit
    return int(count) if count == count.to_integral_value() else None


MAXIMUM_LOTS = 9_000_000_000
"""Largest amount of one order, in lots."""

MAXIMUM_TICKS = 100_000_000
"""Highest price of an order, in ticks."""


def _spot(base: str, quote: str, tick: str, step: str, notional: str, anchor: float, value: float) -> Instrument:
    return Instrument(Market.SPOT, base, quote, Decimal(tick), Decimal(step), Decimal(notional), anchor, value)


def _perpetual(base: str, tick: str, step: str, notional: str, anchor: float) -> Instrument:
    return Instrument(
        Market.PERPETUAL, base, "USDT", Decimal(tick), Decimal(step), Decimal(notional), anchor, 40_000.0
    )


INSTRUMENTS: dict[Market, dict[str, Instrument]] = {
    Market.SPOT: {
        each.symbol: each
        for each in (
            _spot("BTC", "USDT", "0.01", "0.00001", "5", 60_000.0, 20_000.0),
            _spot("ETH", "USDT", "0.01", "0.0001", "5", 3_000.0, 15_000.0),
            _spot("SOL", "USDT", "0.01", "0.001", "5", 150.0, 8_000.0),
            _spot("BNB", "USDT", "0.01", "0.001", "5", 600.0, 8_000.0),
            _spot("ETH", "BTC", "0.00001", "0.001", "0.0001", 0.05, 0.3),
        )
    },
    Market.PERPETUAL: {
        each.symbol: each
        for each in (
            _perpetual("BTC", "0.1", "0.001", "50", 60_000.0),
            _perpetual("ETH", "0.01", "0.001", "20", 3_000.0),
            _perpetual("SOL", "0.01", "0.01", "5", 150.0),
        )
    },
}

DEFAULT_BALANCES: dict[Market, dict[str, Decimal]] = {
    Market.SPOT: {
        "USDT": Decimal(100_000),
        "BTC": Decimal(1),
        "ETH": Decimal(10),
        "SOL": Decimal(100),
        "BNB": Decimal(50),
    },
    Market.PERPETUAL: {"USDT": Decimal(100_000)},
}
"""What a new key owns unless it was created with other balances."""
