"""Where actors run: a loop in a thread of its own, a thread of their own, or the test's one thread."""

import asyncio
import logging
import threading
from concurrent.futures import Future
from typing import Protocol

from aviary.actors.core.calls import call_on, calls_here
from aviary.actors.core.guarded_loop import WorkLoop
from aviary.config.clock import Clock

log = logging.getLogger("aviary.kernel")

BEAT = 0.5
"""Seconds between two signs of life of a loop; a loop that misses several is stuck."""

JOIN_TIMEOUT = 2.0
"""Seconds that a stopping loop's thread is waited for."""


class Dispatcher(Protocol):
    """Runs asynchronous actors."""

    name: str

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that actors of this dispatcher run on."""
        ...

    def silence(self) -> float:
        """Seconds since the loop's last sign of life."""
        ...


class LoopDispatcher:
    """An event loop in a daemon thread. Python threads can't be killed: a stuck one is abandoned."""

    def __init__(self, name: str, clock: Clock) -> None:
        self.name = name
        self._clock = clock
        self._last_beat = clock.monotonic()
        ready: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = threading.Thread(target=self._run, args=(ready,), name=f"dispatcher-{name}", daemon=True)
        self._thread.start()
        self._loop = ready.result(timeout=10)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that actors of this dispatcher run on."""
        return self._loop

    def silence(self) -> float:
        """Seconds since the loop's last sign of life."""
        return self._clock.monotonic() - self._last_beat

    @property
    def thread(self) -> threading.Thread:
        """The thread that runs the loop."""
        return self._thread

    def abandon(self) -> None:
        """End the loop if it ever comes back, and don't wait for it."""
        call_on(self._loop, self._loop.stop)

    def stop(self) -> None:
        """End the loop; waits `JOIN_TIMEOUT` for its thread unless called from it."""
        self.abandon()
        if threading.current_thread() is not self._thread:
            self._thread.join(JOIN_TIMEOUT)

    def _run(self, ready: "Future[asyncio.AbstractEventLoop]") -> None:
        loop = WorkLoop()
        asyncio.set_event_loop(loop)
        calls_here(loop)
        loop.call_soon(self._beat, loop)
        loop.call_soon(ready.set_result, loop)
        try:
            self._run_forever(loop)
        finally:
            cancel_all(loop)
            loop.close()

    def _run_forever(self, loop: asyncio.AbstractEventLoop) -> None:
        while True:
            try:
                loop.run_forever()
            except (SystemExit, KeyboardInterrupt) as error:
                # Out of code that the loop calls without us: many live here, and none of them asked for their end.
                log.exception("%s on the loop of dispatcher %s", type(error).__name__, self.name, exc_info=error)
            else:
                return

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        self._last_beat = self._clock.monotonic()
        loop.call_later(BEAT, self._beat, loop)


class BorrowedLoop:
    """A loop that somebody else runs, such as the simulation's or a test's."""

    def __init__(self, name: str, loop: asyncio.AbstractEventLoop) -> None:
        self.name = name
        self._loop = loop

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that actors of this dispatcher run on."""
        return self._loop

    def silence(self) -> float:
        """Always 0: whoever runs the loop watches it."""
        return 0.0

    def stop(self) -> None:
        """Leave the loop to its owner."""


def cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel every task of a stopped loop and let each see its cancellation."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks, timeout=JOIN_TIMEOUT))
