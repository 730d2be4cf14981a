"""The dispatchers of a system by name: made at first use, taken out when stuck, ended last of all."""

import asyncio
import threading
from concurrent.futures import Future

from aviary.actors.core.calls import calls_of
from aviary.actors.core.dispatcher import BorrowedLoop, Dispatcher, LoopDispatcher
from aviary.config.clock import Clock

BREATH = 1.0
"""Seconds that a loop is waited for which may be stuck."""


class Dispatchers:
    """Every dispatcher that was used so far; the kernel's own is the first. Thread-safe.

    In a single-threaded system they all share the kernel's loop.
    """

    def __init__(self, kernel: Dispatcher, clock: Clock, *, single_threaded: bool) -> None:
        self._kernel = kernel
        self._clock = clock
        self._single_threaded = single_threaded
        self._lock = threading.Lock()
        self._by_name: dict[str, Dispatcher] = {"kernel": kernel}

    def get(self, name: str) -> Dispatcher:
        """The dispatcher called `name`, made at first use."""
        with self._lock:
            found = self._by_name.get(name)
            if found is None:
                found = (
                    BorrowedLoop(name, self._kernel.loop)
                    if self._single_threaded
                    else LoopDispatcher(name, self._clock)
                )
                self._by_name[name] = found
            return found

    def all(self) -> tuple[Dispatcher, ...]:
        """Every dispatcher that was used so far."""
        with self._lock:
            return tuple(self._by_name.values())

    async def breathe(self) -> None:
        """Wait until each loop has done what is due there now, at most `BREATH` seconds. On the kernel's loop.

        For whoever gives a loop a great deal to do at once: what else waits there gets its turn in between.
        """
        breaths: list[asyncio.Future[None]] = []
        for dispatcher in self.all():
            breath: Future[None] = Future()
            calls_of(dispatcher.loop).send(breath.set_result, None)
            breaths.append(asyncio.wrap_future(breath))
        await asyncio.wait(breaths, timeout=BREATH)

    def take_out(self, name: str) -> Dispatcher:
        """Forget a dispatcher, so that the next use makes a new one. `KeyError` if there is none."""
        with self._lock:
            return self._by_name.pop(name)

    def shutdown(self) -> None:
        """End the loops that are ours. Actors are stopped by their supervisors before."""
        # The kernel last: the others report their last ends to it.
        for dispatcher in reversed(self.all()):
            if isinstance(dispatcher, LoopDispatcher):
                dispatcher.stop()
