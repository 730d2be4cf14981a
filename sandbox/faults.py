"""Faults on demand: what goes wrong, for whom, and until when."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from aviary.config.clock import Clock
from aviary.sandbox.instruments import Market


class FaultKind(StrEnum):
    """Everything that can be made to go wrong."""

    DROP_WEBSOCKETS = "drop_websockets"
    STALL_WEBSOCKETS = "stall_websockets"
    HTTP_5XX = "http_5xx"
    HTTP_429 = "http_429"
    LATENCY = "latency"
    DOWN = "down"
    ANSWER_LOST = "answer_lost"
    PLACE_ANSWER_LOST = "place_answer_lost"
    CANCEL_ANSWER_LOST = "cancel_answer_lost"
    HIDDEN_FILL = "hidden_fill"
    HIDDEN_CANCEL = "hidden_cancel"
    PRICE_SHOCK = "price_shock"


@dataclass(slots=True)
class Fault:
    """One fault. `market` and `key` narrow it where not None; `left` counts down the uses that remain."""

    id: int
    kind: FaultKind
    market: Market | None
    key: str | None
    symbol: str | None
    since: float
    until: float
    amount: float
    """Milliseconds of latency, HTTP status, per cent of a price shock, fraction of a hidden fill; by kind."""
    left: int | None

    def concerns(self, market: Market, key: str | None, symbol: str | None = None) -> bool:
        """Whether the fault is meant for this market, key and symbol."""
        return (
            self.market in (None, market)
            and (self.key is None or self.key == key)
            and (self.symbol is None or symbol is None or self.symbol == symbol)
        )


class Faults:
    """The faults that are on."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._faults: list[Fault] = []
        self._next = 1

    def add(
        self,
        kind: FaultKind,
        seconds: float,
        market: Market | None = None,
        key: str | None = None,
        symbol: str | None = None,
        amount: float = 0.0,
        count: int | None = None,
    ) -> Fault:
        """Turn a fault on for a time, or for a number of uses if that ends sooner."""
        now = self._clock.now()
        fault = Fault(self._next, kind, market, key, symbol, now, now + seconds, amount, count)
        self._next += 1
        self._faults.append(fault)
        return fault

    def clear(self) -> int:
        """Turn all faults off; gives their number."""
        count = len(self.active())
        self._faults.clear()
        return count

    def active(self) -> list[Fault]:
        """The faults that are on now."""
        now = self._clock.now()
        self._faults = [each for each in self._faults if each.until > now and each.left != 0]
        return list(self._faults)

    def find(self, kind: FaultKind, market: Market, key: str | None, symbol: str | None = None) -> Fault | None:
        """A fault of a kind that concerns somebody, if one is on."""
        if not self._faults:
            return None
        return next(self._matching(kind, market, key, symbol), None)

    def use(self, kind: FaultKind, market: Market, key: str | None, symbol: str | None = None) -> Fault | None:
        """Like `find`, and counts as one use."""
        fault = self.find(kind, market, key, symbol)
        if fault is not None and fault.left is not None:
            fault.left -= 1
        return fault

    def shock(self, market: Market, symbol: str) -> float:
        """What the reference price is multiplied with."""
        factor = 1.0
        if self._faults:
            for fault in self._matching(FaultKind.PRICE_SHOCK, market, None, symbol):
                factor *= 1 + fault.amount / 100
        return factor

    def _matching(self, kind: FaultKind, market: Market, key: str | None, symbol: str | None) -> Iterator[Fault]:
        return (each for each in self.active() if each.kind is kind and each.concerns(market, key, symbol))
