"""What there is to write down when lives end: at once as a rule, some in each turn of a loop when many end together."""

from __future__ import annotations

from collections import deque
from contextvars import Context
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

AT_ONCE = 16
"""Pieces that are done in one turn of a loop. Whoever else lives there waits for so many at most."""


class Paperwork:
    """The pieces that wait on one loop, in their order. On that loop."""

    __slots__ = ("_context", "_done", "_loop", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[Callable[[], None]] = deque()
        self._done = 0
        """In this turn of the loop."""
        # Nothing of whoever happens to be the first in a turn.
        self._context = Context()

    def do(self, piece: Callable[[], None]) -> None:
        """Do a piece, in its turn."""
        if self._waiting or self._done >= AT_ONCE:
            self._waiting.append(piece)
            return
        self._count()
        piece()

    def _count(self) -> None:
        if self._done == 0:
            self._loop.call_soon(self._turn, context=self._context)
        self._done += 1

    def _turn(self) -> None:
        self._done = 0
        for _ in range(min(len(self._waiting), AT_ONCE)):
            # The next turn is arranged for already: a piece that fails keeps nobody else's from being done.
            self._count()
            self._waiting.popleft()()
