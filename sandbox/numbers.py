"""Numbers that are never given twice, not even after a crash."""

from aviary.sandbox.store import Store

_BLOCK = 10_000
"""Numbers reserved at a time, so that a trade between synthetic orders needs no write."""


class _Sequence:
    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._name = name
        self._next = self._end = 0

    def next(self) -> int:
        if self._next == self._end:
            self._next = self._store.reserve_numbers(self._name, _BLOCK)
            self._end = self._next + _BLOCK
        self._next += 1
        return self._next - 1


class Numbers:
    """Ascending ids of orders and trades."""

    def __init__(self, store: Store) -> None:
        self._orders = _Sequence(store, "next_order")
        self._trades = _Sequence(store, "next_trade")

    def next_order(self) -> int:
        """The id of a new order."""
        return self._orders.next()

    def next_trade(self) -> int:
        """The id of a new trade."""
        return self._trades.next()
