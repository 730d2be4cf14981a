"""When those who wait on a loop for an answer give up: one timer for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


class Deadlines:
    """The futures that are waited for on one loop, each until a moment of the monotonic clock. On that loop.

    Nearly every ask is answered long before its deadline, and a timer for each would cost more than the ask.
    """

    __slots__ = ("_loop", "_next", "_timer", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: dict[asyncio.Future[Any], tuple[float, Callable[..., BaseException], tuple[Any, ...]]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0.0

    def add(self, future: asyncio.Future[Any], when: float, late: Callable[..., BaseException], *of: Any) -> None:
        """Fail the future with what `late(*of)` answers if it is not done by then."""
        self._waiting[future] = (when, late, of)
        if self._timer is None or when < self._next:
            self._arm(when)

    def discard(self, future: asyncio.Future[Any]) -> None:
        """Nobody waits for it any more."""
        self._waiting.pop(future, None)

    def _arm(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = when
        self._timer = self._loop.call_at(when, self._fire)

    def _fire(self) -> None:
        self._timer = None
        # A loop may round its time.
        now = max(self._loop.time(), self._next)
        due = [(future, late, of) for future, (when, late, of) in self._waiting.items() if when <= now]
        for future, late, of in due:
            del self._waiting[future]
            if not future.done():
                future.set_exception(late(*of))
        if self._waiting:
            self._arm(min(when for when, _, _ in self._waiting.values()))
