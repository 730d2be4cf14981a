"""How long a child waits before its next try."""

import math
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Backoff:
    """An exponential curve with jitter and a cap; all times in seconds.

    The n-th try in a row waits `first * factor ** (n - 1)`, at most `cap`, lengthened by up to
    `jitter` of itself. A life of `reset` seconds or more starts the count anew.
    """

    first: float = 0.1
    factor: float = 2.0
    cap: float = 30.0
    jitter: float = 0.2
    reset: float = 60.0

    def __post_init__(self) -> None:
        finite = all(map(math.isfinite, (self.first, self.factor, self.cap, self.reset)))
        if not finite or self.first < 0 or self.factor < 1 or self.cap < self.first or self.reset < 0:
            raise ValueError(f"not a curve: {self}")
        if not 0 <= self.jitter <= 1:
            raise ValueError(f"jitter is between 0 and 1, not {self.jitter}")

    def delay(self, attempt: int, chance: Random) -> float:
        """Seconds before try number `attempt` (from 1)."""
        if self.first == 0:
            return 0.0
        try:
            bare = min(self.first * self.factor ** (attempt - 1), self.cap)
        except OverflowError:
            # After a year of failures the power is no float any more.
            bare = self.cap
        return bare * (1 + self.jitter * chance.random())

    def attempt_after(self, previous: int, lived: float) -> int:
        """The number of the next try, given the last one's and how long the child then lived."""
        return 1 if lived >= self.reset else previous + 1


IMMEDIATE = Backoff(first=0.0, factor=1.0, cap=0.0, jitter=0.0)
"""Restart at once, as OTP does."""

FEED = Backoff(first=0.1, cap=5.0)
"""For what is cheap to restart."""

MONEY = Backoff(first=1.0, cap=60.0, reset=120.0)
"""For what talks to an exchange with keys: a little patience costs less than a ban."""

BOT = Backoff(first=0.5, cap=300.0, reset=600.0)
"""For bots: Kubernetes' cap and reset, with a faster first try, since a dead bot does not quote."""
