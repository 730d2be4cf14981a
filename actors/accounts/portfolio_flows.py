"""What became of a credential between two looks at it: how much was made or lost, and how much came in or went out. Pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from aviary.persistence.portfolio import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aviary.persistence.fills import Fill
    from aviary.persistence.portfolio import Held

ZERO = Decimal(0)

TRADED_ELSEWHERE = Decimal("0.02")
"""Share of what changed hands by which the two sides of somebody else's trades may differ: fees, and the market's move."""

COSTS = Decimal("0.005")
"""Share of what our orders traded that may be missing without having been withdrawn: fees that were not told."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a credential held at a moment, in whole Unix seconds, and in which quote it is priced."""

    at: int
    account: str
    connector: str
    quote: str
    holdings: tuple[Held, ...]


def tells_flows(connector: str) -> bool:
    """Whether deposits and withdrawals can be told from trading: where positions are held, profit comes in like them."""
    return "_perpetual" not in connector


def knows_less(before: Snapshot, look: Look) -> bool:
    """Whether a token that had a price has none now because nobody could be asked for it: better to look again later."""
    priced = {held.token for held in before.holdings if held.price is not None}
    return any(held.price is None and held.stale and held.token in priced for held in look.holdings)


def first_snapshot(look: Look) -> Snapshot:
    """Of a credential that was not seen before, or in another quote: all that is there came in."""
    value = _value(look.holdings)
    return _snapshot(look, value, ZERO, value, ZERO)


def gone_snapshot(before: Snapshot, at: int) -> Snapshot:
    """Of a credential that was removed: all that was there went out."""
    return before.model_copy(
        update={"at": at, "state": "gone", "value": ZERO, "flow": before.flow - before.value, "holdings": ()}
    )


def next_snapshot(before: Snapshot, look: Look, fills: Iterable[Fill]) -> Snapshot:
    """A credential as it is at a look, given the snapshot before and our fills since.

    What the fills do not explain came in or went out, unless it looks like trades of others: some token
    more, another less, of about the same value.
    """
    if before.quote != look.quote:
        return first_snapshot(look)
    value = _value(look.holdings)
    flow, untold = _revalued(before, look), ZERO
    if tells_flows(look.connector):
        moved, untold = _moved(before, look, tuple(fills))
        flow += moved
    profit = value - before.value - flow
    return _snapshot(look, value, before.profit + profit, before.flow + flow, before.untold + untold)


def _snapshot(look: Look, value: Decimal, profit: Decimal, flow: Decimal, untold: Decimal) -> Snapshot:
    return Snapshot(
        at=look.at,
        account=look.account,
        connector=look.connector,
        state="stale" if any(held.stale for held in look.holdings) else "known",
        quote=look.quote,
        value=value,
        profit=profit,
        flow=flow,
        untold=untold,
        holdings=look.holdings,
    )


def _value(holdings: Iterable[Held]) -> Decimal:
    return sum((held.units * held.price for held in holdings if held.price is not None), ZERO)


def _unpriced(holdings: Iterable[Held]) -> frozenset[str]:
    return frozenset(held.token for held in holdings if held.price is None and held.units)


def _revalued(before: Snapshot, look: Look) -> Decimal:
    """How much the value jumps because a token that is held got a price, or lost it: nobody earned that."""
    odd = _unpriced(before.holdings) | _unpriced(look.holdings)
    return _value(held for held in look.holdings if held.token in odd) - _value(
        held for held in before.holdings if held.token in odd
    )


def _moved(before: Snapshot, look: Look, fills: tuple[Fill, ...]) -> tuple[Decimal, Decimal]:
    """What came in, less what went out, and how much of that may have been trading instead."""
    prices = {held.token: held.price for held in (*before.holdings, *look.holdings) if held.price is not None}
    odd = _unpriced(before.holdings) | _unpriced(look.holdings)
    left = {
        token: units * prices[token]
        for token, units in _unexplained(before, look, fills).items()
        if token in prices and token not in odd
    }
    more = sum((value for value in left.values() if value > 0), ZERO)
    less = -sum((value for value in left.values() if value < 0), ZERO)
    net, exchanged = more - less, min(more, less)
    traded = sum((fill.amount * fill.price * prices.get(_quote_of(fill), ZERO) for fill in fills), ZERO)
    if abs(net) <= TRADED_ELSEWHERE * exchanged or (net < 0 and -net <= COSTS * traded):
        return ZERO, ZERO
    return net, abs(net) if exchanged else ZERO


def _unexplained(before: Snapshot, look: Look, fills: Iterable[Fill]) -> Mapping[str, Decimal]:
    """Units by token that are more, or less, than our fills account for."""
    units: defaultdict[str, Decimal] = defaultdict(Decimal)
    for held in look.holdings:
        units[held.token] += held.units
    for held in before.holdings:
        units[held.token] -= held.units
    for fill in fills:
        base, quote = fill.trading_pair.split("-", 1)
        sign = 1 if fill.side == "BUY" else -1
        units[base] -= sign * fill.amount
        units[quote] += sign * fill.amount * fill.price
        if fill.fee_currency is not None:
            units[fill.fee_currency] += fill.fee_paid
    return units


def _quote_of(fill: Fill) -> str:
    return fill.trading_pair.rpartition("-")[2]
