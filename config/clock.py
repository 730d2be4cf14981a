"""The one place that reads the time.

Everything that needs a time of day or a duration takes a `Clock` as an argument, so that a whole
system can be run on a `FakeClock`. A lint rule keeps every other module from importing `time`.
"""

import time  # noqa: TID251 - the one place
from typing import Protocol


class Clock(Protocol):
    """Source of the time of day and of durations."""

    def now(self) -> float:
        """Time of day, in seconds since the Unix epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment; never goes back."""
        ...


class SystemClock:
    """The machine's own clock, without a call of our own in between: it is read for each message."""

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)


class FakeClock:
    """A clock that moves only when told to; `now` and `monotonic` move together unless it is set."""

    EPOCH = 1_700_000_000.0
    """Time of day, in Unix seconds, at which every fake clock starts."""

    def __init__(self) -> None:
        self._elapsed = 0.0
        self._set_by = 0.0

    def now(self) -> float:
        """Time of day, in seconds since the Unix epoch."""
        return self.EPOCH + self._set_by + self._elapsed

    def monotonic(self) -> float:
        """Seconds since this clock was made."""
        return self._elapsed

    def advance(self, seconds: float) -> None:
        """Move forward; `ValueError` for a negative step."""
        if seconds < 0:
            raise ValueError(f"a clock does not go back ({seconds} s)")
        self._elapsed += seconds

    def step(self, seconds: float) -> None:
        """Set the time of day forward or back, as an operator does; no time passes by it."""
        self._set_by += seconds


def pause(seconds: float) -> None:
    """Block the calling thread; for process code without an event loop, never for an actor."""
    time.sleep(seconds)
