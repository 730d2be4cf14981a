"""Order books for trading connectors: an account's connectors follow no markets of their own."""

import asyncio
from collections.abc import Iterable
from functools import partial
from typing import Any

from aviary.actors.core.ports.errors import PortRefusal
from aviary.actors.engine.accounts.orders import follow
from aviary.actors.engine.markets.feeds import Feeds
from aviary.actors.engine.markets.pair_stream import PairStream

PATIENCE = 30.0
"""Seconds until the book of a pair has to be there."""

LOOK = 0.05
"""Seconds between two looks whether it is."""


class LentBooks:
    """Follows the markets that executors need, as long as they need them."""

    def __init__(self, feeds: Feeds) -> None:
        self._feeds = feeds
        self._streams: dict[tuple[str, str], PairStream] = {}
        self._users: dict[tuple[str, str], int] = {}

    async def lend(self, connector_name: str, connector: Any, trading_pair: str) -> None:
        """Give a connector the live book of a pair; refused as `unavailable` if the exchange does not tell it."""
        stream = await self._feeds.follow(connector_name, trading_pair)
        market = connector_name, trading_pair
        self._streams[market] = stream
        self._users[market] = self._users.get(market, 0) + 1
        follow(connector, trading_pair)
        connector.get_order_book = partial(self._book, connector_name)
        try:
            async with asyncio.timeout(PATIENCE):
                while stream.book is None:  # noqa: ASYNC110 - hummingbot's trackers tell nobody
                    await asyncio.sleep(LOOK)
        except TimeoutError:
            await self.give_back([market])
            raise PortRefusal(
                "unavailable", f"{connector_name} does not tell its book of {trading_pair}"
            ) from None

    async def give_back(self, markets: Iterable[tuple[str, str]]) -> None:
        """These are not needed any more."""
        for market in markets:
            self._users[market] -= 1
            if self._users[market] == 0:
                del self._users[market], self._streams[market]
            await self._feeds.leave(market)

    def _book(self, connector_name: str, trading_pair: str) -> Any:
        stream = self._streams.get((connector_name, trading_pair))
        book = None if stream is None else stream.book
        if book is None:
            # What hummingbot's own connectors say.
            raise ValueError(f"No order book exists for '{trading_pair}'.")
        return book
