"""Calls into a loop from other threads: many of them cost one wake-up."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from contextvars import Context
from typing import TYPE_CHECKING, Any

from aviary.actors.core.deadlines import Deadlines
from aviary.actors.core.paperwork import Paperwork

if TYPE_CHECKING:
    from collections.abc import Callable

TURN = 256
"""Calls that are made in a row before what else waits on the loop gets its turn."""


class LoopCalls:
    """What other threads want a loop to call, in their order; made by `calls_of`, one for each loop.

    Waking a sleeping loop is what a call from another thread costs most: whoever finds that a wake-up
    is on its way already leaves the call to it.
    """

    __slots__ = ("_context", "_due", "_waiting", "deadlines", "loop", "paperwork")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.deadlines = Deadlines(loop)
        """Of what is waited for on the loop."""
        self.paperwork = Paperwork(loop)
        """Of the lives that are led on the loop."""
        self._waiting: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._due = False
        # Nothing of whoever happens to wake the loop.
        self._context = Context()

    def are_here(self) -> bool:
        """Whether this thread is the one that runs the loop."""
        return _here.calls is self

    def send(self, callback: Callable[..., object], *args: Any) -> None:
        """Have `callback` called on the loop, from whatever thread; dropped if the loop is closed."""
        self._waiting.append((callback, args))
        # Read after the append, and reset by `_make` before it counts: no call is left behind.
        if not self._due:
            self._due = True
            # The loop may end at any moment; then nobody is there to be called.
            with contextlib.suppress(RuntimeError):
                self.loop.call_soon_threadsafe(self._make, context=self._context)

    def _make(self) -> None:
        self._due = False
        waiting = self._waiting
        for _ in range(min(len(waiting), TURN)):
            callback, args = waiting.popleft()
            try:
                callback(*args)
            except BaseException as error:  # noqa: BLE001 - the calls behind it are somebody else's
                self.loop.call_exception_handler({"message": f"a call of {callback!r} failed", "exception": error})
        if waiting and not self._due:
            self._due = True
            self.loop.call_soon(self._make, context=self._context)


class _Here(threading.local):
    """The calls of the loop that runs in this thread."""

    calls: LoopCalls | None = None


_here = _Here()
_lock = threading.Lock()
_ATTRIBUTE = "_aviary_calls"


def calls_here(loop: asyncio.AbstractEventLoop) -> LoopCalls:
    """The calls of the loop that runs in this thread, which must be `loop`."""
    calls = _here.calls
    if calls is None or calls.loop is not loop:
        calls = _here.calls = calls_of(loop)
    return calls


def calls_of(loop: asyncio.AbstractEventLoop) -> LoopCalls:
    """The calls of a loop, from whatever thread."""
    found: LoopCalls | None = getattr(loop, _ATTRIBUTE, None)
    if found is None:
        with _lock:
            found = getattr(loop, _ATTRIBUTE, None)
            if found is None:
                found = LoopCalls(loop)
                # They live and die with their loop, which a table of our own could only imitate.
                setattr(loop, _ATTRIBUTE, found)
    return found


def call_on(loop: asyncio.AbstractEventLoop, callback: Callable[..., Any], *args: Any) -> None:
    """Run `callback` on `loop`, at once if this is its thread; dropped if the loop is closed."""
    try:
        running = asyncio.get_running_loop()
    except RuntimeError:
        running = None
    if running is loop:
        callback(*args)
    else:
        calls_of(loop).send(callback, *args)
