"""The live stream of one pair on one exchange: its book, its trades and its funding, shared by the feeds that ask.

Hummingbot's tracker heals dropped sockets, but it does not read the book anew afterwards, gives up for good
when the very first snapshot fails, and sits out a socket that is open and silent. This watches for the three,
and tells a book that follows the exchange from one that stands still while the exchange speaks.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aviary.actors.engine.exchanges.outcomes import REQUEST_ERRORS
from aviary.actors.engine.markets.hearing import Hearing
from hummingbot.core.network_iterator import NetworkStatus
from hummingbot.core.utils.async_utils import safe_ensure_future

if TYPE_CHECKING:
    from aviary.actors.engine.exchanges.connections import Ticker
    from aviary.config.clock import Clock

WATCH_INTERVAL = 0.5
"""Seconds between two looks at the sockets."""

READ_TIMEOUT = 10.0
"""Seconds that an exchange may take to send a book."""

STALL_LIMIT = 15.0
"""Seconds of silence after which the stream is started over. Books of traded pairs change every second."""

STALL_LIMIT_MAX = 300.0
"""The limit doubles up to this with every restart that did not help: a pair can just be quiet."""

FIRST_RETRY, LAST_RETRY = 1.0, 4.0
"""Seconds between two tries to read a book or the funding, doubling from the first to the last."""

SPEAKING = 10.0
"""Seconds after a message of the stream for which the exchange counts as reachable without being asked."""


class PairStream:
    """A connector without keys that follows one pair."""

    def __init__(self, connector: Any, trading_pair: str, clock: Clock, ticker: Ticker) -> None:
        self._connector = connector
        self._pair = trading_pair
        self._clock = clock
        self._ticker = ticker
        self._seen_socket: Any = None
        self._patience = STALL_LIMIT
        self._retry = FIRST_RETRY
        self._waiting_since = self._next_try = clock.monotonic()
        self._book_hearing = Hearing(clock)
        self._market_hearing = Hearing(clock)
        self._ask_whether_reachable = connector.check_network
        connector.check_network = self._check_network
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
    def book_hearing(self) -> Hearing:
        """When the exchange last spoke of the book, and what it said was taken into it."""
        self._listen()
        return self._book_hearing

    @property
    def market_hearing(self) -> Hearing:
        """When it last spoke on the stream of trades and funding, and somebody listened."""
        self._listen()
        return self._market_hearing

    @property
    def book_is_whole(self) -> bool:
        """Whether nothing is missing in the book: after a new connection it is read anew first."""
        return self._is_followed() and self._socket() is self._seen_socket

    async def watch(self) -> None:
        """Keep the stream honest; runs until cancelled."""
        while True:
            await asyncio.sleep(WATCH_INTERVAL)
            await self.look()

    async def look(self) -> None:
        """Look once: take up again what hummingbot gave up, and start a silent stream over."""
        self._listen()
        await self._read_book_after_reconnection()
        self._take_up_again()
        if self._clock.monotonic() - self._waiting_since > self._patience:
            self._patience = min(self._patience * 2, STALL_LIMIT_MAX)
            await self._start_over()

    def _socket(self, name: str = "_ws_assistant") -> Any:
        return getattr(self._connector.order_book_tracker.data_source, name, None)

    def _is_followed(self) -> bool:
        # A book outlives the task that keeps it, for instance when hummingbot takes its network down.
        task = self._connector.order_book_tracker._tracking_tasks.get(self._pair)  # noqa: SLF001
        return task is not None and not task.done()

    def _take_up_again(self) -> None:
        """Hummingbot asks for the first book and for the first funding once; if that fails, nothing follows."""
        tracker, connector = self._connector.order_book_tracker, self._connector
        first_book = tracker._init_order_books_task  # noqa: SLF001
        funding = getattr(connector, "_funding_info_listener_task", None)
        no_book = first_book is not None and first_book.done() and not tracker.ready
        no_funding = funding is not None and funding.done()
        if not (no_book or no_funding) or not self._may_try():
            return
        if no_book:
            tracker._init_order_books_task = safe_ensure_future(tracker._init_order_books())  # noqa: SLF001
        if no_funding:
            connector._funding_info_listener_task = safe_ensure_future(  # noqa: SLF001
                connector._listen_for_funding_info()  # noqa: SLF001
            )

    def _may_try(self) -> bool:
        """Whether the last try is long enough ago; if so, the next one has to wait for longer."""
        now = self._clock.monotonic()
        if now < self._next_try:
            return False
        if now - self._next_try > LAST_RETRY:
            self._retry = FIRST_RETRY
        self._next_try = now + self._retry
        self._retry = min(self._retry * 2, LAST_RETRY)
        return True

    def _listen(self) -> None:
        book = self.book
        if book is None or not self._is_followed():
            return
        socket, market_socket = self._socket(), self._socket("_market_ws_assistant")
        # Not every source keeps its socket where it can be asked; a book that changes will do.
        said = (id(book), book.last_diff_uid, book.snapshot_uid, _last_message(socket))
        if self.book_is_whole and self._book_hearing.note_if_new(said):
            self._waiting_since = self._clock.monotonic()
            self._patience = STALL_LIMIT
        self._market_hearing.note_if_new(said if market_socket is None else _last_message(market_socket))

    async def _check_network(self) -> NetworkStatus:
        # A stream that speaks is not taken down because requests are refused or go unanswered.
        age = self.book_hearing.age
        if age is not None and age < SPEAKING:
            return NetworkStatus.CONNECTED
        return await self._ask_whether_reachable()

    async def _read_book_after_reconnection(self) -> None:
        tracker = self._connector.order_book_tracker
        socket = self._socket()
        if socket is None or socket is self._seen_socket:
            return
        if self._seen_socket is not None:
            if not self._may_try():
                return
            try:
                async with asyncio.timeout(READ_TIMEOUT):
                    snapshot = await tracker.data_source._order_book_snapshot(self._pair)  # noqa: SLF001
            except REQUEST_ERRORS:
                return
            tracker._order_book_snapshot_stream.put_nowait(snapshot)  # noqa: SLF001
        self._seen_socket = socket

    async def _start_over(self) -> None:
        self.restarts += 1
        self._waiting_since = self._clock.monotonic()
        self._seen_socket = None
        try:
            await self._connector.stop_network()
            await self._connector.start_network()
        except REQUEST_ERRORS:
            # Tried again when the patience is over; the silence is reported meanwhile.
            return


def _last_message(socket: Any) -> float | None:
    return None if socket is None else socket.last_recv_time
