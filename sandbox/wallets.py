"""Who owns what in one market: balances by key and asset, free and locked."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from aviary.sandbox.instruments import Market
from aviary.sandbox.store import Store

ZERO = Decimal(0)


@dataclass(slots=True)
class Balance:
    """What a key owns of an asset; `locked` backs open orders."""

    free: Decimal = ZERO
    locked: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        """Free and locked together."""
        return self.free + self.locked


class Wallets:
    """All balances of one market. Every change is written to the store and remembered until collected."""

    def __init__(self, market: Market, store: Store) -> None:
        self._market = market
        self._store = store
        self._balances: dict[str, dict[str, Balance]] = defaultdict(dict)
        self._touched: set[tuple[str, str]] = set()
        for where, key, asset, free, locked in store.balances():
            if where is market:
                self._balances[key][asset] = Balance(free, locked)

    def open(self, key: str, amounts: Mapping[str, Decimal]) -> None:
        """Give a new key its first balances."""
        for asset, amount in amounts.items():
            self._change(key, asset, amount, ZERO)

    def of(self, key: str) -> Mapping[str, Balance]:
        """Balances of a key by asset."""
        return self._balances.get(key, {})

    def get(self, key: str, asset: str) -> Balance:
        """One balance; nothing if the key never had the asset."""
        return self._balances.get(key, {}).get(asset, Balance())

    def credit(self, key: str, asset: str, amount: Decimal) -> None:
        """Add to what is free; a negative amount takes away."""
        self._change(key, asset, amount, ZERO)

    def lock(self, key: str, asset: str, amount: Decimal) -> None:
        """Move from free to locked; a negative amount moves back."""
        self._change(key, asset, -amount, amount)

    def collect_touched(self) -> dict[str, list[str]]:
        """Assets by key that changed since the last call."""
        found: dict[str, list[str]] = defaultdict(list)
        for key, asset in sorted(self._touched):
            found[key].append(asset)
        self._touched.clear()
        return found

    def _change(self, key: str, asset: str, free: Decimal, locked: Decimal) -> None:
        balance = self._balances[key].setdefault(asset, Balance())
        balance.free += free
        balance.locked += locked
        self._store.write_balance(self._market, key, asset, balance.free, balance.locked)
        self._touched.add((key, asset))
