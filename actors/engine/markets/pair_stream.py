"""The live stream of one pair on one exchange: its book, its trades and its funding, shared by the feeds that ask.

Hummingbot's tracker heals dropped sockets, but it does not read the book anew afterwards, gives up for good
when the very first snapshot fails, and sits out a socket that is open and silent. This watches for the three.
"""

import asyncio
from typing import Any

from aviary.actors.engine.exchanges.connections import REQUEST_TIMEOUT, Ticker
from aviary.actors.engine.exchanges.outcomes import REQUEST_ERRORS
from aviary.config.clock import Clock

WATCH_INTERVAL = 0.5
"""Seconds between two looks at the sockets."""

STALL_LIMIT = 15.0
"""Seconds of silence after which the stream is started over. Books of traded pairs change every second."""

STALL_LIMIT_MAX = 300.0
"""The limit doubles up to this with every restart that did not help: a pair can just be quiet."""


class PairStream:
    """A connector without keys that follows one pair."""

    def __init__(self, connector: Any, trading_pair: str, clock: Clock, ticker: Ticker) -> None:
        self._connector = connector
        self._pair = trading_pair
        self._clock = clock
        self._ticker = ticker
        self._seen_socket: Any = None
        self._seen_update = (0, 0)
        self._patience = STALL_LIMIT
        self._waiting_since = clock.monotonic()
        self._heard_at: float | None = None
        self.restarts = 0
        """How often the stream was started over because of silence."""
        self.users = 0
        """Feeds that live off this stream."""

    def open(self) -> None:
        """Start; the book comes when the exchange has answered."""
        self._ticker.add(self._connector)

    async def close(self) -> None:
        """Stop."""
        await self._ticker.remove(self._connector)

    @property
    def connector(self) -> Any:
        """The connector behind it."""
        return self._connector

    @property
    def book(self) -> Any | None:
        """The order book, if there is one yet."""
        return self._connector.order_book_tracker.order_books.get(self._pair)

    @property
    def heard_at(self) -> float | None:
        """Unix time of the exchange's last message for this pair, `None` before the first."""
        self._listen()
        return self._heard_at

    async def watch(self) -> None:
        """Keep the stream honest; runs until cancelled."""
        while True:
            await asyncio.sleep(WATCH_INTERVAL)
            self._listen()
            await self._read_book_after_reconnection()
            if self._clock.monotonic() - self._waiting_since > self._patience:
                await self._start_over()

    def _listen(self) -> None:
        heard = self._heard_at or 0.0
        source = self._connector.order_book_tracker.data_source
        for name in ("_ws_assistant", "_market_ws_assistant"):
            socket = getattr(source, name, None)
            if socket is not None:
                heard = max(heard, socket.last_recv_time or 0.0)
        book = self.book
        if book is not None and (id(book), book.last_diff_uid) != self._seen_update:
            # Not every source keeps its socket where it can be asked; a book that changes will do.
            self._seen_update = (id(book), book.last_diff_uid)
            heard = max(heard, self._clock.now())
        if book is not None and heard > (self._heard_at or 0.0):
            self._heard_at = heard
            self._waiting_since = self._clock.monotonic()
            self._patience = STALL_LIMIT

    async def _read_book_after_reconnection(self) -> None:
        tracker = self._connector.order_book_tracker
        socket = getattr(tracker.data_source, "_ws_assistant", None)
        if socket is None or socket is self._seen_socket:
            return
        first = self._seen_socket is None
        if not first:
            try:
                async with asyncio.timeout(REQUEST_TIMEOUT):
                    snapshot = await tracker.data_source._order_book_snapshot(self._pair)  # noqa: SLF001
            except REQUEST_ERRORS:
                return
            tracker._order_book_snapshot_stream.put_nowait(snapshot)  # noqa: SLF001
        self._seen_socket = socket

    async def _start_over(self) -> None:
        self.restarts += 1
        self._waiting_since = self._clock.monotonic()
        self._patience = min(self._patience * 2, STALL_LIMIT_MAX)
        self._seen_socket = None
        try:
            await self._connector.stop_network()
            await self._connector.start_network()
        except REQUEST_ERRORS:
            # Tried again when the patience is over; the silence is reported meanwhile.
            return
