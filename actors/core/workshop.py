"""Where factories run: in threads beside the kernel, so that a constructor that blocks holds up nobody else."""

from __future__ import annotations

import asyncio
import queue
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

IDLE = 10.0
"""Seconds that a thread without work is kept for the next."""


class _Job:
    """One call of a factory."""

    __slots__ = ("factory", "given_up", "outcome", "thread")

    def __init__(self, factory: Callable[[], object]) -> None:
        self.factory = factory
        self.outcome: Future[object] = Future()
        self.thread: threading.Thread | None = None
        self.given_up = False


class Workshop:
    """Calls factories in daemon threads, as many as there are calls under way.

    A thread pool of the standard library is waited for at the end of the process, for ever if a call in it hangs.
    `leave_behind` is told of a thread whose caller waits no longer. `inline` is for systems of one thread.
    """

    def __init__(self, leave_behind: Callable[[threading.Thread], None], *, inline: bool) -> None:
        self._leave_behind = leave_behind
        self._inline = inline
        self._lock = threading.Lock()
        self._idle = 0
        """Threads that wait for work, less the work that waits for them."""
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()

    async def make(self, factory: Callable[[], object]) -> object:
        """What the factory returns. What it raises is raised, `SystemExit` and the like within a `RuntimeError`."""
        if self._inline:
            return _called(factory)
        job = _Job(factory)
        self._hand_over(job)
        try:
            return await asyncio.wrap_future(job.outcome)
        except asyncio.CancelledError:
            job.given_up = True
            if job.thread is not None and not job.outcome.done():
                self._leave_behind(job.thread)
            raise

    def _hand_over(self, job: _Job) -> None:
        with self._lock:
            spare = self._idle > 0
            if spare:
                self._idle -= 1
            self._jobs.put(job)
        if not spare:
            threading.Thread(target=self._run, name="workshop", daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=IDLE)
            except queue.Empty:
                with self._lock:
                    # Somebody may have counted on this thread at this moment.
                    if self._idle > 0:
                        self._idle -= 1
                        return
                continue
            job.thread = threading.current_thread()
            _do(job)
            if job.given_up:
                return
            del job
            with self._lock:
                self._idle += 1


def _do(job: _Job) -> None:
    if not job.outcome.set_running_or_notify_cancel():
        return
    try:
        made = _called(job.factory)
    except Exception as error:  # noqa: BLE001 - it is the caller's
        job.outcome.set_exception(error)
    else:
        job.outcome.set_result(made)


def _called(factory: Callable[[], object]) -> object:
    try:
        return factory()
    except Exception:
        raise
    except BaseException as error:
        raise RuntimeError(f"{type(error).__name__} in a constructor") from error
