"""The funding rate: a pure function of seed, symbol and period."""

from decimal import Decimal
from hashlib import blake2b

from aviary.config.chance import chance

_BASE = 0.0001
"""The usual rate of one period."""

_SPREAD = 0.0003
"""How far a rate is from the usual one, at most."""


def funding_rate(seed: int, symbol: str, period: int) -> Decimal:
    """The rate of one period, counted since the epoch, to eight decimals."""
    text = f"{seed}/funding/{symbol}/{period}".encode()
    random = chance(int.from_bytes(blake2b(text, digest_size=8).digest()))
    return Decimal(str(round(_BASE + _SPREAD * (random.random() * 2 - 1), 8)))
