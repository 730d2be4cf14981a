"""How a rate is found among the prices of a market: directly, the other way round, or through other pairs. Pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

MOST_LEGS = 3
"""Pairs that a rate may be crossed through: each adds half a spread of error."""

PREFERRED = ("USDT", "USDC", "USD", "BTC", "ETH")
"""Tokens to cross through first, where several ways are equally short: the most traded ones."""


@dataclass(frozen=True, slots=True)
class Path:
    """A rate and how it was come by.

    `pairs` are the market's pairs in the order in which they are used, `through` the tokens between.
    """

    rate: Decimal
    kind: Literal["same", "direct", "inverse", "crossed"]
    pairs: tuple[str, ...] = ()
    through: tuple[str, ...] = ()


class PriceGraph:
    """The tokens of a market, joined by the prices of its pairs, all of them above zero."""

    def __init__(self, prices: Mapping[str, Decimal]) -> None:
        self._edges: dict[str, dict[str, tuple[str, Decimal]]] = defaultdict(dict)
        """By token, then by the token that it can be changed into: the pair, and what one of it gives."""
        for pair, price in prices.items():
            base, _, quote = pair.partition("-")
            self._edges[base][quote] = (pair, price)
        for pair, price in prices.items():
            base, _, quote = pair.partition("-")
            # A pair that is quoted the right way round counts before its reverse.
            self._edges[quote].setdefault(base, (pair, 1 / price))

    def find(self, base: str, quote: str, one: Decimal) -> Path | None:
        """The shortest way from one token to another, `None` if there is none of `MOST_LEGS` pairs; `one` is 1."""
        if base == quote:
            return Path(one, "same")
        front: dict[str, Path] = {base: Path(one, "same")}
        seen = {base}
        for _ in range(MOST_LEGS):
            for token, path in front.items():
                last = self._edges.get(token, {}).get(quote)
                if last is not None:
                    return _longer(path, token, base, quote, last)
            front = self._further(front, base, seen)
        return None

    def _further(self, front: Mapping[str, Path], base: str, seen: set[str]) -> dict[str, Path]:
        """What can be reached with one pair more, the preferred tokens first."""
        reached: dict[str, Path] = {}
        for token, path in front.items():
            for other, edge in self._edges.get(token, {}).items():
                if other not in seen:
                    seen.add(other)
                    reached[other] = _longer(path, token, base, other, edge)
        return dict(sorted(reached.items(), key=lambda item: _preference(item[0])))


def _longer(path: Path, token: str, base: str, other: str, edge: tuple[str, Decimal]) -> Path:
    pair, price = edge
    pairs = (*path.pairs, pair)
    return Path(
        rate=path.rate * price,
        kind=_kind(pairs, base, other),
        pairs=pairs,
        through=(*path.through, token) if path.pairs else (),
    )


def _kind(pairs: tuple[str, ...], base: str, quote: str) -> Literal["direct", "inverse", "crossed"]:
    if len(pairs) > 1:
        return "crossed"
    return "direct" if pairs == (f"{base}-{quote}",) else "inverse"


def _preference(token: str) -> tuple[int, str]:
    return (PREFERRED.index(token) if token in PREFERRED else len(PREFERRED), token)
