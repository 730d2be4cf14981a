"""A stream of frames to one client: at most one each interval, the newest when there were several."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from aviary.http.streams.connection import Connection

KEPT = 500
"""Notices, and items such as trades, that are held for a slow client; the oldest go first."""


class Subscription:
    """What waits for a client, and when it is sent.

    `make` turns what waits into a frame, or answers `None` if there is nothing to send. A subscription
    begins on hold: events are taken, and sent after the snapshot that `begin_with` gives.
    """

    def __init__(
        self,
        connection: Connection,
        name: str,
        interval: float,
        make: Callable[[Subscription], bytes | None],
    ) -> None:
        self.connection = connection
        self.name = name
        self.interval = interval
        self.make = make
        self.sequence = 0
        self.notices: deque[bytes] = deque(maxlen=KEPT)
        """Frames that are sent as they are, before anything else."""
        self.waiting: Any = None
        """The newest event that was not sent yet; older ones are conflated into it."""
        self.items: deque[Any] = deque(maxlen=KEPT)
        self.conflated = 0
        """Updates that were never sent because a newer one came first."""
        self.open = True
        self.held = True
        self._sent_at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None

    def begin_with(self, frame: bytes | None) -> None:
        """Send the snapshot, if there is one, then whatever comes."""
        self.held = False
        if frame is not None:
            self.notices.append(frame)
        self.poke()

    def keep(self, item: object) -> None:
        """Hold one of the items that are all wanted."""
        self.conflated += len(self.items) == KEPT
        self.items.append(item)

    def poke(self) -> None:
        """Send what waits as soon as the subscriber's interval and socket allow."""
        if not self.open or self.held or self._timer is not None or self.connection.busy:
            return
        loop = asyncio.get_running_loop()
        due = self._sent_at + self.interval - loop.time()
        if due > 0 or not self.connection.has_room():
            self._timer = loop.call_later(max(due, self.connection.limits.retry), self._fire)
        else:
            self._flush()

    def _fire(self) -> None:
        self._timer = None
        self.poke()

    def _flush(self) -> None:
        frames = [*self.notices]
        self.notices.clear()
        last = self.make(self)
        if last is not None:
            frames.append(last)
        for frame in frames:
            self.connection.write(frame)
        if frames:
            self._sent_at = asyncio.get_running_loop().time()

    def next_sequence(self) -> int:
        """The number of the frame that is being made."""
        self.sequence += 1
        return self.sequence

    def close(self) -> None:
        """Send nothing any more."""
        self.open = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
