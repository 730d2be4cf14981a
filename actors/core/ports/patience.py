"""How long a process had for itself: what tells one that hangs from one that is given no processor.

On a busy machine a process that does well says nothing for seconds, since it waits for its turn. That does not count
against it. One that sleeps, or that runs and says nothing, had its chance.
"""

import asyncio
import threading
from collections.abc import Iterable
from pathlib import Path

import psutil
from aviary.config.clock import Clock

LOOK = 0.25
"""Seconds between two looks."""

LATE = 2.0
"""How many times as late as planned a look may be: what is beyond that stood still together with whoever looks."""


def waited(pid: int) -> float:
    """Seconds for which the threads of a process were ready to run and had no processor, so far.

    0 where the system does not tell: there the clock on the wall decides.
    """
    return _waited(Path(f"/proc/{pid}/task").glob("*/schedstat"))


def waited_here() -> float:
    """The same of the thread that asks."""
    return _waited((Path(f"/proc/self/task/{threading.get_native_id()}/schedstat"),))


def _waited(threads: Iterable[Path]) -> float:
    total = 0
    for thread in threads:
        try:
            # Nanoseconds on a processor, waiting for one, and how often it got one.
            total += int(thread.read_bytes().split()[1])
        except (OSError, IndexError):
            # It has ended meanwhile, or this system does not count.
            continue
    return total / 1e9


def waits_for_disk(pid: int) -> bool:
    """Whether a process can't go on before the disk, or what was swapped out, is there."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_DISK_SLEEP)
    except psutil.NoSuchProcess:
        return False


class OwnTime:
    """Adds up the seconds that a process had for itself, from look to look.

    With `asker` the time does not count either for which the thread that looks had no processor: an answer may be
    there and unread.
    """

    def __init__(self, pid: int, clock: Clock, *, look: float = LOOK, asker: bool = False) -> None:
        self._pid = pid
        self._clock = clock
        self._longest = look * LATE
        self._asker = asker
        self.begin()

    def begin(self) -> None:
        """Count from this moment on."""
        self.seconds = 0.0
        self.began = self._at = self._clock.monotonic()
        self._waited = self._all_waited()

    @property
    def passed(self) -> float:
        """Seconds since then by the clock on the wall."""
        return self._clock.monotonic() - self.began

    def add(self) -> float:
        """Look; the seconds so far."""
        now, waited = self._clock.monotonic(), self._all_waited()
        # Threads end, and what they have waited goes with them.
        had = now - self._at - max(0.0, waited - self._waited)
        self._at, self._waited = now, waited
        if not waits_for_disk(self._pid):
            self.seconds += min(max(0.0, had), self._longest)
        return self.seconds

    def _all_waited(self) -> float:
        return waited(self._pid) + (waited_here() if self._asker else 0.0)


class Missed:
    """Counts the answers that a process owed in a row and did not give, each by the part of the time it had for itself."""

    def __init__(self, pid: int, clock: Clock, timeout: float) -> None:
        self._own = OwnTime(pid, clock, look=timeout, asker=True)
        self.answers = 0.0

    def begin(self) -> None:
        """It is asked."""
        self._own.begin()

    def note(self, *, answered: bool) -> None:
        """It has answered, or refused to, or said nothing in time."""
        own, passed = self._own.add(), self._own.passed
        self.answers = 0.0 if answered else self.answers + (min(1.0, own / passed) if passed > 0 else 1.0)


async def in_own_time[R](owed: "asyncio.Future[R]", own: OwnTime, seconds: float, bound: float) -> R:
    """What a process owes, if it comes before the process has had `seconds` for itself, and before `bound` have passed.

    Raises `TimeoutError`.
    """
    own.begin()
    while not owed.done():
        await asyncio.wait({owed}, timeout=LOOK)
        if not owed.done() and (own.add() > seconds or own.passed > bound):
            raise TimeoutError
    return owed.result()
